//! The one-shot fetch: a program that speaks TLS, so that this one never links it.
//!
//! The same frames as on the host agent's socket go over its standard input and output.

use keyroster_wire::RESPONSE_MAX;

use super::child;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::outcome::Why;

/// Runs the program with `request` and returns the frame that it printed.
pub(super) fn exchange(
    config: &Config,
    request: &[u8],
    deadline: Deadline,
) -> Result<Vec<u8>, Why> {
    let settings = config.direct_config.to_str().ok_or(Why::NotStarted)?;
    let arguments = ["lookup-once", "--config", settings];
    let mut frame = Vec::new();
    let status = child::run(
        &config.direct_program,
        &arguments,
        Some(request),
        deadline,
        |piece| {
            if frame.len() + piece.len() > RESPONSE_MAX {
                return Err(Why::TooMuchOutput);
            }
            frame.extend_from_slice(piece);
            Ok(())
        },
    )?;
    if status.success() {
        Ok(frame)
    } else {
        Err(Why::Failed)
    }
}
