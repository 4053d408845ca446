//! The two systems of mandatory access control that a kernel can run.

use std::fmt;
use std::str::FromStr;

use keyroster_testkit::Failure;

/// Which of them a machine boots with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// SELinux with Debian's targeted policy, enforcing.
    SeLinux,
    /// AppArmor, which is what Debian's kernel starts unless it is told otherwise.
    AppArmor,
}

impl Control {
    /// In the order of the table.
    pub const ALL: [Self; 2] = [Self::SeLinux, Self::AppArmor];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::SeLinux => "selinux",
            Self::AppArmor => "apparmor",
        }
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::SeLinux => "SELinux",
            Self::AppArmor => "AppArmor",
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Control {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let known = Self::ALL.into_iter().find(|control| control.name() == text);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Failure::new(format!("no system of this name\nhint: one of {names}"))
        })
    }
}
