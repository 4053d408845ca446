//! What SELinux and AppArmor do here, and what they kept from happening.

mod journal;

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::doctor::facts::{Seen, Unseen};

/// SELinux and AppArmor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelFacts {
    /// Whether SELinux enforces; none where it is off.
    pub selinux_enforces: Option<bool>,
    /// Whether AppArmor is on.
    pub apparmor: bool,
    /// The profiles that are loaded, each with its mode; none where they may not be read.
    pub profiles: Option<Vec<(String, String)>>,
    /// What was kept from happening within the last day.
    pub denials: Seen<Vec<Denial>>,
}

/// Something that was kept from happening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// By whom.
    pub by: By,
    /// The program that tried.
    pub program: String,
    /// What it tried, on what.
    pub what: String,
}

/// Who keeps things from happening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// SELinux.
    SeLinux,
    /// AppArmor.
    AppArmor,
}

/// Looks at both.
#[must_use]
pub fn gather(now_s: i64) -> KernelFacts {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let logs = LOGS.map(Path::new);
    KernelFacts {
        selinux_enforces: read("/sys/fs/selinux/enforce").map(|text| text.trim() == "1"),
        apparmor: read("/sys/module/apparmor/parameters/enabled")
            .is_some_and(|text| text.trim() == "Y"),
        profiles: read("/sys/kernel/security/apparmor/profiles").map(|text| profiles(&text)),
        denials: denials(&logs, journal::gather(), now_s.saturating_sub(LATELY_S)),
    }
}

/// The denials since then in the files that there are and in the journal. Where there is neither, or what there is may not be
/// read, nothing is known of denials.
fn denials(logs: &[&Path], journal: Seen<Option<String>>, since_s: i64) -> Seen<Vec<Denial>> {
    let mut texts = Vec::new();
    for log in logs {
        match tail(log) {
            Ok(text) => texts.push(text),
            Err(err) if err.kind() == ErrorKind::NotFound => {}
            Err(err) => {
                let log = log.display();
                return Err(Unseen(format!("can't read \"{log}\": {err}")));
            }
        }
    }
    match journal {
        Ok(Some(text)) => texts.push(text),
        _ if !texts.is_empty() => {}
        Ok(None) => {
            return Err(Unseen(
                "nothing here keeps what the kernel says: no auditd, no syslog, no journal"
                    .to_owned(),
            ));
        }
        Err(unseen) => return Err(unseen),
    }
    let lines = texts.iter().flat_map(|text| text.lines());
    let late = lines.filter(|line| stamp_s(line).is_none_or(|at_s| at_s >= since_s));
    Ok(late.filter_map(denial).collect())
}

/// The second in `audit(SECONDS.MILLISECONDS:NUMBER)`, which every record has but those that the journal took from the audit socket.
fn stamp_s(line: &str) -> Option<i64> {
    let (_, rest) = line.split_once("audit(")?;
    rest.split_once('.')?.0.parse().ok()
}

/// The end of a log.
fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads a line of a log: a denial that has to do with keyroster or sshd.
#[must_use]
pub fn denial(line: &str) -> Option<Denial> {
    let by = if line.contains("apparmor=\"DENIED\"") {
        By::AppArmor
    } else if line.contains("avc:") && line.contains("denied") {
        By::SeLinux
    } else {
        return None;
    };
    let program = field(line, "comm=")?;
    let profile = field(line, "profile=").unwrap_or_default();
    if !ours(program) && !ours(profile) {
        return None;
    }
    let what = match by {
        By::SeLinux => {
            let between = |open, close| Some(line.split_once(open)?.1.split_once(close)?.0.trim());
            let rights = between("{", "}").unwrap_or_default();
            format!(
                "{rights} on {} ({})",
                field(line, "tclass=").unwrap_or("?"),
                field(line, "tcontext=").unwrap_or("?")
            )
        }
        By::AppArmor => {
            let operation = field(line, "operation=").unwrap_or_default();
            let object = field(line, "name=").or_else(|| field(line, "capname="));
            format!("{operation} on {}", object.unwrap_or("?"))
        }
    };
    Some(Denial {
        by,
        program: program.to_owned(),
        what,
    })
}

fn ours(name: &str) -> bool {
    // The kernel keeps 15 characters of a program's name.
    name.contains("keyroster")
        || name
            .rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with("sshd"))
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = line.split_once(&format!(" {name}"))?;
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split_whitespace().next(),
    }
}

fn profiles(text: &str) -> Vec<(String, String)> {
    let parts = text.lines().filter_map(|line| line.rsplit_once(" ("));
    parts
        .map(|(name, mode)| (name.to_owned(), mode.trim_end_matches(')').to_owned()))
        .collect()
}

