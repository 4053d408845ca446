//! What SELinux and AppArmor do here, and what they kept from happening.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::doctor::facts::Seen;

/// SELinux and AppArmor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelFacts {
    /// Whether SELinux enforces; none where it is off.
    pub selinux_enforces: Option<bool>,
    /// Whether AppArmor is on.
    pub apparmor: bool,
    /// The profiles that are loaded, each with its mode; none where they may not be read.
    pub profiles: Option<Vec<(String, String)>>,
    /// What was kept from happening lately, as far as a log of it can be read.
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
pub fn gather() -> KernelFacts {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    KernelFacts {
        selinux_enforces: read("/sys/fs/selinux/enforce").map(|text| text.trim() == "1"),
        apparmor: read("/sys/module/apparmor/parameters/enabled")
            .is_some_and(|text| text.trim() == "Y"),
        profiles: read("/sys/kernel/security/apparmor/profiles").map(|text| profiles(&text)),
        denials: denials_in(&LOGS),
    }
}

fn denials_in(logs: &[&str]) -> Seen<Vec<Denial>> {
    let mut found = Vec::new();
    for log in logs {
        match tail(Path::new(log)) {
            Ok(text) => found.extend(text.lines().filter_map(denial)),
            Err(err) if err.kind() == ErrorKind::NotFound => {}
            Err(err) => return Err(super::Unseen(format!("can't read \"{log}\": {err}"))),
        }
    }
    Ok(found)
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
            format!("{operation} on {}", field(line, "name=").unwrap_or("?"))
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
const TAIL_BYTES: u64 = 1 << 20;

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
        assert_eq!(denial(&apparmor.replace("keyroster-agent", "cupsd")), None);
        assert_eq!(denial(&apparmor.replace("DENIED", "ALLOWED")), None);
        assert_eq!(denial(""), None);
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
