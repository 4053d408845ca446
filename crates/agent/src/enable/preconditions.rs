//! What must hold before sshd is told to ask keyroster. Everything that does not hold is told at once, and nothing is changed.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use keyroster_sshd::account::{Account, group_exists};
use keyroster_sshd::check::Verdict;
use keyroster_sshd::run::{TOOL_LIMIT, finish};
use keyroster_sshd::service::systemd_runs;
use keyroster_sshd::{Connection, Effective};

use crate::config::Config;
use crate::enable::args::EnableArgs;
use crate::enable::error::{EnableError, Unmet};
use crate::enable::places::{Lookup, Places};
use crate::enable::{drop_in, whereabouts};
use crate::status;

/// Looks at everything; what does not hold.
///
/// # Errors
/// When it can't be looked at.
pub fn unmet(
    args: &EnableArgs,
    places: &Places,
    config: &Config,
    accounts: &[String],
) -> Result<Vec<Unmet>, EnableError> {
    let mut unmet = Vec::new();
    unmet.extend(host_agent(config, &places.lookup));
    unmet.extend(trusted(&places.lookup.program));
    unmet.extend(user(&places.lookup)?);
    if let Some(group) = &args.match_group
        && !group_exists(group.as_str())?
    {
        unmet.push(Unmet::new(
            format!("there is no group \"{group}\""),
            format!("groupadd {group}, and add accounts to it"),
        ));
    }
    match places.sshd.check()? {
        Verdict::Broken(said) => unmet.push(Unmet::new(
            format!("sshd refuses its configuration as it is: {said}"),
            "mend it first; nothing of keyroster is in it",
        )),
        Verdict::Sound => unmet.extend(foreign(places, accounts)?),
    }
    Ok(unmet)
}

/// The host agent must answer, from a snapshot that the key server vouched for lately. A host that asks with `direct` has none.
fn host_agent(config: &Config, lookup: &Lookup) -> Option<Unmet> {
    if !chain(lookup)
        .split_ascii_whitespace()
        .any(|word| word == "agent")
    {
        return None;
    }
    let Some(lines) = status::ask_daemon(&config.socket) else {
        return Some(Unmet::new(
            format!(
                "the host agent does not answer on \"{}\"",
                config.socket.display()
            ),
            "`keyroster-agent enroll` if that was not done, then `systemctl enable --now keyroster-agent`",
        ));
    };
    let state = lines.iter().find_map(|line| line.strip_prefix("state "));
    if state == Some(FRESH) {
        return at_the_next_boot();
    }
    Some(Unmet::new(
        format!(
            "the host agent is {}",
            state.unwrap_or("in an unknown state")
        ),
        "`keyroster-agent status` says why; the key server must be in reach",
    ))
}

/// A host agent that answers now and is not started with the host would lock everybody out then. Distributions differ in what they
/// enable of what they install.
fn at_the_next_boot() -> Option<Unmet> {
    if !systemd_runs() {
        return None;
    }
    let mut command = Command::new("systemctl");
    let said = finish(command.args(["is-enabled", "--", UNIT]), TOOL_LIMIT).ok()?;
    (said.stdout.trim() == DISABLED).then(|| {
        Unmet::new(
            format!("{UNIT} would not be started at the next boot"),
            format!("systemctl enable {UNIT}"),
        )
    })
}

const UNIT: &str = "keyroster-agent.service";
/// As systemctl(1) says it, `is-enabled`.
const DISABLED: &str = "disabled";

/// What stands behind `authorized_keys:` in lookup's settings.
fn chain(lookup: &Lookup) -> String {
    let text = std::fs::read_to_string(lookup.settings()).unwrap_or_default();
    let chain = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("authorized_keys:"));
    chain.unwrap_or("agent").to_owned()
}

/// sshd runs a program only if nobody but root can have put it there.
fn trusted(program: &Path) -> Option<Unmet> {
    let shown = program.display();
    let Ok(real) = program.canonicalize() else {
        return Some(Unmet::new(
            format!("there is no \"{shown}\""),
            "install the package keyroster-host",
        ));
    };
    for part in real.ancestors() {
        let root_only = part
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.uid() == 0 && metadata.mode() & 0o022 == 0);
        if !root_only {
            return Some(Unmet::new(
                format!(
                    "sshd would not run \"{shown}\": others than root can change \"{}\"",
                    part.display()
                ),
                format!("chown root \"{0}\" && chmod go-w \"{0}\"", part.display()),
            ));
        }
    }
    let executable = real
        .metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o111 == 0o111);
    (!executable).then(|| {
        Unmet::new(
            format!("not everybody can execute \"{shown}\""),
            format!("chmod 755 \"{shown}\""),
        )
    })
}

/// The user of the key command has nothing that is worth having.
fn user(lookup: &Lookup) -> Result<Option<Unmet>, EnableError> {
    let name = &lookup.user;
    let Some(account) = Account::find(name.as_str())? else {
        return Ok(Some(Unmet::new(
            format!("there is no user \"{name}\""),
            "`systemd-sysusers`, or install the package keyroster-host",
        )));
    };
    let groups = account.groups()?;
    let mut others = groups.iter().skip(1).peekable();
    if account.uid == 0 || others.peek().is_some() {
        let others: Vec<&str> = others.map(String::as_str).collect();
        return Ok(Some(Unmet::new(
            format!("\"{name}\" is root, or in the groups {others:?}: lookup refuses to run so"),
            format!("`gpasswd --delete {name} GROUP` for each"),
        )));
    }
    Ok(None)
}

/// Somebody else's key command is never pushed aside: sshd runs one.
fn foreign(places: &Places, accounts: &[String]) -> Result<Option<Unmet>, EnableError> {
    for account in accounts {
        let effective = places.sshd.effective(&Connection::local(account)?)?;
        if let Some(unmet) = foreign_in(places, &effective) {
            return Ok(Some(unmet));
        }
    }
    Ok(None)
}

fn foreign_in(places: &Places, effective: &Effective) -> Option<Unmet> {
    let command = effective.key_command()?;
    let program = effective.key_program()?;
    if drop_in::is_lookup(program) || is_chained(&places.lookup, program) {
        return None;
    }
    Some(Unmet::new(
        format!(
            "sshd runs another key command: `{command}` ({})",
            whereabouts::of_program(places, |found| found == program)
        ),
        format!(
            "to keep it, make it a source of lookup's: `authorized_keys: agent command:{program}` in \"{}\", or by a name with its arguments (docs/chain.md)",
            places.lookup.settings().display()
        ),
    ))
}

/// Whether lookup asks this program itself: by its path, or by a name that a line of its own explains.
fn is_chained(lookup: &Lookup, program: &str) -> bool {
    let settings = std::fs::read_to_string(lookup.settings()).unwrap_or_default();
    let chain = chain(lookup);
    let mut sources = chain
        .split_ascii_whitespace()
        .filter_map(|word| word.strip_prefix("command:"));
    sources.any(|source| source == program || named(&settings, source) == Some(program))
}

/// The program of `command.NAME: /path/to/program argument…`.
fn named<'a>(settings: &'a str, name: &str) -> Option<&'a str> {
    let line = settings.lines().find_map(|line| {
        let rest = line.trim().strip_prefix("command.")?;
        rest.strip_prefix(name)?.strip_prefix(':')
    });
    line?.split_ascii_whitespace().next()
}

const FRESH: &str = "fresh";
