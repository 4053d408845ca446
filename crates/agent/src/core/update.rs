//! Whether an update may change what is held, and into what.
//!
//! The sibling of [`accept`](crate::core::accept), for what came from the key server and for what lies in the journal. What is
//! held is never touched: either there is a new whole that has the digest which the key server signed, or nothing.

use keyroster_api::signature::Namespace;
use keyroster_api::snapshot::Tag;
use keyroster_api::update::Update;

use crate::core::accept::{Authority, Refusal, freshness, not_ahead, not_back, ours, parse};
use crate::core::accounts::Unusable;
use crate::core::held::Held;

/// Judges a signed update of what is held, and makes what it promises.
///
/// `seen` is the highest epoch and revision ever seen; `time_s` is the key server's time if it told one, else the wall clock's.
///
/// # Errors
/// When it may not be used.
pub fn amend(
    document: &[u8],
    authority: &Authority,
    held: &Held,
    seen: Tag,
    time_s: i64,
) -> Result<Held, Refusal> {
    let bytes = authority.key.verify(Namespace::Update, document)?;
    let update: Update = parse(bytes)?;
    let (from, tag) = (update.from()?, update.to()?);
    ours(update.schema, update.host, authority)?;
    if from != held.tag() {
        let held = held.tag();
        return Err(Refusal::OtherBase { from, held });
    }
    if tag <= from {
        let (offered, seen) = (tag, from);
        return Err(Refusal::WentBack { offered, seen });
    }
    not_back(tag, seen)?;
    not_ahead(update.issued_at, time_s)?;
    let accounts = held.accounts().with(update.accounts)?;
    if accounts.digest().to_string() != update.digest {
        return Err(Refusal::OtherResult);
    }
    Ok(Held {
        tag,
        freshness: freshness(update.freshness)?,
        issued_at: update.issued_at,
        audit_head: update.audit_head,
        end_sessions: update.end_sessions,
        accounts,
    })
}

impl From<Unusable> for Refusal {
    fn from(err: Unusable) -> Self {
        Self::Malformed(err.to_string())
    }
}

#[cfg(test)]
mod tests;
