//! Reading a body that somebody else wrote, never further than the caller allows.

use bytes::{Bytes, BytesMut};

use crate::error::{FetchError, Transport};

/// The whole body, if it is no longer than `cap` bytes.
///
/// An announced length beyond the cap is refused before a byte is read; an unannounced one as soon as it is passed. What was
/// read until then is dropped: half an answer is no answer.
pub async fn bounded_body(
    mut response: reqwest::Response,
    cap: usize,
) -> Result<Bytes, FetchError> {
    let announced = response.content_length().unwrap_or(0);
    if announced > cap as u64 {
        return Err(too_large(cap));
    }
    // Growing by doubling would take the double of a large snapshot.
    let mut body = BytesMut::with_capacity(usize::try_from(announced).unwrap_or(0));
    while let Some(chunk) = response.chunk().await? {
        if body.len().saturating_add(chunk.len()) > cap {
            return Err(too_large(cap));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn too_large(cap: usize) -> FetchError {
    FetchError::transport(Transport::TooLarge, format!("more than {cap} bytes"))
}
