//! The socket that the lookup asks, and whether the host agent answers on it.

use crate::doctor::facts::Seen;
use crate::doctor::facts::agent::{Served, SocketFact};
use crate::doctor::finding::{Finding, rules};

rules! {
    MISSING = Error "socket-missing": "the host agent does not run",
        "every login that asks it is answered \"unavailable\": nobody gets in by keyroster",
        Run "systemctl restart keyroster-agent";
    OWNER = Error "socket-owner": "others than the host agent can put a socket in its place",
        "the lookup refuses such a socket, and every login is answered \"unavailable\"",
        Run "systemctl restart keyroster-agent";
    PEER = Error "socket-peer": "somebody else than the socket's owner listens on it",
        "the lookup refuses it: that somebody could answer for the host agent",
        Judge "find out who listens (ss -xlp), end it, and restart keyroster-agent";
    SILENT = Error "agent-silent": "the host agent takes connections and does not answer",
        "each login waits for the lookup's deadline, and is then refused",
        Run "systemctl restart keyroster-agent";
}

/// The verdicts. `needed`: whether a source of the lookup asks the socket.
#[must_use]
pub fn check(socket: &Seen<SocketFact>, needed: bool) -> Vec<Finding> {
    match socket {
        Err(unseen) => vec![Finding::unseen(&MISSING, &unseen.0)],
        Ok(SocketFact::Missing(_) | SocketFact::Deserted(_)) if !needed => Vec::new(),
        Ok(SocketFact::Missing(path)) => {
            vec![Finding::broken(
                &MISSING,
                format!("there is no socket \"{}\"", path.display()),
            )]
        }
        Ok(SocketFact::Deserted(path)) => {
            vec![Finding::broken(
                &MISSING,
                format!("nobody listens on \"{}\"", path.display()),
            )]
        }
        Ok(SocketFact::Served(served)) => of(served),
    }
}

fn of(served: &Served) -> Vec<Finding> {
    let path = served.path.display();
    let (owner, mode) = served.directory;
    let foreign = owner != ROOT && owner != served.owner;
    let loose = (foreign || mode & WRITABLE_BY_OTHERS != 0)
        .then(|| format!("the directory of \"{path}\" belongs to user {owner}, mode {mode:04o}"));
    let other = (served.peer != served.owner).then(|| {
        format!(
            "user {} listens on \"{path}\", which belongs to user {}",
            served.peer, served.owner
        )
    });
    let silent = served
        .said
        .is_none()
        .then(|| format!("no answer on \"{path}\""));
    vec![
        Finding::holds(&MISSING, format!("somebody listens on \"{path}\"")),
        Finding::judge(&OWNER, loose, "only the host agent can change the socket"),
        Finding::judge(&PEER, other, "the socket's owner listens on it"),
        Finding::judge(&SILENT, silent, "the host agent answers"),
    ]
}

const ROOT: u32 = 0;
const WRITABLE_BY_OTHERS: u32 = 0o022;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::doctor::checks::testing::broken;

    fn served() -> Served {
        Served {
            path: "/run/keyroster/agent.sock".into(),
            owner: 990,
            directory: (990, 0o755),
            peer: 990,
            said: Some(BTreeMap::new()),
        }
    }

    fn ids(served: Served) -> Vec<&'static str> {
        broken(&check(&Ok(SocketFact::Served(served)), true))
    }

    #[test]
    fn a_host_agent_that_answers_on_its_own_socket_is_fine() {
        assert_eq!(ids(served()), [""; 0]);
        assert_eq!(
            ids(Served {
                directory: (0, 0o755),
                ..served()
            }),
            [""; 0]
        );
    }

    #[test]
    fn what_the_lookup_refuses_is_an_error() {
        assert_eq!(
            ids(Served {
                directory: (990, 0o775),
                ..served()
            }),
            ["socket-owner"]
        );
        assert_eq!(
            ids(Served {
                directory: (990, 0o1777),
                ..served()
            }),
            ["socket-owner"]
        );
        assert_eq!(
            ids(Served {
                directory: (7, 0o755),
                ..served()
            }),
            ["socket-owner"]
        );
        assert_eq!(
            ids(Served {
                peer: 7,
                ..served()
            }),
            ["socket-peer"]
        );
        assert_eq!(
            ids(Served {
                said: None,
                ..served()
            }),
            ["agent-silent"]
        );
    }

    #[test]
    fn a_host_agent_that_does_not_run_is_an_error_unless_nobody_asks_it() {
        for socket in [
            SocketFact::Missing("/s".into()),
            SocketFact::Deserted("/s".into()),
        ] {
            assert_eq!(
                broken(&check(&Ok(socket.clone()), true)),
                ["socket-missing"]
            );
            assert_eq!(broken(&check(&Ok(socket), false)), [""; 0]);
        }
    }
}
