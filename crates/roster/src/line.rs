//! The one line that a permitted key gets.

use keyroster_keys::line::{
    AuthorizedKey, Comment, EnvironmentSetting, FromPatterns, KeyOptions, LineKey, OptionReason,
    OptionValue, Permissions, Permit as LinePermit, RenderError, Tunnel as LineTunnel,
};
use keyroster_keys::{KeyBlob, UserName};

use crate::forward::{Forward, ForwardList};
use crate::merge::Terms;
use crate::options::{GrantOptions, Permission, Tunnel};
use crate::{DenyReason, GrantId, Timestamp};

/// What a key that may log in gets. Made only by a decision, so that its line is one that was read back and found equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    pub(crate) line: WrittenLine,
    pub(crate) terms: Terms,
    pub(crate) grants: Vec<GrantId>,
    pub(crate) valid_until: Option<Timestamp>,
}

impl Permit {
    /// The line as a tree.
    pub const fn line(&self) -> &AuthorizedKey {
        &self.line.tree
    }

    /// The line as sshd gets it, without a line feed.
    pub fn text(&self) -> &str {
        &self.line.text
    }

    /// How the login may be used and where it may come from.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The grants that allow it, the oldest first; never empty.
    pub fn grants(&self) -> &[GrantId] {
        &self.grants
    }

    /// The first later moment at which the decision may be another one; `None` if no such moment is known.
    pub const fn valid_until(&self) -> Option<Timestamp> {
        self.valid_until
    }
}

/// A line and its text, which read back is the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrittenLine {
    tree: AuthorizedKey,
    text: String,
}

/// Writes the line of a key: `restrict,<options> <algorithm> <base64> keyroster:<user>:<grant>`.
pub(crate) fn write(
    blob: &KeyBlob,
    user: &UserName,
    grant: &GrantId,
    terms: &Terms,
) -> Result<WrittenLine, DenyReason> {
    let key = LineKey::parse(blob.algorithm().as_str(), blob.base64())
        .map_err(|_| DenyReason::LineUnwritable)?;
    let comment = Comment::parse(&format!("keyroster:{user}:{grant}"))
        .map_err(|_| DenyReason::LineUnwritable)?;
    let tree = AuthorizedKey {
        options: key_options(terms).map_err(|_| DenyReason::LineUnwritable)?,
        key,
        comment,
    };
    let text = tree.render().map_err(|error| match error {
        RenderError::TooLong => DenyReason::LineTooLong,
        _ => DenyReason::LineUnwritable,
    })?;
    Ok(WrittenLine { tree, text })
}

/// The options of a line. All that is not said here is shut by `restrict`.
fn key_options(terms: &Terms) -> Result<KeyOptions, OptionReason> {
    let options = &terms.options;
    let value = |text: &str| OptionValue::parse(text);
    Ok(KeyOptions {
        permissions: permissions(options),
        from: terms
            .from
            .as_ref()
            .map(|from| FromPatterns::parse(&from.to_string()))
            .transpose()?,
        command: options
            .command()
            .map(|command| value(command.as_str()))
            .transpose()?,
        environment: options
            .environment()
            .iter()
            .map(|(name, value)| EnvironmentSetting::parse(&format!("{name}={value}")))
            .collect::<Result<_, _>>()?,
        permit_open: permits(options.permit_open())?,
        permit_listen: permits(options.permit_listen())?,
        tunnel: options.tunnel().map(|tunnel| match tunnel {
            Tunnel::Any => LineTunnel::Any,
            Tunnel::Device(number) => LineTunnel::Device(number),
        }),
        no_touch_required: options.allows(Permission::NoTouch),
        verify_required: options.verify_required(),
        ..KeyOptions::restricted()
    })
}

fn permissions(options: &GrantOptions) -> Permissions {
    Permissions {
        port_forwarding: options.allows(Permission::PortForwarding),
        agent_forwarding: options.allows(Permission::AgentForwarding),
        x11_forwarding: options.allows(Permission::X11Forwarding),
        pty: options.allows(Permission::Pty),
        user_rc: options.allows(Permission::UserRc),
    }
}

fn permits(list: Option<&ForwardList>) -> Result<Vec<LinePermit>, OptionReason> {
    let forwards = list.map_or(&[][..], ForwardList::forwards);
    forwards
        .iter()
        .map(Forward::to_string)
        .map(|text| LinePermit::parse_open(&text))
        .collect()
}

#[cfg(test)]
mod tests;
