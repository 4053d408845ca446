//! What sshd does for the logins that matter: its effective configuration, and where it stands.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keyroster_sshd::check::Verdict;
use keyroster_sshd::service::Listener;
use keyroster_sshd::tree::{Login, Setting, Tree};
use keyroster_sshd::{Binary, Effective, Sshd, Version};

use crate::doctor::facts::logins::{self, Answers, SOMEWHERE};
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
    /// Granted accounts that it was not asked about, nor about their like.
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
    /// A `Match` block names it, or sets it apart.
    Matched,
    /// It has a break-glass file.
    BreakGlass,
    /// It is an account of this host's own.
    Local,
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
    /// Where break-glass files are.
    pub break_glass: PathBuf,
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
    let answers = match &broken {
        None => {
            let more = super::locals::of_interest(&tree, &subject.break_glass)?;
            logins::ask(&sshd, &tree, &subject.granted, &more)?
        }
        Some(_) => Answers::default(),
    };
    Ok(SshdFacts {
        version,
        program,
        config: subject.config.clone(),
        listens: listener.is_some() || super::system::listens_for_sshd(),
        unasked: answers.unasked,
        broken,
        tree,
        logins: answers.logins,
    })
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
    let mut seen = BTreeSet::new();
    let logins = asked
        .iter()
        .map(|it| (it.login.user.as_str(), it.login.addr));
    let mut names: Vec<String> = logins
        .filter(|login| seen.insert(*login))
        .map(|(user, addr)| match addr {
            SOMEWHERE => format!("\"{user}\""),
            addr => format!("\"{user}\" from {addr}"),
        })
        .collect();
    let more = names.len().saturating_sub(MAX_NAMES);
    names.truncate(MAX_NAMES);
    match more {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// Names in one finding.
const MAX_NAMES: usize = 4;
