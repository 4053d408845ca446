//! For which logins sshd is asked what it would do, so that what is said holds for every account.
//!
//! What sshd does for a login depends on nothing of it but which `Match` blocks hold. So it is asked once for each class of logins for which
//! the same blocks hold, however many accounts are in it; which class an account is in the files tell, and what holds for the class
//! sshd. Where there are few logins it is asked about each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use keyroster_sshd::account::Account;
use keyroster_sshd::tree::{Criterion, Login, Tree};
use keyroster_sshd::{Connection, Effective, Sshd};

use crate::doctor::facts::accounts::{MAX_ACCOUNTS, groups_of, members_of};
use crate::doctor::facts::sshd::{Asked, Why};
use crate::doctor::facts::{Seen, Unseen};

/// What sshd said.
#[derive(Debug, Default)]
pub struct Answers {
    /// The logins that it was asked about.
    pub logins: Vec<Asked>,
    /// Granted accounts of classes that it was not asked about.
    pub unasked: usize,
}

/// Which `Match` lines hold, in their order.
type Class = Vec<bool>;

/// Asks sshd about root, every granted account, whom `Match` blocks name, `more`, and one local account of each class that is left.
///
/// # Errors
/// When sshd can't be asked.
pub fn ask(sshd: &Sshd, tree: &Tree, granted: &[String], more: &[(String, Why)]) -> Seen<Answers> {
    let named = named(tree);
    let local = local();
    let some = granted.get(..MAX_ACCOUNTS).unwrap_or(granted);
    let asked_for = some.iter().chain(&named).chain(&local);
    let asked_for = asked_for.chain(more.iter().map(|(name, _)| name));
    let mut names: Vec<&str> = asked_for.map(String::as_str).collect();
    names.push(ROOT);
    // Without its groups nobody can tell an account's class.
    let (groups, some, more) = match groups_of(&names) {
        Ok(groups) => (groups, some, more),
        Err(_) => (BTreeMap::new(), &[][..], &[][..]),
    };
    let people = People {
        groups,
        lport: port(tree),
    };
    let named = named.into_iter().map(|name| (name, Why::Matched));
    let named: Vec<(String, Why)> = named.chain(more.iter().cloned()).collect();
    let logins = people.logins(tree, some, &named);
    let mut asking = Asking {
        sshd,
        tree,
        singly: logins.len() <= MAX_SINGLY,
        known: BTreeMap::new(),
        answers: Answers {
            unasked: granted.len() - some.len(),
            ..Answers::default()
        },
    };
    for (login, why) in logins {
        asking.about(login, why)?;
    }
    for name in &local {
        asking.about_the_class_of(people.login(name))?;
    }
    Ok(asking.answers)
}

struct Asking<'a> {
    sshd: &'a Sshd,
    tree: &'a Tree,
    singly: bool,
    known: BTreeMap<Class, Arc<Effective>>,
    answers: Answers,
}

impl Asking<'_> {
    fn about(&mut self, login: Login, why: Why) -> Seen<()> {
        let class = self.class(&login);
        let effective = match self.known.get(&class) {
            Some(effective) if !self.singly => Arc::clone(effective),
            None if self.known.len() >= MAX_CLASSES => {
                self.answers.unasked += usize::from(why == Why::Granted);
                return Ok(());
            }
            _ => Arc::new(effective(self.sshd, &login)?),
        };
        self.known.insert(class, Arc::clone(&effective));
        self.answers.logins.push(Asked {
            login,
            why,
            effective,
        });
        Ok(())
    }

    /// The same, unless something is known of its class.
    fn about_the_class_of(&mut self, login: Login) -> Seen<()> {
        match self.known.contains_key(&self.class(&login)) {
            true => Ok(()),
            false => self.about(login, Why::Matched),
        }
    }

    fn class(&self, login: &Login) -> Class {
        let conditions = self.tree.conditions().iter();
        conditions.map(|it| it.holds_for(login)).collect()
    }
}

fn effective(sshd: &Sshd, login: &Login) -> Seen<Effective> {
    let connection = Connection::new(&login.user, &login.host, &login.addr.to_string())
        .and_then(|it| it.to(&login.laddr.to_string(), login.lport))
        .map_err(Unseen::because)?;
    sshd.effective(&connection).map_err(Unseen::because)
}

/// What is known of accounts.
struct People {
    groups: BTreeMap<String, Vec<String>>,
    lport: u16,
}

