//! The key server, as this host reaches it.

use std::net::{IpAddr, ToSocketAddrs as _};
use std::time::Duration;

use keyroster_edge::FetchError;

use crate::certificate::Lifetime;
use crate::doctor::facts::{Seen, Unseen, within};
use crate::state::Credential;

/// How far the way to the key server leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The addresses that its name resolves to.
    pub addresses: Result<Vec<IpAddr>, String>,
    /// How long the certificate that it shows is valid; or why it shows none that is believed.
    pub certificate: Result<Lifetime, Unbelieved>,
}

/// Why the key server shows no certificate that is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unbelieved {
    /// It is of a CA that this host was not told of.
    UnknownCa(String),
    /// Anything else.
    Other(String),
}

/// Resolves the name and shakes hands.
///
/// # Errors
/// When the address or the credential can't be used.
pub fn gather(url: &str, credential: &Credential) -> Seen<ServerFacts> {
    let (host, port) =
        host_and_port(url).ok_or_else(|| Unseen(format!("\"{url}\" is no https address")))?;
    let resolved = within(DNS_LIMIT, "name resolution", {
        let host = host.clone();
        move || Ok(resolve(&host, port))
    });
    let addresses = resolved.unwrap_or_else(|unseen| Err(unseen.0));
    let certificate = match &addresses {
        Ok(_) => shake_hands(&host, port, credential)?,
        Err(_) => Err(Unbelieved::Other("its name does not resolve".to_owned())),
    };
    Ok(ServerFacts {
        host,
        port,
        addresses,
        certificate,
    })
}

fn resolve(host: &str, port: u16) -> Result<Vec<IpAddr>, String> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = (bare, port)
        .to_socket_addrs()
        .map_err(|err| err.to_string())?;
    let addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    match addresses.is_empty() {
        true => Err("it has no address".to_owned()),
        false => Ok(addresses),
    }
}

fn shake_hands(
    host: &str,
    port: u16,
    credential: &Credential,
) -> Seen<Result<Lifetime, Unbelieved>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Unseen::because)?;
    let trust = credential.trust().map_err(Unseen::because)?;
    let identity = credential.identity().map_err(Unseen::because)?;
    let probe = keyroster_edge::probe((host, port), trust, Some(identity), TLS_LIMIT);
    let shown = runtime.block_on(probe).map_err(Unseen::because)?;
    // What name resolution still does in the background is not waited for.
    runtime.shutdown_background();
    Ok(match shown {
        Ok(certificate) => Lifetime::of_der(&certificate)
            .ok_or_else(|| Unbelieved::Other("its certificate can't be read".to_owned())),
        Err(err) if err.is_of_unknown_ca() => Err(Unbelieved::UnknownCa(said(&err))),
        Err(err) => Err(Unbelieved::Other(said(&err))),
    })
}

fn said(err: &FetchError) -> String {
    match err {
        FetchError::Transport { kind, detail } => format!("{kind} ({detail})"),
        FetchError::Status(_) => err.to_string(),
    }
}

/// The parts of `https://HOST[:PORT][/…]`.
fn host_and_port(url: &str) -> Option<(String, u16)> {
    let uri: http::Uri = url.parse().ok()?;
    let host = uri.host()?.to_owned();
    (uri.scheme_str() == Some("https")).then(|| (host, uri.port_u16().unwrap_or(HTTPS_PORT)))
}

const HTTPS_PORT: u16 = 443;
const DNS_LIMIT: Duration = Duration::from_secs(5);
const TLS_LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for (url, expected) in [
            (
                "https://keys.example.org:8443",
                Some(("keys.example.org", 8443)),
            ),
            (
                "https://keys.example.org/x",
                Some(("keys.example.org", 443)),
            ),
            ("https://[::1]:8443", Some(("[::1]", 8443))),
            ("http://keys.example.org", None),
            ("keys", None),
        ] {
            let parts = host_and_port(url);
            assert_eq!(
                parts.as_ref().map(|(host, port)| (host.as_str(), *port)),
                expected,
                "{url}"
            );
        }
    }

    #[test]
    fn an_address_needs_no_name_service() {
        assert_eq!(
            resolve("[::1]", 1).unwrap(),
            ["::1".parse::<IpAddr>().unwrap()]
        );
        assert!(resolve("no-such-host.invalid", 1).is_err());
    }
}
