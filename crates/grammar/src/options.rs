//! Key options as a typed tree, and the one way in which they are printed.
//!
//! The tree holds what the options *mean*, not how they stood: sshd reads them from left to right, so `pty,restrict` has
//! no pty and `restrict,pty` has one, and both become the same kind of tree with another [`Permissions::pty`]. Two trees
//! are equal when sshd treats their lines alike, which is what lets grants be merged and lines be compared.

use std::fmt;

use crate::error::{OptionError, OptionReason};
use crate::expiry::CivilTime;
use crate::from::FromPatterns;
use crate::options_parse;
use crate::permit::Permit;
use crate::value::OptionValue;

/// What a line lets its key do. The default is what a line without options means: everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeyOptions {
    /// `restrict`: all restrictions of today, and those that a later sshd adds.
    pub restrict: bool,
    /// What is permitted after all flags.
    pub permissions: Permissions,
    /// `cert-authority`: the key signs certificates and does not log in itself.
    pub cert_authority: bool,
    /// `principals=`: which principals such a certificate must have one of. Only with `cert_authority`.
    pub principals: Option<OptionValue>,
    /// `from=`: where a login may come from.
    pub from: Option<FromPatterns>,
    /// `command=`: what is run instead of what was asked for.
    pub command: Option<OptionValue>,
    /// `environment=`: what is set for the login, if the host permits it.
    pub environment: Vec<EnvironmentSetting>,
    /// `permitopen=`: where port forwarding may lead to. Empty means anywhere.
    pub permit_open: Vec<Permit>,
    /// `permitlisten=`: where port forwarding may listen. Empty means anywhere.
    pub permit_listen: Vec<Permit>,
    /// `tunnel=`: the one tunnel device that may be used.
    pub tunnel: Option<Tunnel>,
    /// `expiry-time=` in UTC: the earliest one.
    pub expiry_utc: Option<CivilTime>,
    /// `expiry-time=` in the local time of the host: the earliest one.
    pub expiry_local: Option<CivilTime>,
    /// `no-touch-required`: a security key need not be touched.
    pub no_touch_required: bool,
    /// `verify-required`: a security key must verify its owner, by PIN or finger.
    pub verify_required: bool,
}

/// The five permissions that flags give and take. The default is all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Permissions {
    /// Port forwarding.
    pub port_forwarding: bool,
    /// Forwarding of the authentication agent.
    pub agent_forwarding: bool,
    /// X11 forwarding.
    pub x11_forwarding: bool,
    /// A terminal.
    pub pty: bool,
    /// Execution of `~/.ssh/rc`.
    pub user_rc: bool,
}

/// `environment="NAME=value"`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvironmentSetting {
    name: String,
    value: OptionValue,
}

/// `tunnel="n"` or `tunnel="any"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunnel {
    /// Any device.
    Any,
    /// The device of this number.
    Device(u32),
}

impl KeyOptions {
    /// Reads options as they stand before a key, without the key. Empty text means no options.
    ///
    /// # Errors
    /// When sshd would ignore a line with them, or when they can't be printed again.
    pub fn parse(text: &str) -> Result<Self, OptionError> {
        options_parse::parse_all(text.as_bytes())
    }

    /// `restrict` alone: nothing is permitted but the login itself.
    #[must_use]
    pub fn restricted() -> Self {
        Self {
            restrict: true,
            permissions: Permissions::NONE,
            ..Self::default()
        }
    }

    /// Prints the options, without blanks outside of quotes; empty when there are none.
    ///
    /// `restrict` first, then what differs from it; without `restrict`, what is taken away.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = Vec::new();
        self.render_flags(&mut out);
        self.render_values(&mut out);
        out.join(",")
    }

    fn render_flags(&self, out: &mut Vec<String>) {
        if self.restrict {
            out.push("restrict".to_owned());
        }
        for (name, permitted) in self.permissions.named() {
            match (self.restrict, permitted) {
                (true, true) => out.push(name.to_owned()),
                (false, false) => out.push(format!("no-{name}")),
                _ => {}
            }
        }
        for (flag, set) in [
            ("no-touch-required", self.no_touch_required),
            ("verify-required", self.verify_required),
            ("cert-authority", self.cert_authority),
        ] {
            if set {
                out.push(flag.to_owned());
            }
        }
    }

    fn render_values(&self, out: &mut Vec<String>) {
        out.extend(
            self.principals
                .iter()
                .map(|value| format!("principals={value}")),
        );
        out.extend(self.from.iter().map(|value| format!("from={value}")));
        out.extend(self.command.iter().map(|value| format!("command={value}")));
        out.extend(
            self.environment
                .iter()
                .map(|setting| format!("environment={}", quoted(setting))),
        );
        out.extend(
            self.permit_open
                .iter()
                .map(|permit| format!("permitopen={}", quoted(permit))),
        );
        out.extend(
            self.permit_listen
                .iter()
                .map(|permit| format!("permitlisten={}", quoted(permit))),
        );
        out.extend(
            self.tunnel
                .iter()
                .map(|tunnel| format!("tunnel=\"{tunnel}\"")),
        );
        out.extend(
            self.expiry_utc
                .iter()
                .map(|time| format!("expiry-time=\"{time}Z\"")),
        );
        out.extend(
            self.expiry_local
                .iter()
                .map(|time| format!("expiry-time=\"{time}\"")),
        );
    }
}

impl Permissions {
    /// Everything.
    pub const ALL: Self = Self {
        port_forwarding: true,
        agent_forwarding: true,
        x11_forwarding: true,
        pty: true,
        user_rc: true,
    };

    /// Nothing.
    pub const NONE: Self = Self {
        port_forwarding: false,
        agent_forwarding: false,
        x11_forwarding: false,
        pty: false,
        user_rc: false,
    };

    /// The name of each flag, and whether it is permitted.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, bool); 5] {
        [
            ("port-forwarding", self.port_forwarding),
            ("agent-forwarding", self.agent_forwarding),
            ("X11-forwarding", self.x11_forwarding),
            ("pty", self.pty),
            ("user-rc", self.user_rc),
        ]
    }
}

impl Default for Permissions {
    fn default() -> Self {
        Self::ALL
    }
}

impl EnvironmentSetting {
    /// Reads `NAME=value`.
    ///
    /// # Errors
    /// When there is no `=`, the name is empty or has other characters than letters, digits and `_`, or the value can't be
    /// written between quotes.
    pub fn parse(text: &str) -> Result<Self, OptionReason> {
        let (name, value) = text.split_once('=').ok_or(OptionReason::BadEnvironment)?;
        if name.is_empty()
            || !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            return Err(OptionReason::BadEnvironment);
        }
        Ok(Self {
            name: name.to_owned(),
            value: OptionValue::parse(value)?,
        })
    }

    /// The variable.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is set to.
    #[must_use]
    pub fn value(&self) -> &str {
        self.value.as_str()
    }
}

impl fmt::Display for EnvironmentSetting {
    /// Writes `NAME=value` without quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value.as_str())
    }
}

impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Device(number) => number.fmt(f),
        }
    }
}

impl fmt::Display for KeyOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render())
    }
}

/// What sshd reads as this text. Only for texts whose types keep out what can't be written.
fn quoted(text: &impl fmt::Display) -> String {
    format!("\"{}\"", text.to_string().replace('"', "\\\""))
}
