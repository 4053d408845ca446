//! The units: whether they run, and whether sshd's own hardening lets the key command work.

use std::collections::BTreeMap;

use crate::doctor::facts::Seen;
use crate::doctor::facts::system::Units;
use crate::doctor::finding::{Finding, rules};

rules! {
    AGENT_UNIT = Error "agent-unit": "keyroster-agent.service does not run",
        "every login that asks it is answered \"unavailable\"",
        Run "systemctl enable --now keyroster-agent";
    AGENT_DISABLED = Warning "agent-unit-disabled": "keyroster-agent.service is not started at boot",
        "after the next boot nobody gets in by keyroster",
        Run "systemctl enable keyroster-agent";
    HARDENING = Error "sshd-hardening": "the hardening of sshd's unit keeps the key command from working",
        "it applies to what sshd starts: without AF_UNIX the lookup can't reach the host agent or the log",
        Judge "set RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK with systemctl edit ssh";
}

/// The verdicts. `needed`: whether a source of the lookup asks the daemon.
#[must_use]
pub fn check(units: &Seen<Units>, needed: bool) -> Vec<Finding> {
    let units = match units {
        Ok(Some(units)) => units,
        Ok(None) => return Vec::new(),
        Err(unseen) => return vec![Finding::unseen(&AGENT_UNIT, &unseen.0)],
    };
    let mut findings = Vec::new();
    if let Some(agent) = units.get(AGENT).filter(|_| needed) {
        let state = property(agent, "ActiveState");
        let stopped = (state != "active").then(|| format!("{AGENT} is {state}"));
        let starts = property(agent, "UnitFileState");
        let disabled = (starts == "disabled").then(|| format!("{AGENT} is {starts}"));
        findings.push(Finding::judge(
            &AGENT_UNIT,
            stopped,
            &format!("{AGENT} is active"),
        ));
        findings.push(Finding::judge(
            &AGENT_DISABLED,
            disabled,
            &format!("{AGENT} is started at boot"),
        ));
    }
    for name in SSHD {
        if let Some(sshd) = units
            .get(name)
            .filter(|unit| property(unit, "LoadState") == "loaded")
        {
            let families = property(sshd, "RestrictAddressFamilies");
            let without = (!allows_unix(families))
                .then(|| format!("{name} has RestrictAddressFamilies={families}"));
            findings.push(Finding::judge(
                &HARDENING,
                without,
                &format!("{name} lets the key command reach the host agent"),
            ));
        }
    }
    findings
}

fn property<'a>(unit: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    unit.get(name).map_or("", String::as_str)
}

/// `systemctl show` prints nothing for no restriction, a list for what is allowed, and one that begins with `~` for what is not.
fn allows_unix(families: &str) -> bool {
    match families.strip_prefix('~') {
        Some(denied) => !names_unix(denied),
        None => families.is_empty() || names_unix(families),
    }
}

fn names_unix(families: &str) -> bool {
    families
        .split_whitespace()
        .any(|family| family == "AF_UNIX" || family == "AF_LOCAL")
}

const AGENT: &str = "keyroster-agent.service";
const SSHD: [&str; 2] = ["ssh.service", "sshd.service"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::broken;

    fn units(name: &str, properties: &[(&str, &str)]) -> Seen<Units> {
        let properties = properties
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Ok(Some([(name.to_owned(), properties.collect())].into()))
    }

    #[test]
    fn a_daemon_that_is_needed_runs_and_is_started_at_boot() {
        let running = units(
            AGENT,
            &[("ActiveState", "active"), ("UnitFileState", "enabled")],
        );
        assert_eq!(broken(&check(&running, true)), [""; 0]);
        let stopped = units(
            AGENT,
            &[("ActiveState", "failed"), ("UnitFileState", "disabled")],
        );
        assert_eq!(
            broken(&check(&stopped, true)),
            ["agent-unit", "agent-unit-disabled"]
        );
        assert_eq!(broken(&check(&stopped, false)), [""; 0]);
    }

    #[test]
    fn hardening_without_unix_sockets_is_an_error() {
        for (families, ids) in [
            ("", vec![]),
            ("AF_UNIX AF_INET", vec![]),
            ("AF_INET AF_INET6", vec!["sshd-hardening"]),
            ("~AF_PACKET", vec![]),
            ("~AF_UNIX AF_PACKET", vec!["sshd-hardening"]),
        ] {
            let unit = units(
                "ssh.service",
                &[
                    ("LoadState", "loaded"),
                    ("RestrictAddressFamilies", families),
                ],
            );
            assert_eq!(broken(&check(&unit, true)), ids, "{families}");
        }
        let absent = units(
            "sshd.service",
            &[
                ("LoadState", "not-found"),
                ("RestrictAddressFamilies", "AF_INET"),
            ],
        );
        assert_eq!(broken(&check(&absent, true)), [""; 0]);
    }

    #[test]
    fn without_systemd_there_are_no_units() {
        assert_eq!(check(&Ok(None), true), []);
    }
}
