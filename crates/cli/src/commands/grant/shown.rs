//! Grants as people read them. A grant names its host by id, which says nothing to people, so names are looked up.

use std::collections::HashMap;

use keyroster_api::grant::{EffectText, GrantView};
use keyroster_api::host::HostView;
use keyroster_api::time;

use crate::span::moment_text;
use crate::table::Table;

/// The names of hosts by their ids.
#[derive(Debug, Clone, Default)]
pub(super) struct HostNames(HashMap<String, String>);

impl HostNames {
    pub(super) fn of(hosts: &[HostView]) -> Self {
        Self(
            hosts
                .iter()
                .map(|host| (host.id.clone(), host.name.clone()))
                .collect(),
        )
    }

    /// The name, or the id itself for a host that the key server no longer lists.
    fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.0.get(id).map_or(id, String::as_str)
    }
}

pub(super) fn list(grants: &[GrantView], names: &HostNames) -> Table {
    let mut table = Table::list(&["ID", "EFFECT", "FOR", "ACCOUNT", "ON", "UNTIL", "STATE"]);
    for grant in grants {
        table.row([
            grant.id.as_str(),
            effect(grant),
            &subject(grant),
            &grant.account,
            &target(grant, names),
            &moment_text(grant.until),
            &grant.state,
        ]);
    }
    table
}

pub(super) fn object(grant: &GrantView, names: &HostNames) -> Table {
    let mut table = Table::object();
    table
        .row(["id", &grant.id])
        .row(["effect", effect(grant)])
        .row(["for", &subject(grant)])
        .row(["account", &grant.account])
        .row(["on", &target(grant, names)]);
    for range in &grant.from {
        table.row(["from", range]);
    }
    if let Some(command) = &grant.command {
        table.row(["command", command]);
    }
    for option in &grant.options {
        table.row(["option", option]);
    }
    if grant.not_before.is_some() {
        table.row(["not before", &moment_text(grant.not_before)]);
    }
    table.row(["until", &moment_text(grant.until)]);
    if let Some(reason) = &grant.reason {
        table.row(["reason", reason]);
    }
    table
        .row([
            "added",
            &format!(
                "{} by {}",
                time::to_rfc3339(grant.created_at),
                grant.created_by
            ),
        ])
        .row(["state", &grant.state]);
    if grant.revoked_at.is_some() {
        table.row(["revoked", &moment_text(grant.revoked_at)]);
    }
    table
}

const fn effect(grant: &GrantView) -> &'static str {
    match grant.effect {
        EffectText::Allow => "allow",
        EffectText::Deny => "deny",
    }
}

fn subject(grant: &GrantView) -> String {
    match (&grant.user, &grant.group) {
        (Some(user), _) => format!("user {user}"),
        (None, Some(group)) => format!("group {group}"),
        (None, None) => String::from("-"),
    }
}

fn target(grant: &GrantView, names: &HostNames) -> String {
    match (&grant.host, &grant.host_group) {
        (Some(id), _) => format!("host {}", names.name(id)),
        (None, Some(group)) => format!("host group {group}"),
        (None, None) => String::from("-"),
    }
}
