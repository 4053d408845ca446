//! Programs: started without a shell, with nothing of the caller's environment that could change them, ended when they take too
//! long, and read up to a bound.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, poll};

use crate::SshdError;

/// What became of a program that ran to its end.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Finished {
    /// Standard output of a program that succeeded.
    ///
    /// # Errors
    /// When it did not, with what it said.
    pub fn success(self, what: &'static str) -> Result<String, SshdError> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        Err(SshdError::Failed {
            what,
            said: self.said(),
        })
    }

    /// What it complained about, or else printed, in one line for people.
    #[must_use]
    pub fn said(&self) -> String {
        let text = [&self.stderr, &self.stdout]
            .into_iter()
            .find(|text| !text.trim().is_empty());
        match text {
            Some(text) => one_line(text),
            None => self.status.to_string(),
        }
    }
}

/// Runs a program without input to its end.
///
/// # Errors
/// When it can't be started, or is not done after `limit`; then it was killed.
pub fn finish(command: &mut Command, limit: Duration) -> Result<Finished, SshdError> {
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = bare(command).spawn().map_err(|err| SshdError::Start {
        program: program.clone(),
        err,
    })?;
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    let status = wait(&mut child, limit);
    if status.is_none() {
        end(&mut child);
        return Err(SshdError::TooSlow { program, limit });
    }
    let (stdout, stderr) = (text_of(stdout), text_of(stderr));
    match status {
        Some(status) => Ok(Finished {
            status,
            stdout,
            stderr,
        }),
        None => Err(SshdError::TooSlow { program, limit }),
    }
}

/// Gives a program the environment of a service and no other: no locale that changes its words, no variable that changes
/// what it loads.
pub fn bare(command: &mut Command) -> &mut Command {
    let set: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    command.env_clear().env("PATH", PATH).env("LC_ALL", "C");
    command.envs(set)
}

/// Waits for a child; none when it is still running after `limit`.
pub fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < until => pause(LOOK_AGAIN),
            Ok(None) | Err(_) => return None,
        }
    }
}

/// Kills a child and takes its exit status.
pub fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Lets this much time pass.
pub fn pause(time: Duration) {
    if let Ok(time) = Timespec::try_from(time) {
        let _ = poll(&mut [], Some(&time));
    }
}

/// Text of others as it may stand in one line of ours.
#[must_use]
pub fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    line.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .take(MAX_SAID_CHARS)
        .collect()
}

/// Reads in a thread of its own, so that a full pipe never holds the program up; what is over the bound is thrown away.
fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.by_ref().take(MAX_OUTPUT_BYTES).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        bytes
    })
}

/// A child of the program's that holds the pipe open keeps us no longer than this thread lives.
fn text_of(reader: Option<JoinHandle<Vec<u8>>>) -> String {
    let Some(reader) = reader else {
        return String::new();
    };
    let until = Instant::now() + PIPE_LIMIT;
    while !reader.is_finished() {
        if Instant::now() >= until {
            return String::new();
        }
        pause(LOOK_AGAIN);
    }
    String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned()
}

/// The longest that sshd may take to read its configuration: it looks up names of services, groups and addresses.
pub const CHECK_LIMIT: Duration = Duration::from_secs(20);

/// The longest that another program of the system may take.
pub const TOOL_LIMIT: Duration = Duration::from_secs(30);

/// Bytes of output that are kept.
const MAX_OUTPUT_BYTES: u64 = 1024 * 1024;
/// Characters of what a program said that are shown.
const MAX_SAID_CHARS: usize = 600;
/// The longest that output is waited for once a program has ended.
const PIPE_LIMIT: Duration = Duration::from_secs(2);
/// Between two looks at a child.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_takes_too_long_is_killed() {
        let failure = finish(&mut shell("exec sleep 600"), Duration::from_millis(200)).unwrap_err();
        assert!(matches!(failure, SshdError::TooSlow { .. }), "{failure}");
    }

    #[test]
    fn output_beyond_the_bound_is_read_and_thrown_away() {
        let done = finish(&mut shell("head -c 3000000 /dev/zero"), TOOL_LIMIT).unwrap();
        assert!(done.status.success());
        assert_eq!(done.stdout.len(), 1024 * 1024);
    }

    #[test]
    fn what_a_program_says_becomes_one_line_without_control_characters() {
        let done = finish(
            &mut shell("printf 'line 3: bad\\033[2J\\n  word\\r\\n' >&2; exit 3"),
            TOOL_LIMIT,
        )
        .unwrap();
        assert_eq!(done.said(), "line 3: bad?[2J word");
    }

    #[test]
    fn nothing_of_the_callers_environment_reaches_a_program_but_what_was_set_for_it() {
        let mut command = shell("echo \"$HOME|$LC_ALL|$KEPT\"");
        command.env("KEPT", "yes");
        assert_eq!(finish(&mut command, TOOL_LIMIT).unwrap().stdout, "|C|yes\n");
    }
}
