//! Which snapshot keys and CAs a host is to go by, while one of them is exchanged.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use keyroster_api::asks::Naming;
use keyroster_api::enroll::RENEW_WITHIN_HEADER;
use keyroster_api::key_set::{HEADER, KeyChain};
use keyroster_api::paths;
use keyroster_roster::HostId;
use keyroster_store::KnownSet;
use serde::Deserialize;

use crate::app::App;
use crate::ca::IssuedBy;
use crate::caller::{self, Caller};
use crate::error::Answer;
use crate::extract::{Json, Params};
use crate::limits::RENEWALS_PER_SECOND;

/// What stands in the query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    #[serde(default)]
    after: u64,
}

/// The snapshot keys and CAs
///
/// The signed documents that lead from the set of keys and CAs that the host goes by to the newest: see `docs/rotation.md`. A host asks
/// when the header `Keyroster-Keys` of an answer names a later set than its own.
#[utoipa::path(get, path = paths::HOST_KEYS, tag = "hosts' own",
    params(("after" = Option<u64>, Query, description = "The serial of the set that the host goes by; 0 when absent")),
    responses((status = 200, description = "The documents, in order", body = KeyChain)))]
pub async fn host_keys(
    State(app): State<App>,
    caller: Caller,
    Params(query): Params<Query>,
) -> Answer<Json<KeyChain>> {
    caller::admit_to_write(&app, &caller).await?;
    Ok(Json(app.key_chain.after(query.after)))
}

/// What the host that asks goes by.
#[derive(Debug, Clone, Copy)]
pub struct GoesBy {
    /// The set of keys and CAs, as it says.
    serial: Option<u64>,
    /// The CA of its certificate.
    issuer: IssuedBy,
}

impl GoesBy {
    /// By its question, and the certificate that it shows.
    #[must_use]
    pub fn of(app: &App, caller: &Caller, headers: &HeaderMap) -> Self {
        let serial = headers.get(KEYS).and_then(|value| value.to_str().ok());
        Self {
            serial: serial.and_then(|serial| serial.parse().ok()),
            issuer: app.ca.issuer(caller.issuer()),
        }
    }

    /// Takes note of it. A set that is named beside a daemon is not all that the host goes by.
    pub fn hear(&self, app: &App, host: &HostId, naming: Naming) {
        let known = KnownSet {
            serial: match naming {
                Naming::Confirms => self.serial.unwrap_or(0),
                Naming::ConfirmsNothing => 0,
            },
            ca_serial: match app.ca.is_newest(self.issuer) {
                true => app.key_chain.newest_ca_since(),
                false => 0,
            },
        };
        app.known_keys.hear(host, known);
    }

    /// Whether there is something to tell the host that can't wait for the end of its question.
    #[must_use]
    pub fn is_to_be_told(&self, app: &App, host: &HostId) -> bool {
        let is_behind = self.serial < Some(app.key_chain.serial()) && self.serial.is_some();
        (is_behind || self.is_to_renew(app)) && app.known_keys.tells_at_once(host)
    }

    /// What the answer says beside the document: the newest set, where keys or CAs were ever exchanged, and that the certificate is to
    /// be renewed.
    pub fn headers(&self, app: &App) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let serial = Some(app.key_chain.serial()).filter(|serial| *serial > 0);
        let newest = serial.map(|serial| (KEYS, HeaderValue::from(serial)));
        let renew = self.is_to_renew(app).then(|| {
            let hosts = u64::try_from(app.estate.count()).unwrap_or(u64::MAX);
            let within = hosts.div_ceil(RENEWALS_PER_SECOND);
            (RENEW_WITHIN, HeaderValue::from(within))
        });
        newest.into_iter().chain(renew)
    }

    fn is_to_renew(&self, app: &App) -> bool {
        app.ca.replaces() && self.issuer == IssuedBy::Other
    }
}

const KEYS: HeaderName = HeaderName::from_static(HEADER);
const RENEW_WITHIN: HeaderName = HeaderName::from_static(RENEW_WITHIN_HEADER);
