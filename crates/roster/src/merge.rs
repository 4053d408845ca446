//! Several grants for one key and account: the most restrictive reading wins.
//!
//! All grants are read at once and part by part, not pair by pair, so that neither what comes out nor which conflict is
//! named depends on their order. `docs/roster.md` writes the rule down for people; the properties at the bottom hold it.

use std::collections::BTreeSet;
use std::fmt;

use crate::environment::Environment;
use crate::forward::ForwardList;
use crate::options::{GrantOptions, Permission};
use crate::{FromList, Grant};

/// How a login may be used and where it may come from: what all grants that let it in agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// How it may be used.
    pub options: GrantOptions,
    /// Where it may come from; anywhere if nothing is said.
    pub from: Option<FromList>,
}

/// What grants can't agree on. There is no line that obeys all of them, so there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// No address is in the ranges of all of them.
    From,
    /// They force different commands.
    Command,
    /// They give different values to one environment variable.
    Environment {
        /// The variable.
        name: Box<str>,
    },
    /// They hold the login to different tunnel devices.
    Tunnel,
}

/// One grant's terms, or those that came out of an earlier merge.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    options: &'a GrantOptions,
    from: Option<&'a FromList>,
}

/// Merges the terms of grants that all hold; what it takes apart from the others is that there is at least one.
pub(crate) fn merge(first: Part<'_>, rest: &[Part<'_>]) -> Result<Terms, Conflict> {
    let all = || std::iter::once(&first).chain(rest);
    let from =
        meet(all().filter_map(|part| part.from), FromList::intersect).ok_or(Conflict::From)?;
    let command =
        one_of(all().filter_map(|part| part.options.command.as_ref())).ok_or(Conflict::Command)?;
    let environment = Environment::union(all().map(|part| &part.options.environment))
        .map_err(|name| Conflict::Environment { name })?;
    let tunnel =
        one_of(all().filter_map(|part| part.options.tunnel.as_ref())).ok_or(Conflict::Tunnel)?;

    let allowed_by_all =
        |permission: &Permission| rest.iter().all(|part| part.options.allows(*permission));
    let mut permissions: BTreeSet<Permission> = first
        .options
        .permissions
        .iter()
        .copied()
        .filter(allowed_by_all)
        .collect();
    let permit_open = meet(
        all().filter_map(|part| part.options.permit_open.as_ref()),
        ForwardList::intersect,
    );
    let permit_listen = meet(
        all().filter_map(|part| part.options.permit_listen.as_ref()),
        ForwardList::intersect,
    );
    if permit_open.is_none() || permit_listen.is_none() {
        permissions.remove(&Permission::PortForwarding);
    }
    let forwarding = permissions.contains(&Permission::PortForwarding);
    let options = GrantOptions {
        permissions,
        permit_open: permit_open.flatten().filter(|_| forwarding),
        permit_listen: permit_listen.flatten().filter(|_| forwarding),
        environment,
        tunnel,
        verify_required: all().any(|part| part.options.verify_required),
        command,
    };
    Ok(Terms { options, from })
}

impl<'a> From<&'a Grant> for Part<'a> {
    fn from(grant: &'a Grant) -> Self {
        Self {
            options: &grant.options,
            from: grant.from.as_ref(),
        }
    }
}

impl<'a> From<&'a Terms> for Part<'a> {
    fn from(terms: &'a Terms) -> Self {
        Self {
            options: &terms.options,
            from: terms.from.as_ref(),
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From => f.write_str("no address is in the ranges of all of them"),
            Self::Command => f.write_str("they force different commands"),
            Self::Environment { name } => {
                write!(f, "they give different values to the variable \"{name}\"")
            }
            Self::Tunnel => f.write_str("they name different tunnel devices"),
        }
    }
}

/// What all sets have in common: `Some(None)` of no sets at all, for then nothing is limited, and `None` where they have
/// nothing in common.
fn meet<'a, T: Clone + 'a>(
    mut sets: impl Iterator<Item = &'a T>,
    intersect: impl Fn(&T, &T) -> Option<T>,
) -> Option<Option<T>> {
    let Some(first) = sets.next() else {
        return Some(None);
    };
    sets.try_fold(first.clone(), |met, set| intersect(&met, set))
        .map(Some)
}

/// The one value that is given: `Some(None)` where none is, `None` where two differ.
fn one_of<'a, T: Clone + PartialEq + 'a>(
    mut values: impl Iterator<Item = &'a T>,
) -> Option<Option<T>> {
    let Some(first) = values.next() else {
        return Some(None);
    };
    values
        .all(|value| value == first)
        .then(|| Some(first.clone()))
}

#[cfg(test)]
mod tests;
