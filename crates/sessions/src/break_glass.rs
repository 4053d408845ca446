//! Whether a login rests on a break-glass key, and telling so.
//!
//! sshd tries `AuthorizedKeysFile` before it runs the key command (OpenSSH 8.1 and later), so a key that stands in the account's
//! break-glass file was let in by that file. What is compared is the key that proved itself, as PAM says, with what stands in the
//! file now. A line counts if the key is any word of it, whatever else is wrong with it: telling of a use too many is
//! harmless, and missing one is not.
//!
//! The login is logged before anything is written. The report is put into memory, where that can't take long, and brought to the
//! disk by a process of its own: a disk that hangs holds up no login, and least of all this one.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use keyroster_keys::line::base64;
use keyroster_keys::{AccountName, Fingerprint};
use keyroster_wire::{Report, ReportId, ReportKind};
use rustix::fs::OFlags;

use crate::args::Settings;
use crate::drill::Drill;
use crate::error::Error;
use crate::keep;
use crate::log::{Log, Severity};
use crate::login::{Monitor, now_s};
use crate::pam::Login;
use crate::passwd;
use crate::spool::Spool;

/// Tells of each break-glass key that the login rests on. Whatever goes wrong is logged, and the login goes on.
pub(crate) fn note(settings: &Settings, log: &Log, login: &Login, monitor: &Monitor) {
    let Some(account) = &login.account else {
        return;
    };
    let file = match read(&settings.break_glass.join(account.as_str())) {
        Ok(None) => return,
        Ok(Some(file)) => file,
        Err(err) => {
            return log.say(
                Severity::Error,
                format_args!("break-glass file of account={account} can't be read: {err}; a use of it is not told"),
            );
        }
    };
    let mut used = login
        .keys
        .iter()
        .filter(|(_, blob)| holds(&file, blob))
        .peekable();
    if used.peek().is_none() {
        return;
    }
    let drill = Drill::of(&settings.dir, monitor);
    for (key, _) in used {
        tell(settings, log, (account, key, monitor), drill.as_ref());
    }
    if let Err(err) = keep::start(settings) {
        log.say(
            Severity::Error,
            format_args!("reports are not brought to the disk: {err}"),
        );
    }
}

fn tell(
    settings: &Settings,
    log: &Log,
    (account, key, monitor): (&AccountName, &Fingerprint, &Monitor),
    drill: Option<&Drill>,
) {
    let pid = monitor.process.pid;
    let (kind, severity, what) = match drill {
        None => (
            ReportKind::BreakGlass,
            Severity::Alert,
            "break-glass key used",
        ),
        Some(_) => (ReportKind::Drill, Severity::Notice, "break-glass drill"),
    };
    log.say(
        severity,
        format_args!("{what}: account={account} key={key} pid={pid}"),
    );
    let written = report(kind, account, key).and_then(|report| put(settings, &report));
    if let Err(err) = written {
        log.say(
            Severity::Error,
            format_args!(
                "{what}, and the key server will not be told: account={account} key={key}: {err}"
            ),
        );
    }
    if let Some(drill) = drill {
        drill.saw(key);
    }
}

fn report(kind: ReportKind, account: &AccountName, key: &Fingerprint) -> Result<Report, Error> {
    let mut bytes = [0; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|err| Error::io("/dev/urandom", err))?;
    Ok(Report {
        kind,
        id: ReportId::from_random(bytes),
        account: account.to_string(),
        key: key.to_string(),
        at_s: now_s().cast_signed(),
    })
}

/// Into memory, or where that can't be done, on the disk.
fn put(settings: &Settings, report: &Report) -> Result<(), Error> {
    let gid = passwd::gid_of(&settings.agent_user)?;
    let in_memory = Spool::in_memory(&settings.dir, gid).and_then(|spool| spool.put(report));
    match in_memory {
        Ok(()) => Ok(()),
        Err(_) => Spool::open(&settings.spool, gid)?.put(report),
    }
}

/// The file's text; none when there is none. A pipe in its place does not hang the login.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = File::options()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path);
    let file = match file {
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    if !file.metadata()?.is_file() {
        return Err(ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    file.take(FILE_MAX).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Whether the key of this blob is a word of a line that is no comment.
fn holds(file: &[u8], blob: &[u8]) -> bool {
    file.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_start)
        .filter(|line| !line.starts_with(b"#"))
        .flat_map(|line| line.split(u8::is_ascii_whitespace))
        .filter_map(|word| base64::decode(str::from_utf8(word).ok()?))
        .any(|word| word == blob)
}

/// Bytes of a break-glass file that are read.
const FILE_MAX: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIIblrMfLnXm2ayl9XMZGrt14sajnxihWNdTNjwVCo8ux";

    #[test]
    fn a_key_is_found_wherever_in_a_line_it_stands_and_not_in_a_comment() {
        let blob = base64::decode(BODY).unwrap();
        for (text, expected) in [
            (format!("ssh-ed25519 {BODY}\n"), true),
            (
                format!("# safe\n\n  restrict,pty ssh-ed25519\t{BODY} safe 2"),
                true,
            ),
            (
                format!("cert-authority,nonsense=\"a b\" ssh-ed25519 {BODY}\r\n"),
                true,
            ),
            (format!("#ssh-ed25519 {BODY}\n"), false),
            (format!("  # ssh-ed25519 {BODY}\n"), false),
            (format!("ssh-ed25519 {}\n", &BODY[..BODY.len() - 4]), false),
            (String::new(), false),
        ] {
            assert_eq!(holds(text.as_bytes(), &blob), expected, "{text}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_none_and_a_directory_in_its_place_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(&dir.path().join("deploy")).unwrap(), None);
        assert!(read(dir.path()).is_err());
    }
}
