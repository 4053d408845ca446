//! Whether the key server can be reached, and is the one that it should be.

use crate::doctor::checks::paths::quoted_text;
use crate::doctor::facts::Seen;
use crate::doctor::facts::server::{ServerFacts, Unbelieved};
use crate::doctor::finding::{Finding, Remedy, rules};

rules! {
    NAME = Warning "server-name": "the key server's name does not resolve",
        "no change reaches this host, and after `grace` nobody gets in by keyroster",
        Run "getent ahosts NAME";
    HANDSHAKE = Warning "server-tls": "no TLS connection to the key server comes about",
        "no change reaches this host, and after `grace` nobody gets in by keyroster",
        Judge "look at the firewall, at the clock, and whether another server answers at that address";
    STRANGER = Warning "server-ca": "the key server's CA is none that this host was told of",
        "no change reaches this host, and after `grace` nobody gets in by keyroster",
        Judge "if the CA was exchanged while this host was away, enrol it anew; if not, another server answers at that address";
}

/// The verdicts.
#[must_use]
pub fn check(server: &Seen<ServerFacts>) -> Vec<Finding> {
    let facts = match server {
        Ok(facts) => facts,
        Err(unseen) => return vec![Finding::unseen(&HANDSHAKE, &unseen.0)],
    };
    let ServerFacts { host, port, .. } = facts;
    let name = match &facts.addresses {
        Ok(addresses) => Finding::holds(
            &NAME,
            format!("\"{host}\" has {} addresses", addresses.len()),
        ),
        Err(why) => Finding::broken(&NAME, format!("\"{host}\": {why}"))
            .mended_by(Remedy::run(format!("getent ahosts {}", quoted_text(host)))),
    };
    let shown = match (&facts.certificate, &facts.addresses) {
        (Ok(_), _) => Some(Finding::holds(
            &HANDSHAKE,
            format!("\"{host}\" port {port} shows a certificate of our CA's"),
        )),
        (Err(Unbelieved::UnknownCa(why)), Ok(_)) => Some(Finding::broken(
            &STRANGER,
            format!("\"{host}\" port {port}: {why}"),
        )),
        (Err(Unbelieved::Other(why)), Ok(_)) => Some(Finding::broken(
            &HANDSHAKE,
            format!("\"{host}\" port {port}: {why}"),
        )),
        // One finding for one fault.
        (Err(_), Err(_)) => None,
    };
    [Some(name), shown].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::Lifetime;
    use crate::doctor::checks::testing::{broken, unseen};
    use crate::doctor::facts::Unseen;

    fn ids(
        addresses: Result<Vec<std::net::IpAddr>, String>,
        certificate: Result<Lifetime, Unbelieved>,
    ) -> Vec<&'static str> {
        broken(&check(&Ok(ServerFacts {
            host: "keys.example.org".to_owned(),
            port: 8443,
            addresses,
            certificate,
        })))
    }

    #[test]
    fn each_step_on_the_way_has_its_finding() {
        let address = || Ok(vec!["192.0.2.1".parse().unwrap()]);
        let life = Lifetime {
            from_s: 0,
            until_s: 1,
        };
        assert_eq!(ids(address(), Ok(life)), [""; 0]);
        let other = |why: &str| Err(Unbelieved::Other(why.to_owned()));
        assert_eq!(ids(address(), other("expired")), ["server-tls"]);
        let stranger = Err(Unbelieved::UnknownCa("another CA's".to_owned()));
        assert_eq!(ids(address(), stranger), ["server-ca"]);
        assert_eq!(
            ids(Err("no such name".to_owned()), other("no name")),
            ["server-name"]
        );
    }

    #[test]
    fn a_credential_that_may_not_be_read_is_no_verdict() {
        assert_eq!(
            unseen(&check(&Err(Unseen::because("not root")))),
            ["server-tls"]
        );
    }
}
