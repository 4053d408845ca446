//! Grants: who may log in to which account on which hosts, when and how.

use keyroster_roster::{Effect, Grant, GrantState, Subject, Target, Timestamp};
use serde::{Deserialize, Serialize};

use crate::time;

/// A grant as the key server tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GrantView {
    /// The grant's id, a UUID.
    pub id: String,
    /// `allow` or `deny`.
    pub effect: EffectText,
    /// The user, when it is for one.
    pub user: Option<String>,
    /// The group of users, when it is for one.
    pub group: Option<String>,
    /// The Unix account.
    pub account: String,
    /// The id of the host, when it is on one.
    pub host: Option<String>,
    /// The host group, when it is on one.
    pub host_group: Option<String>,
    /// Client addresses from which it holds; empty means anywhere.
    pub from: Vec<String>,
    /// The forced command.
    pub command: Option<String>,
    /// Key options beside `restrict`, canonical.
    pub options: Vec<String>,
    /// From when it holds.
    #[serde(with = "time::optional", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub not_before: Option<Timestamp>,
    /// Until when it holds.
    #[serde(with = "time::optional", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub until: Option<Timestamp>,
    /// Why it was given.
    pub reason: Option<String>,
    /// Who gave it.
    pub created_by: String,
    /// When it was given.
    #[serde(with = "time::required")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// `active` or `revoked`.
    pub state: String,
    /// When it was revoked; null while it is active.
    #[serde(with = "time::optional", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub revoked_at: Option<Timestamp>,
}

/// `POST /v1/grants`. Exactly one of `user` and `group`, and one of `host` and `host_group`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AddGrant {
    /// `allow` (the default) or `deny`.
    #[serde(default)]
    pub effect: EffectText,
    /// For this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// For every user of this group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The Unix account.
    pub account: String,
    /// On this host: its name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// On every host of this host group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_group: Option<String>,
    /// Client addresses (CIDR) from which it holds; anywhere when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// The forced command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Key options, for example `port-forwarding` or `permitopen="db:5432"`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// From when it holds; at once when absent.
    #[serde(
        default,
        with = "time::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub not_before: Option<Timestamp>,
    /// Until when it holds; for good when absent.
    #[serde(
        default,
        with = "time::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub until: Option<Timestamp>,
    /// Why it is given, 512 bytes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether a grant lets in or keeps out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum EffectText {
    /// Lets in.
    #[default]
    Allow,
    /// Keeps out; wins over every allow.
    Deny,
}

impl From<&Grant> for GrantView {
    fn from(grant: &Grant) -> Self {
        let (user, group) = match &grant.subject {
            Subject::User(name) => (Some(name.to_string()), None),
            Subject::Group(name) => (None, Some(name.to_string())),
        };
        let (host, host_group) = match &grant.target {
            Target::Host(id) => (Some(id.to_string()), None),
            Target::HostGroup(name) => (None, Some(name.to_string())),
        };
        let (state, revoked_at) = match grant.state {
            GrantState::Active => ("active", None),
            GrantState::Revoked { at } => ("revoked", Some(at)),
        };
        Self {
            id: grant.id.to_string(),
            effect: match grant.effect {
                Effect::Allow => EffectText::Allow,
                Effect::Deny => EffectText::Deny,
            },
            user,
            group,
            account: grant.account.to_string(),
            host,
            host_group,
            from: grant
                .from
                .iter()
                .flat_map(|list| list.ranges())
                .map(ToString::to_string)
                .collect(),
            command: grant.options.command().map(|command| command.to_string()),
            options: match grant.effect {
                Effect::Allow => grant.options.texts(),
                // A denial takes none; what stands there is only what a grant without any has.
                Effect::Deny => Vec::new(),
            },
            not_before: grant.not_before,
            until: grant.until,
            reason: grant.reason.as_ref().map(ToString::to_string),
            created_by: grant.created_by.to_string(),
            created_at: grant.created_at,
            state: state.to_owned(),
            revoked_at,
        }
    }
}