/// Where denials are told: by auditd, or else by the kernel to syslog.
const LOGS: [&str; 2] = ["/var/log/audit/audit.log", "/var/log/kern.log"];
/// Bytes of the end of a log that are looked at.
const TAIL_BYTES: u64 = 8 << 20;
/// How long ago a denial is of interest: a day.
const LATELY_S: i64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_of_keyroster_and_sshd_are_read_and_others_are_not() {
        let selinux = "type=AVC msg=audit(1.2:3): avc:  denied  { connectto } for  pid=7 comm=\"keyroster-looku\" path=\"/run/keyroster/agent.sock\" \
                       scontext=system_u:system_r:sshd_t:s0 tcontext=system_u:system_r:unconfined_service_t:s0 tclass=unix_stream_socket permissive=0";
        let found = denial(selinux).unwrap();
        assert_eq!(
            (found.by, found.program.as_str()),
            (By::SeLinux, "keyroster-looku")
        );
        assert_eq!(
            found.what,
            "connectto on unix_stream_socket (system_u:system_r:unconfined_service_t:s0)"
        );
        let apparmor = "audit: type=1400 audit(1.2:3): apparmor=\"DENIED\" operation=\"open\" profile=\"keyroster-agent\" name=\"/etc/x\" pid=7 comm=\"keyroster-agent\"";
        assert_eq!(denial(apparmor).unwrap().what, "open on /etc/x");
        // As auditd writes it, with its own translation behind.
        let by_auditd = "type=AVC msg=audit(1.2:3): apparmor=\"DENIED\" operation=\"open\" profile=\"keyroster-agent\" name=\"/etc/x\" pid=7 \
                         comm=\"tokio-runtime-w\" requested_mask=\"r\" denied_mask=\"r\" fsuid=0 ouid=0\u{1d}FSUID=\"root\" OUID=\"root\"";
        assert_eq!(denial(by_auditd).unwrap().what, "open on /etc/x");
        let a_capability = "type=AVC msg=audit(1.2:3): apparmor=\"DENIED\" operation=\"capable\" profile=\"keyroster-sessions\" pid=7 \
                            comm=\"keyroster-sessi\" capability=1  capname=\"dac_override\"";
        assert_eq!(
            denial(a_capability).unwrap().what,
            "capable on dac_override"
        );
        assert_eq!(denial(&apparmor.replace("keyroster-agent", "cupsd")), None);
        assert_eq!(denial(&apparmor.replace("DENIED", "ALLOWED")), None);
        assert_eq!(denial(""), None);
    }

    const NOW_S: i64 = 1_800_000_000;

    fn record(at_s: i64) -> String {
        format!(
            "kernel: audit: type=1400 audit({at_s}.123:45): apparmor=\"DENIED\" operation=\"connect\" profile=\"/usr/sbin/sshd\" name=\"/run/x\" pid=7 comm=\"keyroster-looku\"\n"
        )
    }

    fn since_yesterday(logs: &[&Path], journal: Seen<Option<String>>) -> Seen<usize> {
        denials(logs, journal, NOW_S - LATELY_S).map(|found| found.len())
    }

    #[test]
    fn denials_of_the_last_day_count_and_older_ones_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("kern.log");
        let text: String = [NOW_S - 90_000, NOW_S - 3_600, NOW_S].map(record).concat();
        std::fs::write(&log, text).unwrap();
        let missing = dir.path().join("audit.log");
        let logs = [missing.as_path(), log.as_path()];
        assert_eq!(since_yesterday(&logs, Ok(None)), Ok(2));
        assert_eq!(since_yesterday(&logs, Ok(Some(record(NOW_S)))), Ok(3));
        let unseen = Unseen("the journal is not ours to read".to_owned());
        assert_eq!(since_yesterday(&logs, Err(unseen)), Ok(2));
    }

    /// Debian 12 and 13 have neither auditd nor rsyslog by default.
    #[test]
    fn a_host_that_has_only_a_journal_is_looked_at_there() {
        let stamped = record(NOW_S);
        let from_the_audit_socket = "AVC avc:  denied  { connectto } for  pid=7 comm=\"sshd\" tcontext=x tclass=y permissive=0\n";
        let none = Path::new("/no/such/log");
        for (text, denials) in [
            (String::new(), 0),
            (stamped, 1),
            (from_the_audit_socket.to_owned(), 1),
            (record(NOW_S - 90_000), 0),
        ] {
            assert_eq!(since_yesterday(&[none], Ok(Some(text))), Ok(denials));
        }
    }

    #[test]
    fn without_any_log_nothing_is_known() {
        let none = Path::new("/no/such/log");
        assert!(since_yesterday(&[none], Ok(None)).is_err());
        let unseen = Unseen("it did not answer".to_owned());
        assert_eq!(since_yesterday(&[none], Err(unseen.clone())), Err(unseen));
    }

    #[test]
    fn a_log_that_is_there_and_can_not_be_read_is_no_verdict() {
        let dir = tempfile::tempdir().unwrap();
        assert!(since_yesterday(&[dir.path()], Ok(Some(String::new()))).is_err());
    }

    #[test]
    fn profiles_have_modes() {
        assert_eq!(
            profiles("/usr/sbin/sshd (enforce)\nx y (complain)\n"),
            [
                ("/usr/sbin/sshd".to_owned(), "enforce".to_owned()),
                ("x y".to_owned(), "complain".to_owned())
            ]
        );
    }
}
