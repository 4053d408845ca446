//! What sshd does for the logins that matter: its effective configuration, and where it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keyroster_sshd::account::Account;
use keyroster_sshd::check::Verdict;
use keyroster_sshd::service::Listener;
use keyroster_sshd::tree::{Criterion, Login, Setting, Tree};
use keyroster_sshd::{Binary, Connection, Effective, Sshd, Version};

use crate::doctor::facts::{Seen, Unseen};

/// This host's sshd.
#[derive(Debug)]
pub struct SshdFacts {
    /// Its release.
    pub version: Version,
    /// Its program.
    pub program: PathBuf,
    /// Its configuration.
    pub config: PathBuf,
    /// Whether one listens with this configuration.
    pub listens: bool,
    /// Why it can't read its configuration.
    pub broken: Option<String>,
    /// Granted accounts that it was not asked about.
    pub unasked: usize,
    /// The files.
    pub tree: Tree,
    /// The logins that it was asked about.
    pub logins: Vec<Asked>,
}

/// A login, and what sshd would do for it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The login.
    pub login: Login,
    /// Why it was asked about.
    pub why: Why,
    /// What sshd says.
    pub effective: Arc<Effective>,
}

/// Why a login is of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The key server grants it.
    Granted,
    /// It is root's.
    Root,
    /// A `Match` block names it.
    Matched,
}

/// Which sshd to look at, and whom to ask about.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The program; the one that listens when it is not given.
    pub program: Option<PathBuf>,
    /// Its configuration.
    pub config: PathBuf,
    /// The accounts that the key server grants.
    pub granted: Vec<String>,
}

/// Looks at sshd.
///
/// # Errors
/// When there is none, or its configuration can't be read.
pub fn gather(subject: &Subject) -> Seen<SshdFacts> {
    if !rustix::process::geteuid().is_root() {
        // It reads host keys first, and others don't see who listens.
        return Err(Unseen("only root can ask sshd what it would do".to_owned()));
    }
    let listeners = Listener::of(&subject.config).map_err(Unseen::because)?;
    let listener = listeners.first();
    let binary = Binary::find(subject.program.as_deref(), listener).map_err(Unseen::because)?;
    let overrides = listener.map(Listener::overrides).unwrap_or_default();
    let tree = Tree::read(&subject.config).map_err(Unseen::because)?;
    let tree = tree.with_overrides(overrides);
    let (version, program) = (binary.version(), binary.path().to_owned());
    let sshd = Sshd::new(binary, &subject.config).with_overrides(overrides);
    let broken = match sshd.check().map_err(Unseen::because)? {
        Verdict::Sound => None,
        Verdict::Broken(why) => Some(why),
    };
    let logins = match &broken {
        None => ask(&sshd, &tree, &subject.granted)?,
        Some(_) => Vec::new(),
    };
    Ok(SshdFacts {
        version,
        program,
        config: subject.config.clone(),
        listens: listener.is_some() || super::system::listens_for_sshd(),
        unasked: subject.granted.len().saturating_sub(MAX_GRANTED),
        broken,
        tree,
        logins,
    })
}

/// Asks sshd about each login. Beyond a few it is asked once for all for whom the same `Match` blocks hold: nothing else of a
/// login decides.
fn ask(sshd: &Sshd, tree: &Tree, granted: &[String]) -> Seen<Vec<Asked>> {
    let logins = logins(tree, granted);
    let singly = logins.len() <= MAX_SINGLY;
    let mut known: BTreeMap<Vec<bool>, Arc<Effective>> = BTreeMap::new();
    let mut asked = Vec::new();
    for (login, why) in logins {
        let holds: Vec<bool> = tree
            .conditions()
            .iter()
            .map(|it| it.holds_for(&login))
            .collect();
        let effective = match known.get(&holds) {
            Some(effective) if !singly => Arc::clone(effective),
            _ if known.len() >= MAX_QUESTIONS => break,
            _ => Arc::new(effective(sshd, &login)?),
        };
        known.insert(holds, Arc::clone(&effective));
        asked.push(Asked {
            login,
            why,
            effective,
        });
    }
    Ok(asked)
}

fn effective(sshd: &Sshd, login: &Login) -> Seen<Effective> {
    let connection = Connection::new(&login.user, &login.host, &login.addr.to_string())
        .and_then(|it| it.to(&login.laddr.to_string(), login.lport))
        .map_err(Unseen::because)?;
    sshd.effective(&connection).map_err(Unseen::because)
}

