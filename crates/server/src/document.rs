//! Signed documents for one host, put together from what its class answers.
//!
//! Accounts are in JSON already, and go in as they are: what a host is told costs a copy and a signature, however many hosts are
//! told the same.

use std::borrow::Cow;

use axum::http::HeaderValue;
use bytes::Bytes;
use keyroster_api::signature::{Namespace, SnapshotKey};
use keyroster_api::snapshot::{self, Account, Snapshot, Tag};
use keyroster_api::update::{self, Update};
use keyroster_roster::{HostId, Revision, Timestamp};
use serde::Serialize;

use crate::content::{Changed, Content};
use crate::error::{Answer, ApiError};

/// A signed document.
#[derive(Debug, Clone)]
pub struct Document {
    /// The state of the roster that it tells.
    pub tag: Tag,
    /// The same as a header's value.
    pub etag: HeaderValue,
    /// What it is.
    pub content_type: &'static str,
    /// The bytes to send.
    pub bytes: Bytes,
}

/// For whom a document is, and when it is made.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The host.
    pub host: HostId,
    /// Its name.
    pub host_name: String,
    /// The entity tag that it gets.
    pub tag: Tag,
    /// Now.
    pub now: Timestamp,
}

impl Envelope {
    /// Everything.
    ///
    /// # Errors
    /// When it can't be signed, or is larger than any host reads.
    pub fn snapshot(self, content: &Content, key: &SnapshotKey) -> Answer<Document> {
        let head = Snapshot {
            schema: snapshot::SCHEMA,
            host: self.host.to_string(),
            host_name: self.host_name,
            epoch: self.tag.epoch.get(),
            revision: self.tag.revision.get(),
            issued_at: self.now.as_unix(),
            audit_head: content.audit_head.clone(),
            freshness: content.settings.freshness,
            end_sessions: content.settings.end_sessions,
            accounts: Vec::<Account>::new(),
        };
        let json = splice(&head, content.all())?;
        let bytes = key.sign(Namespace::Snapshot, &json)?;
        if bytes.len() > snapshot::MAX_BYTES {
            return Err(ApiError::Bug("a snapshot is larger than hosts read"));
        }
        Document::new(self.tag, snapshot::CONTENT_TYPE, bytes)
    }

    /// What changed since a revision. `None` when it would be larger than hosts read, or no smaller than everything.
    ///
    /// # Errors
    /// When it can't be signed.
    pub fn update(
        self,
        content: &Content,
        (from, changed): (Revision, &[Changed<'_>]),
        key: &SnapshotKey,
    ) -> Answer<Option<Document>> {
        let told: usize = changed
            .iter()
            .map(|(_, body)| body.map_or(GONE_BYTES, <[u8]>::len))
            .sum();
        let bound = content.bytes().clamp(GONE_BYTES, LARGEST);
        if told > bound {
            return Ok(None);
        }
        let head = Update {
            schema: update::SCHEMA,
            host: self.host.to_string(),
            epoch: self.tag.epoch.get(),
            from_revision: from.get(),
            revision: self.tag.revision.get(),
            issued_at: self.now.as_unix(),
            audit_head: content.audit_head.clone(),
            freshness: content.settings.freshness,
            end_sessions: content.settings.end_sessions,
            accounts: Vec::new(),
            digest: content.digest().to_owned(),
        };
        let accounts = changed
            .iter()
            .map(|(name, body)| match body {
                Some(body) => Ok((*body).into()),
                None => gone(name.as_str()),
            })
            .collect::<Answer<Vec<Cow<'_, [u8]>>>>()?;
        let json = splice(&head, accounts.iter().map(AsRef::as_ref))?;
        let bytes = key.sign(Namespace::Update, &json)?;
        Document::new(self.tag, update::CONTENT_TYPE, bytes).map(Some)
    }
}

impl Document {
    fn new(tag: Tag, content_type: &'static str, bytes: Vec<u8>) -> Answer<Self> {
        let etag = HeaderValue::from_str(&tag.to_header())
            .map_err(|_| ApiError::Bug("a tag is no header"))?;
        Ok(Self {
            tag,
            etag,
            content_type,
            bytes: Bytes::from(bytes),
        })
    }
}

/// How a host is told that nobody may log in to an account any more.
fn gone(name: &str) -> Answer<Cow<'static, [u8]>> {
    let account = Account {
        name: name.to_owned(),
        keys: Vec::new(),
    };
    let json = serde_json::to_vec(&account);
    json.map(Cow::Owned)
        .map_err(|_| ApiError::Bug("an account has no JSON form"))
}

/// The JSON of a document that has no accounts yet, with these in it.
fn splice<'a>(
    head: &impl Serialize,
    accounts: impl Iterator<Item = &'a [u8]> + Clone,
) -> Answer<Vec<u8>> {
    let head =
        serde_json::to_string(head).map_err(|_| ApiError::Bug("a document has no JSON form"))?;
    // Quotes inside of texts are escaped, so that this can't be a part of one.
    let (before, after) = head
        .split_once(NO_ACCOUNTS)
        .ok_or(ApiError::Bug("a document has no place for accounts"))?;
    let length: usize = accounts.clone().map(|account| account.len() + 1).sum();
    let mut json = Vec::with_capacity(head.len() + length);
    json.extend_from_slice(before.as_bytes());
    json.extend_from_slice(BEGIN);
    for (index, account) in accounts.enumerate() {
        if index > 0 {
            json.push(b',');
        }
        json.extend_from_slice(account);
    }
    json.extend_from_slice(END);
    json.extend_from_slice(after.as_bytes());
    Ok(json)
}

const NO_ACCOUNTS: &str = "\"accounts\":[]";
const BEGIN: &[u8] = b"\"accounts\":[";
const END: &[u8] = b"]";

/// About what an account takes that is gone: more than any name.
const GONE_BYTES: usize = 300;

/// The most that accounts may take in an update; signature, texts and commas have the rest.
const LARGEST: usize = update::MAX_BYTES - 256 * 1024;