impl People {
    /// The logins of interest: root, the granted accounts, whom `Match` blocks name, and root from the addresses that they name.
    fn logins(
        &self,
        tree: &Tree,
        granted: &[String],
        named: &[(String, Why)],
    ) -> Vec<(Login, Why)> {
        let mut seen = BTreeSet::from([ROOT]);
        let mut logins = vec![(self.login(ROOT), Why::Root)];
        let granted = granted.iter().map(|name| (name.as_str(), Why::Granted));
        let named = named.iter().map(|(name, why)| (name.as_str(), *why));
        for (name, why) in granted.chain(named) {
            if seen.insert(name) {
                logins.push((self.login(name), why));
            }
        }
        for criterion in tree.conditions().iter().flat_map(|it| &it.criteria) {
            let from = |addr: IpAddr| Login {
                addr,
                host: addr.to_string(),
                ..self.login(ROOT)
            };
            let to = |laddr: IpAddr| Login {
                laddr,
                ..self.login(ROOT)
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

    fn login(&self, user: &str) -> Login {
        Login {
            user: user.to_owned(),
            groups: self.groups.get(user).cloned().unwrap_or_default(),
            host: SOMEWHERE.to_string(),
            addr: SOMEWHERE,
            laddr: HERE,
            lport: self.lport,
        }
    }
}

fn port(tree: &Tree) -> u16 {
    let port = tree.settings("port").next();
    port.and_then(|setting| setting.value.parse().ok())
        .unwrap_or(SSH_PORT)
}

/// The accounts that `Match` lines name: those of a group are its members.
fn named(tree: &Tree) -> Vec<String> {
    let criteria = tree.conditions().iter().flat_map(|it| &it.criteria);
    criteria.flat_map(named_by).collect()
}

fn named_by(criterion: &Criterion) -> Vec<String> {
    let exists = |name: &String| matches!(Account::find(name), Ok(Some(_)));
    match criterion {
        Criterion::User(list) => {
            let names = list.literals().map(str::to_owned);
            names.filter(exists).collect()
        }
        Criterion::Group(list) => {
            let members = list.literals().flat_map(members_of);
            members.filter(exists).take(MAX_MEMBERS).collect()
        }
        _ => Vec::new(),
    }
}

/// Accounts of `/etc/passwd`: a pattern, or a block for all but some, may single one out without naming it.
fn local() -> Vec<String> {
    let accounts = Account::local().unwrap_or_default();
    let names = accounts.into_iter().map(|account| account.name);
    names.take(MAX_LOCAL).collect()
}

/// An address of nobody's (RFC 5737), for logins from no place in particular.
pub const SOMEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const ROOT: &str = "root";
const SSH_PORT: u16 = 22;
/// Logins up to which sshd is asked about each.
const MAX_SINGLY: usize = 32;
/// Classes that sshd is asked about, at some milliseconds each.
const MAX_CLASSES: usize = 200;
/// Members of one group that are asked about.
const MAX_MEMBERS: usize = 16;
/// Local accounts whose class is looked at.
const MAX_LOCAL: usize = 1_000;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use keyroster_sshd::Binary;
    use keyroster_testkit::Sshd as Running;

    use super::*;

    fn answers(config: &str, granted: &[String]) -> Answers {
        let running = Running::builder().config(config).start().unwrap();
        let config = running.dir().join("sshd_config");
        let sshd = Sshd::new(Binary::at(Path::new("/usr/sbin/sshd")).unwrap(), &config);
        let tree = Tree::read(&config).unwrap();
        ask(&sshd, &tree, granted, &[]).unwrap()
    }

    fn many(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("keyroster-n{n}")).collect()
    }

    #[test]
    fn whatever_is_granted_is_asked_about_by_its_class() {
        let config =
            "Match User keyroster-n77*\nBanner none\nMatch User keyroster-n1999\nBanner /b\n";
        let found = answers(config, &many(2_000));
        assert_eq!(found.unasked, 0);
        let of = |banner: &str| {
            let logins = found.logins.iter();
            let said = logins.filter(|it| it.effective.first("Banner") == Some(banner));
            said.map(|it| it.login.user.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of("/b"), ["keyroster-n1999"]);
        let granted = found.logins.iter().filter(|it| it.why == Why::Granted);
        assert_eq!(granted.count(), 2_000);
        let questions: BTreeSet<*const Effective> = found
            .logins
            .iter()
            .map(|asked| Arc::as_ptr(&asked.effective))
            .collect();
        assert_eq!(questions.len(), 3);
    }

    #[test]
    fn a_block_for_all_but_those_who_are_granted_is_asked_about_too() {
        let config = "Match User *,!root,!keyroster-n0\nBanner /others\n";
        let found = answers(config, &many(1));
        let others: Vec<_> = found
            .logins
            .iter()
            .filter(|it| it.effective.first("Banner") == Some("/others"))
            .collect();
        assert_eq!(others.len(), 1, "{others:?}");
        assert_eq!(others[0].why, Why::Matched);
    }

    #[test]
    fn beyond_the_classes_that_are_asked_about_the_granted_accounts_are_counted() {
        let blocks =
            (0..MAX_CLASSES + 5).map(|n| format!("Match User keyroster-n{n}\nBanner /{n}\n"));
        let found = answers(&blocks.collect::<String>(), &many(MAX_CLASSES + 5));
        // Root has a class of its own.
        assert_eq!(found.unasked, 6);
    }
}
