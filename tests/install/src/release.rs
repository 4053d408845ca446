//! The systems that packages are tried on.

use std::fmt;
use std::str::FromStr;

use keyroster_testkit::Failure;

/// A release of Debian: each has another OpenSSH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// bullseye, with OpenSSH 8.4 and systemd 247: the oldest that there are packages for.
    Debian11,
    /// bookworm, with OpenSSH 9.2.
    Debian12,
    /// trixie, with OpenSSH 10.0, and a key command of its own: `20-systemd-userdb.conf`.
    Debian13,
}

impl Release {
    /// The name that archives know it by.
    pub fn suite(self) -> &'static str {
        match self {
            Self::Debian11 => "bullseye",
            Self::Debian12 => "bookworm",
            Self::Debian13 => "trixie",
        }
    }

    /// What its sshd says of itself.
    pub fn openssh(self) -> &'static str {
        match self {
            Self::Debian11 => "8.4p1",
            Self::Debian12 => "9.2p1",
            Self::Debian13 => "10.0p",
        }
    }
}

/// What one column of the matrix is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    /// A release of Debian, and the .deb.
    Debian(Release),
    /// The .rpm, through the real `rpm`. Debian's own, for there is no other that its archive could give us a root with.
    Rpm,
}

impl System {
    /// Those of the table, in its order.
    pub const ALL: [Self; 4] = [
        Self::Debian(Release::Debian11),
        Self::Debian(Release::Debian12),
        Self::Debian(Release::Debian13),
        Self::Rpm,
    ];

    /// Its name on the command line and in paths.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debian(Release::Debian11) => "debian-11",
            Self::Debian(Release::Debian12) => "debian-12",
            Self::Debian(Release::Debian13) => "debian-13",
            Self::Rpm => "rpm",
        }
    }

    /// The release that its root is made of.
    pub fn release(self) -> Release {
        match self {
            Self::Debian(release) => release,
            Self::Rpm => Release::Debian12,
        }
    }

    /// The packages that its root has beyond the smallest Debian that boots and runs an sshd.
    pub fn more_packages(self) -> &'static [&'static str] {
        match self {
            Self::Debian(Release::Debian13) => &["systemd-userdbd"],
            Self::Debian(_) => &[],
            Self::Rpm => &["rpm"],
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for System {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let known = Self::ALL.into_iter().find(|system| system.name() == text);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Failure::new(format!("no system of this name\nhint: one of {names}"))
        })
    }
}
