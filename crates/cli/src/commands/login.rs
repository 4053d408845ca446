//! `keyroster login`: the first contact with a key server.
//!
//! The CA is known before anything is said: by its certificate or by its fingerprint, which came over another channel. So
//! there is no "accept this?" to answer yes to, and the token is asked for only once the right key server has answered.

use clap::Args;
use keyroster_api::{Timestamp, time, token::Role};
use keyroster_edge::CaPin;
use serde::Serialize;

use crate::ca::Cas;
use crate::client::{Client, FirstTrust};
use crate::commands::whoami::role_text;
use crate::config::Config;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::report::Report;
use crate::secret;
use crate::session::Session;
use crate::settings::Settings;

/// Without `--token-file` and KEYROSTER_TOKEN the token is asked for, or read from standard input.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The fingerprint of the key server's CA, which `keyroster-server init` printed
    #[arg(long, value_name = "SHA256:…")]
    ca_fingerprint: Option<CaPin>,
}

#[derive(Serialize)]
struct LoggedIn {
    server: String,
    ca_fingerprint: String,
    name: String,
    role: Role,
    #[serde(with = "time::required")]
    expires_at: Timestamp,
}

pub(crate) async fn run(login: Login, session: &Session) -> Result<Report> {
    let settings = session.login_settings()?;
    let server = settings.server()?.clone();
    let (client, ca) = meet(&login, &settings, session).await?;
    let token = match settings.token {
        Some(token) => token,
        None => secret::ask()?,
    };
    let me = client.with_token(&token).who_am_i().await?;
    let done = LoggedIn {
        server: server.to_string(),
        ca_fingerprint: ca.newest().map(|pin| pin.to_string()).unwrap_or_default(),
        name: me.name,
        role: me.role,
        expires_at: me.expires_at,
    };
    let config = Config {
        server: Some(server),
        ca: Some(ca),
        token: Some(token),
    };
    config.store(&session.config_path()?)?;
    let (server, name, role) = (&done.server, &done.name, role_text(done.role));
    let until = time::to_rfc3339(done.expires_at);
    Report::confirm(
        &done,
        format!("logged in to {server} as \"{name}\" ({role}, until {until})"),
    )
}

/// The key server, once it has proved to be of the right CA, and that CA.
async fn meet(login: &Login, settings: &Settings, session: &Session) -> Result<(Client, Cas)> {
    let server = settings.server()?;
    match (&login.ca_fingerprint, &settings.ca) {
        // The fingerprint is what was just typed; a CA in the file may be the one that it replaces.
        (Some(pin), _) => {
            let client = session.meet(server, FirstTrust::Fingerprint(*pin))?;
            client.greet().await?;
            let ca = client.ca_seen().ok_or_else(|| {
                Failure::new(
                    Exit::Protocol,
                    format!("the key server \"{server}\" showed no CA"),
                )
            })?;
            Ok((client, ca))
        }
        (None, Some(ca)) => {
            let client = session.meet(server, FirstTrust::Ca(ca))?;
            client.greet().await?;
            Ok((client, ca.clone()))
        }
        (None, None) => Err(Failure::new(
            Exit::Usage,
            format!("nothing is known about the CA of \"{server}\""),
        )
        .hint(
            "give --ca-fingerprint SHA256:…, which `keyroster-server init` printed, or --ca FILE",
        )),
    }
}
