use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::{ForwardList, GrantOptions, Permission, Terms, Tunnel};

/// Everything that a session could do of what the random rosters can tell apart, found by trying it out. The properties
/// compare these and not the terms, so that they share no code with merging.
pub(crate) struct Reading(BTreeSet<String>);

impl Reading {
    #[expect(
        clippy::too_many_lines,
        reason = "a table of everything that can be tried"
    )]
    pub(crate) fn of(terms: &Terms) -> Self {
        let options = &terms.options;
        let mut can = BTreeSet::new();
        let mut note = |what: String, allowed: bool| allowed.then(|| can.insert(what));
        for address in [
            "10.0.0.1",
            "10.1.0.1",
            "10.1.2.3",
            "192.0.2.1",
            "198.51.100.1",
            "2001:db8::1",
            "2001:db9::1",
        ] {
            let address: IpAddr = address.parse().unwrap();
            note(
                format!("come from {address}"),
                terms
                    .from
                    .as_ref()
                    .is_none_or(|from| from.contains(address)),
            );
        }
        for command in ["run", "sync", "sh"] {
            note(
                format!("run {command}"),
                options
                    .command()
                    .is_none_or(|forced| forced.as_str() == command),
            );
        }
        for tunnel in [Tunnel::Any, Tunnel::Device(1), Tunnel::Device(2)] {
            note(
                format!("tunnel {tunnel}"),
                options.tunnel().is_none_or(|held| held == tunnel),
            );
        }
        note("have a terminal".into(), options.allows(Permission::Pty));
        note("forward".into(), options.allows(Permission::PortForwarding));
        note(
            "use an ssh-agent".into(),
            options.allows(Permission::AgentForwarding),
        );
        note("use X11".into(), options.allows(Permission::X11Forwarding));
        note("run rc".into(), options.allows(Permission::UserRc));
        note("stay untouched".into(), options.allows(Permission::NoTouch));
        note("stay unverified".into(), !options.verify_required());
        for (host, port) in ["a", "b", "c"]
            .into_iter()
            .flat_map(|host| [1, 2, 3].map(|port| (host, port)))
        {
            note(
                format!("forward to {host}:{port}"),
                forwards(options, options.permit_open(), host, port),
            );
            note(
                format!("forward from {host}:{port}"),
                forwards(options, options.permit_listen(), host, port),
            );
        }
        Self(can)
    }

    /// What is possible here and not there.
    pub(crate) fn beyond(&self, other: &Self) -> Vec<String> {
        self.0.difference(&other.0).cloned().collect()
    }

    /// What is possible in both.
    pub(crate) fn in_common(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }
}

fn forwards(options: &GrantOptions, limit: Option<&ForwardList>, host: &str, port: u16) -> bool {
    options.allows(Permission::PortForwarding) && limit.is_none_or(|limit| limit.covers(host, port))
}
