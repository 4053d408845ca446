//! What the kernel has refused, as the audit daemon has written it down.

use keyroster_testkit::{Failure, Result};

use crate::machine::Machine;

/// How much of the log has been read.
#[derive(Debug, Default)]
pub struct Denials {
    read: usize,
}

impl Denials {
    /// The denials since the last look that name us or sshd: each is a rule that is missing or a label that is wrong.
    pub fn since(&mut self, machine: &Machine) -> Result<Vec<String>> {
        // The audit daemon writes a moment after the kernel told it.
        let all = machine.must(&format!("sync; sleep 0.5; {GREP} {LOG} || test $? = 1"))?;
        let lines: Vec<&str> = all.lines().collect();
        let new = lines
            .iter()
            .skip(self.read)
            .filter(|line| concerns_us(line));
        let new = new.map(|line| (*line).to_owned()).collect();
        self.read = lines.len();
        Ok(new)
    }

    /// Fails when there is one.
    pub fn must_be_none(&mut self, machine: &Machine) -> Result {
        let new = self.since(machine)?;
        if new.is_empty() {
            return Ok(());
        }
        Err(Failure::new(format!("denied:\n{}", new.join("\n"))))
    }
}

/// What we or sshd did, and what was done to ours. Not what another program was denied that merely got a descriptor from a login.
fn concerns_us(line: &str) -> bool {
    let has = |texts: &[&str]| texts.iter().any(|text| line.contains(text));
    let by_sshd = line.contains("scontext=system_u:system_r:sshd") || line.contains(SSHD);
    let ours = line.contains("keyroster") && !line.contains(NOT_LOADED);
    ours || (by_sshd && !has(&OF_ANY_LOGIN))
}

/// `avc: denied` is SELinux's, of the kernel and of programs that ask it; the second is AppArmor's; the third is a context that can't be.
const GREP: &str = r#"grep -aE 'avc: +denied|apparmor="DENIED"|SELINUX_ERR'"#;
/// Of a unit that names a profile which is not there yet, and starts without.
const NOT_LOADED: &str = "info=\"label not found\"";
/// What Debian's policy denies sshd at every login of anybody's: the message of the day, and another login's keyring.
const OF_ANY_LOGIN: [&str; 2] = ["name=\"motd.dynamic\"", "tclass=key "];
const SSHD: &str = "comm=\"sshd\"";
const LOG: &str = "/var/log/audit/audit.log";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_of_others_do_not_count() {
        let ours = "type=AVC avc:  denied  { read } for comm=\"keyroster-agent\"";
        let sshds =
            "type=AVC avc:  denied  { read } for comm=\"x\" scontext=system_u:system_r:sshd_t:s0";
        assert!(concerns_us(ours) && concerns_us(sshds));
        let others =
            "type=AVC avc:  denied  { use } for comm=\"x\" tcontext=system_u:system_r:sshd_t:s0";
        assert!(!concerns_us(others));
        let motd = sshds.replace("for", "for name=\"motd.dynamic\"");
        assert!(!concerns_us(&motd));
    }
}
