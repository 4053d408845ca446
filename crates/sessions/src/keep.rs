//! `keep`: brings reports from memory to the disk.
//!
//! A process of its own, which no login waits for. What can't be written stays in memory: the host agent finds it there, and
//! tries again to bring it to the disk.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use keyroster_wire::ReportId;

use crate::args::{Settings, UserRef, Verb};
use crate::error::Error;
use crate::log::{Log, Severity};
use crate::passwd;
use crate::spool::Spool;

/// Starts it, and does not wait.
pub(crate) fn start(settings: &Settings) -> io::Result<()> {
    let agent_user = match &settings.agent_user {
        UserRef::Uid(uid) => uid.to_string(),
        UserRef::Name(name) => name.clone(),
    };
    Command::new("/proc/self/exe")
        .arg(Verb::Keep.as_str())
        .arg(format!("--agent-user={agent_user}"))
        .args(
            [
                ("--dir=", &settings.dir),
                ("--spool=", &settings.spool),
                ("--log-socket=", &settings.log_socket),
            ]
            .map(|(option, path)| {
                let mut argument = std::ffi::OsString::from(option);
                argument.push(path);
                argument
            }),
        )
        .env_clear()
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(drop)
}

/// Brings all of them.
pub(crate) fn keep(settings: &Settings) {
    if let Err(err) = bring(settings) {
        Log::to(&settings.log_socket).say(
            Severity::Error,
            format_args!("reports stay in memory, where they are lost when the host is: {err}"),
        );
    }
}

fn bring(settings: &Settings) -> Result<(), Error> {
    let gid = passwd::gid_of(&settings.agent_user)?;
    let memory = Spool::in_memory(&settings.dir, gid)?;
    let disk = Spool::open(&settings.spool, gid)?;
    let reports = memory.all().map_err(|err| Error::io(&settings.dir, err))?;
    reports
        .into_iter()
        .try_for_each(|id| bring_one(&memory, &disk, id))
}

fn bring_one(memory: &Spool, disk: &Spool, id: ReportId) -> Result<(), Error> {
    let failed = |err| Error::io(id.to_string(), err);
    if let Some(report) = memory.get(id).map_err(failed)? {
        disk.put(&report)?;
        memory.remove(id).map_err(failed)?;
    }
    Ok(())
}
