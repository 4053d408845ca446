//! `keyroster logout`: forgets the token, and keeps which key server and which CA, so that the next login needs a token only.

use serde::Serialize;

use crate::config::Config;
use crate::failure::Result;
use crate::report::Report;
use crate::session::Session;

#[derive(Serialize)]
struct LoggedOut {
    server: Option<String>,
    forgotten: bool,
}

pub(crate) fn run(session: &Session) -> Result<Report> {
    let path = session.config_path()?;
    let mut config = Config::load(&path)?;
    let done = LoggedOut {
        server: config.server.as_ref().map(ToString::to_string),
        forgotten: config.token.take().is_some(),
    };
    if !done.forgotten {
        return Report::confirm(&done, "there was no token to forget");
    }
    config.store(&path)?;
    let report = Report::confirm(
        &done,
        format!(
            "forgot the token for {}",
            done.server.as_deref().unwrap_or("no server")
        ),
    )?;
    Ok(report.note("the token itself is valid until it expires or is revoked"))
}
