//! Receipts of writes that were made before.

use axum::extract::State;
use axum::response::Response;
use keyroster_api::paths;
use keyroster_api::receipt::{Receipt, WaitQuery};
use keyroster_roster::Revision;

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Params, Segment};
use crate::receipts::{self, Patience};

/// Which hosts have confirmed a write, and when
///
/// It is kept for a week after the write, and empty for a write that took nothing away from any host. The milliseconds count
/// from the write, whenever it is asked for.
#[utoipa::path(get, path = paths::RECEIPT, tag = "audit",
    params(("revision" = u64, Path, description = "The revision that the write made, as its audit event names it"), WaitQuery),
    responses((status = 200, description = "The receipt", body = Receipt)))]
pub async fn show_receipt(
    State(app): State<App>,
    Segment(revision): Segment<RevisionText>,
    Params(query): Params<WaitQuery>,
) -> Answer<Response> {
    let patience = Patience::read(query)?;
    receipts::read(&app, revision.0, patience).await
}

/// A revision in a path.
#[derive(Debug, Clone, Copy)]
pub struct RevisionText(Revision);

impl std::str::FromStr for RevisionText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number: u64 = text.parse().map_err(|_| "a number is wanted".to_owned())?;
        let revision = Revision::new(number).map_err(|error| error.to_string())?;
        Ok(Self(revision))
    }
}