/// The logins of interest: root, every granted account, whom `Match` blocks name, and root from the addresses that they name.
fn logins(tree: &Tree, granted: &[String]) -> Vec<(Login, Why)> {
    let port = tree.settings("port").next();
    let port = port.and_then(|setting| setting.value.parse().ok());
    let lport = port.unwrap_or(SSH_PORT);
    let mut seen = BTreeSet::from([ROOT.to_owned()]);
    let mut logins = vec![(login(ROOT, lport), Why::Root)];
    let named = tree.conditions().iter().flat_map(|it| &it.criteria);
    let named: Vec<String> = named.flat_map(named_by).collect();
    let granted = granted.iter().take(MAX_GRANTED);
    let granted = granted.map(|name| (name.clone(), Why::Granted));
    for (name, why) in granted.chain(named.into_iter().map(|name| (name, Why::Matched))) {
        if seen.insert(name.clone()) {
            logins.push((login(&name, lport), why));
        }
    }
    for criterion in tree.conditions().iter().flat_map(|it| &it.criteria) {
        let from = |addr: IpAddr| Login {
            addr,
            host: addr.to_string(),
            ..login(ROOT, lport)
        };
        let to = |laddr: IpAddr| Login {
            laddr,
            ..login(ROOT, lport)
        };
        match criterion {
            Criterion::Address(list) => {
                logins.extend(list.addresses().map(|it| (from(it), Why::Matched)));
            }
            Criterion::LocalAddress(list) => {
                logins.extend(list.addresses().map(|it| (to(it), Why::Matched)));
            }
            _ => {}
        }
    }
    logins
}

/// The accounts that a criterion names: those of a group are its members.
fn named_by(criterion: &Criterion) -> Vec<String> {
    let exists = |name: &String| matches!(Account::find(name), Ok(Some(_)));
    match criterion {
        Criterion::User(list) => {
            let names = list.literals().map(str::to_owned);
            names.filter(exists).collect()
        }
        Criterion::Group(list) => {
            let members = list.literals().flat_map(super::accounts::members_of);
            members.filter(exists).take(MAX_MEMBERS).collect()
        }
        _ => Vec::new(),
    }
}

fn login(user: &str, lport: u16) -> Login {
    let groups = Account::find(user)
        .ok()
        .flatten()
        .and_then(|account| account.groups().ok());
    Login {
        user: user.to_owned(),
        groups: groups.unwrap_or_default(),
        host: SOMEWHERE.to_string(),
        addr: SOMEWHERE,
        laddr: HERE,
        lport,
    }
}

impl SshdFacts {
    /// The setting that wins for a keyword and a login.
    #[must_use]
    pub fn winner(&self, keyword: &str, login: &Login) -> Option<&Setting> {
        self.tree.winner(keyword, login)
    }

    /// Where the value stands that wins, for people.
    #[must_use]
    pub fn place(&self, keyword: &str, login: &Login) -> String {
        match self.winner(keyword, login) {
            Some(setting) => setting.place.to_string(),
            None => "sshd's default".to_owned(),
        }
    }

    /// The logins for which something is so.
    #[must_use]
    pub fn those(&self, so: impl Fn(&Asked) -> bool) -> Vec<&Asked> {
        self.logins.iter().filter(|asked| so(asked)).collect()
    }

    /// A configuration file in the directory of the main one.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.config.parent().unwrap_or(Path::new("/")).join(name)
    }
}

/// The names of a few logins, and how many there are besides.
#[must_use]
pub fn names(asked: &[&Asked]) -> String {
    let mut names: Vec<String> = Vec::new();
    for it in asked {
        let name = match it.login.addr {
            SOMEWHERE => format!("\"{}\"", it.login.user),
            addr => format!("\"{}\" from {addr}", it.login.user),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let more = names.len().saturating_sub(MAX_NAMES);
    names.truncate(MAX_NAMES);
    match more {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// An address of nobody's (RFC 5737), for logins from no place in particular.
pub const SOMEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const ROOT: &str = "root";
const SSH_PORT: u16 = 22;
/// Names in one finding.
const MAX_NAMES: usize = 4;
/// Logins up to which sshd is asked about each.
const MAX_SINGLY: usize = 32;
/// Questions to sshd, at some milliseconds each.
const MAX_QUESTIONS: usize = 200;
/// Granted accounts that are asked about: each takes the name services some milliseconds.
const MAX_GRANTED: usize = 300;
/// Members of one group that are asked about.
const MAX_MEMBERS: usize = 16;
