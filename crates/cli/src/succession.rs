//! An exchange of the key server's CA, as a person's configuration follows it: in passing, with whatever command is given meanwhile.
//!
//! The key server names its CAs with each answer. Where they are others than those in the configuration, the new one is fetched, and
//! kept if the one that is known vouches for it. Nobody has to do anything; whoever gave no command all through the exchange logs in anew.

use std::time::Duration;

use crate::ca::{Cas, Succession};
use crate::client::FirstTrust;
use crate::config::Config;
use crate::failure::Result;
use crate::session::Session;

/// Follows an exchange as far as it goes; what there is to say about it.
pub(crate) async fn follow(session: &Session) -> Option<String> {
    let heard = session.heard().filter(|_| session.knows_ca_by_file())?;
    match try_follow(session, &heard).await {
        Ok(note) => note,
        Err(failure) => Some(format!(
            "the key server's CA is being exchanged, and the new one is not known yet: {}",
            failure.what()
        )),
    }
}

async fn try_follow(session: &Session, heard: &str) -> Result<Option<String>> {
    let path = session.config_path()?;
    let config = Config::load(&path)?;
    let (Some(server), Some(known)) = (&config.server, &config.ca) else {
        return Ok(None);
    };
    // What another key server says is nothing to the one in the file.
    if known.to_pins() == heard || session.settings()?.server()? != server {
        return Ok(None);
    }
    let client = session.meet(server, FirstTrust::Ca(known))?;
    let handed_out = client.cas().await?;
    let since_epoch = u64::try_from(session.now().as_unix()).unwrap_or(0);
    let (new, note) = match known.follow(&handed_out, Duration::from_secs(since_epoch)) {
        Succession::Unchanged => return Ok(None),
        Succession::Stranger => return Ok(Some(STRANGER.to_owned())),
        Succession::Learned(new) => (new.clone(), learned(&new)),
        Succession::Alone(new) => (new, FORGOTTEN.to_owned()),
    };
    // Somebody may have logged in or out meanwhile; that stands.
    let mut newest = Config::load(&path)?;
    if newest.ca != config.ca {
        return Ok(None);
    }
    newest.ca = Some(new);
    newest.store(&path)?;
    Ok(Some(note))
}

fn learned(new: &Cas) -> String {
    let pin = new.newest().map(|pin| pin.to_string()).unwrap_or_default();
    format!("the key server's CA is being exchanged; the new one, {pin}, is known from now on")
}

const FORGOTTEN: &str = "the exchange of the key server's CA has ended; the old one is forgotten";
const STRANGER: &str = "the key server names a new CA, and the one that is known does not vouch for it: ask an admin for its fingerprint, and log in again with --ca-fingerprint";
