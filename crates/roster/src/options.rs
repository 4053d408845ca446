use std::collections::BTreeSet;
use std::fmt;

use crate::ModelError;
use crate::command::ForcedCommand;
use crate::environment::Environment;
use crate::forward::{Forward, ForwardList};

/// How a login through a grant may be used.
///
/// Not the options of a line: a grant says what it opens, on top of `restrict`, and the line is made from what all grants
/// for one key and account agree on. `from` stands in the grant itself, because it is asked of the address and not of the
/// session. Built from texts only, so that no combination exists that [`GrantOptions::texts`] could not write down.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GrantOptions {
    pub(crate) permissions: BTreeSet<Permission>,
    pub(crate) permit_open: Option<ForwardList>,
    pub(crate) permit_listen: Option<ForwardList>,
    pub(crate) environment: Environment,
    pub(crate) tunnel: Option<Tunnel>,
    pub(crate) verify_required: bool,
    pub(crate) command: Option<ForcedCommand>,
}

/// Something that a login may do only where every grant that lets it in says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Use a terminal.
    Pty,
    /// Forward ports, both ways.
    PortForwarding,
    /// Forward the connection to an ssh-agent.
    AgentForwarding,
    /// Forward X11.
    X11Forwarding,
    /// Run the account's `~/.ssh/rc`.
    UserRc,
    /// Use a FIDO key without touching it.
    NoTouch,
}

/// The tunnel device that a login is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunnel {
    /// The next free one.
    Any,
    /// The one with this number.
    Device(u32),
}

impl GrantOptions {
    /// Reads options such as `port-forwarding` or `permitopen=db:5432`, and the forced command.
    ///
    /// Where nothing is said about it, a login has a terminal, and one with a forced command has none.
    pub fn parse<'a>(
        texts: impl IntoIterator<Item = &'a str>,
        command: Option<&str>,
    ) -> Result<Self, ModelError> {
        let command = command.map(ForcedCommand::parse).transpose()?;
        let mut reader = Reader::default();
        for (at, text) in texts.into_iter().enumerate() {
            if at >= MAX_OPTIONS {
                return Err(ModelError::TooMany {
                    what: "list of options",
                    count: at + 1,
                    max: MAX_OPTIONS,
                });
            }
            reader.read(text)?;
        }
        reader.finish(command)
    }

    /// The options as texts that [`GrantOptions::parse`] reads back to the same, in one order. The command stands apart.
    ///
    /// Whether there is a terminal is always said, so that a grant in a database keeps its meaning if the default changes.
    pub fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        for (permission, on, off) in PERMISSIONS {
            if self.allows(permission) {
                texts.push(on.to_owned());
            } else if permission == Permission::Pty {
                texts.push(off.to_owned());
            }
        }
        let forwards = |list: &Option<ForwardList>, name: &str| {
            let forwards = list.iter().flat_map(ForwardList::forwards);
            forwards
                .map(|forward| format!("{name}={forward}"))
                .collect::<Vec<_>>()
        };
        texts.extend(forwards(&self.permit_open, "permitopen"));
        texts.extend(forwards(&self.permit_listen, "permitlisten"));
        texts.extend(
            self.environment
                .iter()
                .map(|(name, value)| format!("environment={name}={value}")),
        );
        texts.extend(self.tunnel.map(|tunnel| format!("tunnel={tunnel}")));
        texts.extend(self.verify_required.then(|| VERIFY_REQUIRED.to_owned()));
        texts
    }

    /// Whether the options open something.
    pub fn allows(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// What forwarded connections are limited to, if they are.
    pub const fn permit_open(&self) -> Option<&ForwardList> {
        self.permit_open.as_ref()
    }

    /// What forwarded listeners are limited to, if they are.
    pub const fn permit_listen(&self) -> Option<&ForwardList> {
        self.permit_listen.as_ref()
    }

    /// The variables that the login gets.
    pub const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The tunnel device that the login is held to, if it is.
    pub const fn tunnel(&self) -> Option<Tunnel> {
        self.tunnel
    }

    /// Whether a FIDO key must have verified its user, by PIN or biometrics.
    pub const fn verify_required(&self) -> bool {
        self.verify_required
    }

    /// The forced command, if there is one.
    pub const fn command(&self) -> Option<&ForcedCommand> {
        self.command.as_ref()
    }
}

impl Default for GrantOptions {
    /// A session with a terminal, and nothing else.
    fn default() -> Self {
        Self {
            permissions: BTreeSet::from([Permission::Pty]),
            permit_open: None,
            permit_listen: None,
            environment: Environment::default(),
            tunnel: None,
            verify_required: false,
            command: None,
        }
    }
}

impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Device(number) => write!(f, "{number}"),
        }
    }
}

/// What has been read so far; each flag says what was said about it, so that nothing is said twice.
#[derive(Default)]
struct Reader {
    said: Vec<(Permission, bool)>,
    verify: Option<bool>,
    open: Vec<Forward>,
    listen: Vec<Forward>,
    environment: Environment,
    tunnel: Option<Tunnel>,
}

impl Reader {
    fn read(&mut self, text: &str) -> Result<(), ModelError> {
        match text.split_once('=') {
            Some((name, value)) => self.read_value(name, value),
            None => self.read_flag(text),
        }
    }

