//! Running another program to its end, or to the deadline.
//!
//! The child leads a process group of its own, so that whatever it has started ends with it: sshd waits until nobody holds
//! our standard output, and a child's children are where such things hang. Output is handed on piece by piece and never held
//! whole. What it was may be used only once the program has ended with success (the rule that sshd applies to us).

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use crate::deadline::Deadline;
use crate::outcome::Why;
use crate::sys::{self, GroupGuard, Interest};
use crate::trust::trusted_program;

/// The environment of every child, whole.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Length of one read, in bytes.
const READ: usize = 4 * 1024;

/// Longest single write that never blocks once `poll` has seen room, in bytes: Linux's `PIPE_BUF`.
const ATOMIC_WRITE: usize = 4 * 1024;

/// Runs `program`, writes `input` to it and hands its output to `take`, which returns what is wrong with it to stop early.
pub(super) fn run(
    program: &Path,
    arguments: &[&str],
    input: Option<&[u8]>,
    deadline: Deadline,
    mut take: impl FnMut(&[u8]) -> Result<(), Why>,
) -> Result<ExitStatus, Why> {
    let program = trusted_program(program)?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .process_group(0);
    command.stdin(if input.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    });
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    sys::die_with_parent(&mut command);
    let mut child = command.spawn().map_err(|_| Why::NotStarted)?;
    let group = GroupGuard::new(child.id()).map_err(|_| Why::NotStarted)?;
    let talked = talk(&mut child, input, deadline, &mut take);
    let ended = talked.and_then(|()| await_end(&group, deadline));
    let killed = group.kill();
    match ended {
        // A program that has become another user can't be ended from here, and is not waited for: others may still answer.
        Err(why) if killed.is_err() => Err(why),
        ended => {
            let status = child.wait().map_err(|_| Why::Io);
            ended.and(status)
        }
    }
}

fn talk(
    child: &mut Child,
    input: Option<&[u8]>,
    deadline: Deadline,
    take: &mut impl FnMut(&[u8]) -> Result<(), Why>,
) -> Result<(), Why> {
    if let (Some(stdin), Some(input)) = (child.stdin.take(), input) {
        feed(stdin, input, deadline).map_err(why)?;
    }
    match child.stdout.take() {
        Some(stdout) => drain(stdout, deadline, take),
        None => Ok(()),
    }
}

/// Writes `input` and closes the pipe. A child that does not read it to the end may still have an answer.
fn feed(mut stdin: ChildStdin, input: &[u8], deadline: Deadline) -> io::Result<()> {
    for mut piece in input.chunks(ATOMIC_WRITE) {
        while !piece.is_empty() {
            sys::poll(stdin.as_fd(), Interest::Write, deadline)?;
            match stdin.write(piece) {
                Ok(written) => piece = piece.get(written..).unwrap_or_default(),
                Err(err) if err.kind() == ErrorKind::BrokenPipe => return Ok(()),
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                Err(err) => return Err(err),
            }
        }
    }
    Ok(())
}

fn drain(
    mut stdout: ChildStdout,
    deadline: Deadline,
    take: &mut impl FnMut(&[u8]) -> Result<(), Why>,
) -> Result<(), Why> {
    let mut buffer = vec![0; READ];
    loop {
        sys::poll(stdout.as_fd(), Interest::Read, deadline).map_err(why)?;
        match stdout.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => take(buffer.get(..count).unwrap_or_default())?,
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            Err(err) => return Err(why(err)),
        }
    }
}

/// Waits for the end of a child that has closed its output. On a kernel without process descriptors the watchdog bounds it.
fn await_end(group: &GroupGuard, deadline: Deadline) -> Result<(), Why> {
    match group.exit_event() {
        Ok(event) => sys::poll(event.as_fd(), Interest::Read, deadline).map_err(why),
        Err(_) => Ok(()),
    }
}

fn why(err: io::Error) -> Why {
    if err.kind() == ErrorKind::TimedOut {
        Why::Deadline
    } else {
        Why::Io
    }
}
