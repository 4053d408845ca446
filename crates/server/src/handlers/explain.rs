//! Why somebody may log in, or may not: the decision that hosts are given, with its reasons.

use axum::extract::State;
use keyroster_api::explain::{ExplainQuery, Explanation, KeyExplanation};
use keyroster_api::paths;
use keyroster_keys::{AccountName, Fingerprint, UserName};
use keyroster_roster::{Decision, HostId, Roster, Timestamp, UserKind, resolve};
use keyroster_store::{Limit, Object, Reader, StoreError};

use crate::app::App;
use crate::error::{Answer, ApiError};
use crate::extract::{Json, Params};
use crate::handlers::hosts;
use crate::parse::{self, HostRef};

/// The decision for an account on a host, key by key
#[utoipa::path(get, path = paths::EXPLAIN, tag = "explain", params(ExplainQuery),
    responses((status = 200, description = "The decision and its reasons", body = Explanation)))]
pub async fn explain(
    State(app): State<App>,
    Params(query): Params<ExplainQuery>,
) -> Answer<Json<Explanation>> {
    let account: AccountName = parse::field("account", &query.account)?;
    let host: HostRef = parse::field("host", &query.host)?;
    let about = About::read(&query)?;
    let mut reader = app.store.read().await?;
    let host = hosts::find_in(&mut reader, host).await?.id;
    let slice = reader.host_slice(&host).await?;
    let mut slice = slice.ok_or(StoreError::NotFound {
        object: Object::Host(host.clone()),
    })?;
    let asked = about.gather(&mut reader, &mut slice.roster).await?;
    drop(reader);
    let question = Question {
        roster: &slice.roster,
        host: &host,
        account: &account,
        now: app.now(),
    };
    let mut keys: Vec<KeyExplanation> = asked.iter().map(|key| question.answer(key)).collect();
    if let About::Everybody = about {
        keys.retain(|key| key.decision == ALLOW);
    }
    Ok(Json(Explanation {
        account: account.to_string(),
        host: slice.host.name.to_string(),
        revision: slice.state.revision.get(),
        notes: about.notes(&keys),
        keys,
    }))
}

/// Whom the question is about.
enum About {
    User(UserName),
    Key(Fingerprint),
    Everybody,
}

impl About {
    fn read(query: &ExplainQuery) -> Answer<Self> {
        match (&query.user, &query.key) {
            (Some(user), None) => parse::field("user", user).map(Self::User),
            (None, Some(key)) => parse::field("key", key).map(Self::Key),
            (None, None) => Ok(Self::Everybody),
            (Some(_), Some(_)) => Err(ApiError::invalid(
                "user, key",
                &"at most one of them can be given",
            )),
        }
    }

    /// The keys that are asked about, with what the host's slice lacks: whoever has no grant on the host is not in it, and
    /// the reasons should still say who that is.
    async fn gather(&self, reader: &mut Reader, roster: &mut Roster) -> Answer<Vec<Fingerprint>> {
        let keys = match self {
            Self::Everybody => return Ok(roster.keys.keys().copied().collect()),
            Self::Key(key) => reader.key(key).await?.into_iter().collect(),
            Self::User(user) => {
                add_user(reader, roster, user).await?;
                if !roster.users.contains_key(user) {
                    return Err(StoreError::NotFound {
                        object: Object::User(user.clone()),
                    }
                    .into());
                }
                reader.keys(Some(user), None, Limit::MAX).await?.items
            }
        };
        let mut asked: Vec<Fingerprint> = keys.iter().map(|key| key.fingerprint).collect();
        for key in keys {
            add_user(reader, roster, &key.user).await?;
            roster.keys.insert(key.fingerprint, key);
        }
        if let Self::Key(key) = self {
            asked = vec![*key];
        }
        Ok(asked)
    }

    fn notes(&self, keys: &[KeyExplanation]) -> Vec<String> {
        match self {
            Self::User(user) if keys.is_empty() => vec![format!("user \"{user}\" has no keys")],
            Self::Everybody if keys.is_empty() => vec![String::from("nobody may log in")],
            _ => Vec::new(),
        }
    }
}

/// A user, and the owner of a service.
async fn add_user(reader: &mut Reader, roster: &mut Roster, name: &UserName) -> Answer<()> {
    let Some(user) = reader.user(name).await? else {
        return Ok(());
    };
    if let UserKind::Service { owner } = &user.kind
        && let Some(owner) = reader.user(owner).await?
    {
        roster.users.insert(owner.name.clone(), owner);
    }
    roster.users.insert(name.clone(), user);
    Ok(())
}

struct Question<'a> {
    roster: &'a Roster,
    host: &'a HostId,
    account: &'a AccountName,
    now: Timestamp,
}

impl Question<'_> {
    fn answer(&self, key: &Fingerprint) -> KeyExplanation {
        let resolution = resolve(self.roster, self.host, self.account, key, self.now);
        let (decision, line) = match &resolution.decision {
            Decision::Allow(permit) => (ALLOW, Some(permit.text().to_owned())),
            Decision::Deny(_) => (DENY, None),
        };
        KeyExplanation {
            fingerprint: key.to_string(),
            user: self.roster.keys.get(key).map(|key| key.user.to_string()),
            decision: decision.to_owned(),
            line,
            reasons: resolution.reasons.iter().map(ToString::to_string).collect(),
        }
    }
}

const ALLOW: &str = "allow";
const DENY: &str = "deny";