    fn read_flag(&mut self, name: &str) -> Result<(), ModelError> {
        let permission = PERMISSIONS.into_iter().find_map(|(permission, on, off)| {
            let on = name.eq_ignore_ascii_case(on);
            (on || name.eq_ignore_ascii_case(off)).then_some((permission, on))
        });
        let twice = if let Some((permission, on)) = permission {
            let twice = self.said.iter().any(|(said, _)| *said == permission);
            self.said.push((permission, on));
            twice
        } else if name.eq_ignore_ascii_case(VERIFY_REQUIRED) {
            self.verify.replace(true).is_some()
        } else if name.eq_ignore_ascii_case(NO_VERIFY_REQUIRED) {
            self.verify.replace(false).is_some()
        } else {
            return Err(refused(name, why_not_in_a_grant(name)));
        };
        if twice {
            Err(refused(
                name,
                "it is said twice, or once with and once without \"no-\"",
            ))
        } else {
            Ok(())
        }
    }

    fn read_value(&mut self, name: &str, value: &str) -> Result<(), ModelError> {
        let value = &*unquoted(value).ok_or_else(|| refused(name, "the quotes do not match"))?;
        match name.to_ascii_lowercase().as_str() {
            "permitopen" => self.open.push(Forward::parse(value)?),
            "permitlisten" => self.listen.push(Forward::parse_listen(value)?),
            "environment" => self.environment.add(value)?,
            "tunnel" => {
                let tunnel = tunnel(value)
                    .ok_or_else(|| refused(name, "write the number of a device, or \"any\""))?;
                if self.tunnel.replace(tunnel).is_some() {
                    return Err(refused(name, "it is said twice"));
                }
            }
            _ => return Err(refused(name, why_not_in_a_grant(name))),
        }
        Ok(())
    }

    fn finish(self, command: Option<ForcedCommand>) -> Result<GrantOptions, ModelError> {
        let mut permissions: BTreeSet<Permission> = command
            .is_none()
            .then_some(Permission::Pty)
            .into_iter()
            .collect();
        for (permission, on) in self.said {
            let _ = if on {
                permissions.insert(permission)
            } else {
                permissions.remove(&permission)
            };
        }
        let permit_open = ForwardList::new(self.open)?;
        let permit_listen = ForwardList::new(self.listen)?;
        let limited = permit_open.is_some() || permit_listen.is_some();
        if limited && !permissions.contains(&Permission::PortForwarding) {
            return Err(refused(
                "permitopen",
                "a limit on forwarding needs the option \"port-forwarding\" too",
            ));
        }
        Ok(GrantOptions {
            permissions,
            permit_open,
            permit_listen,
            environment: self.environment,
            tunnel: self.tunnel,
            verify_required: self.verify.unwrap_or(false),
            command,
        })
    }
}

fn refused(option: &str, rule: &'static str) -> ModelError {
    ModelError::Option {
        option: option.into(),
        rule,
    }
}

/// The rule that keeps an option out of grants; names that sshd knows get a reason of their own.
fn why_not_in_a_grant(name: &str) -> &'static str {
    match name.to_ascii_lowercase().as_str() {
        "restrict" => "every grant is restricted; name only what it opens",
        "command" => "the forced command is given apart, with --command",
        "from" => "addresses are given apart, with --from",
        "expiry-time" => "a grant ends with --until",
        "cert-authority" | "principals" => {
            "a grant is for plain keys, never for a certificate authority"
        }
        "permitopen" | "permitlisten" | "environment" | "tunnel" => {
            "it needs a value, as in NAME=VALUE"
        }
        other
            if PERMISSIONS.iter().any(|(_, on, off)| {
                other.eq_ignore_ascii_case(on) || other.eq_ignore_ascii_case(off)
            }) =>
        {
            "it takes no value"
        }
        VERIFY_REQUIRED | NO_VERIFY_REQUIRED => "it takes no value",
        _ => "sshd knows no such option",
    }
}

/// Takes the quotes off a value that was written as in a line.
fn unquoted(value: &str) -> Option<String> {
    let Some(rest) = value.strip_prefix('"') else {
        return Some(value.to_owned());
    };
    let inner = rest.strip_suffix('"')?;
    let escaped = inner.replace("\\\"", "\0");
    (!escaped.contains('"') && !escaped.ends_with('\\')).then(|| escaped.replace('\0', "\""))
}

fn tunnel(value: &str) -> Option<Tunnel> {
    if value == "any" {
        return Some(Tunnel::Any);
    }
    let plain =
        value.bytes().all(|b| b.is_ascii_digit()) && (value == "0" || !value.starts_with('0'));
    value
        .parse()
        .ok()
        .filter(|number| plain && *number <= MAX_TUNNEL_DEVICE)
        .map(Tunnel::Device)
}

/// Options in one grant.
pub const MAX_OPTIONS: usize = 192;

/// The highest tunnel device that sshd counts to: its `SSH_TUNID_MAX`.
pub const MAX_TUNNEL_DEVICE: u32 = 0x7fff_fffd;

/// Each permission, how it is given, and how it is withheld, in the order of a line.
const PERMISSIONS: [(Permission, &str, &str); 6] = [
    (Permission::Pty, "pty", "no-pty"),
    (
        Permission::PortForwarding,
        "port-forwarding",
        "no-port-forwarding",
    ),
    (
        Permission::AgentForwarding,
        "agent-forwarding",
        "no-agent-forwarding",
    ),
    (
        Permission::X11Forwarding,
        "X11-forwarding",
        "no-X11-forwarding",
    ),
    (Permission::UserRc, "user-rc", "no-user-rc"),
    (Permission::NoTouch, "no-touch-required", "touch-required"),
];

const VERIFY_REQUIRED: &str = "verify-required";
const NO_VERIFY_REQUIRED: &str = "no-verify-required";

#[cfg(test)]
mod tests;
