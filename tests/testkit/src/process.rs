//! Child processes: run one to its end under a deadline, or end one that is running.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{Failure, Result, until};

/// What became of a program that ran to its end.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Everything it printed.
    pub stdout: String,
    /// Everything it complained about.
    pub stderr: String,
}

impl Finished {
    /// The exit code; none when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Standard output of a program that must have succeeded; else a failure that shows what it said.
    pub fn success(self, what: &str) -> Result<String> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        Err(Failure::new(format!(
            "{what} ended with {}\n{}{}",
            self.status, self.stdout, self.stderr
        )))
    }
}

/// Runs a command without input to its end, and kills it when it takes longer than `limit`.
pub fn finish(command: &mut Command, limit: Duration) -> Result<Finished> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .spawn()
        .map_err(|error| Failure::new(format!("cannot run \"{name}\": {error}")))?;
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    let waited = until(&format!("\"{name}\" to end"), limit, || {
        exit_status(&mut child)
    });
    if waited.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let (stdout, stderr) = (text_of(stdout), text_of(stderr));
    match waited {
        Ok(status) => Ok(Finished {
            status,
            stdout,
            stderr,
        }),
        Err(failure) => Err(Failure::new(format!("{failure}\n{stdout}{stderr}"))),
    }
}

/// Ends a child with `signal` and takes its exit status; after `limit` it is killed.
pub fn stop(child: &mut Child, signal: Signal, limit: Duration) -> Result<ExitStatus> {
    if let Some(status) = exit_status(child)? {
        return Ok(status);
    }
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
    if let Ok(status) = until("a child to end", limit, || exit_status(child)) {
        return Ok(status);
    }
    let _ = child.kill();
    child
        .wait()
        .map_err(|error| Failure::new(format!("cannot wait for a child: {error}")))
}

fn exit_status(child: &mut Child) -> Result<Option<ExitStatus>> {
    child
        .try_wait()
        .map_err(|error| Failure::new(format!("cannot wait for a child: {error}")))
}

/// Reads in a thread of its own, so that a full pipe never holds the program up.
fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

fn text_of(reader: Option<JoinHandle<Vec<u8>>>) -> String {
    let bytes = reader
        .and_then(|reader| reader.join().ok())
        .unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_killed_and_its_output_shown() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo before; exec sleep 600"]);
        let failure = finish(&mut command, Duration::from_millis(300)).unwrap_err();
        assert!(failure.to_string().contains("before"), "{failure}");
    }

    #[test]
    fn output_larger_than_a_pipe_is_read_to_its_end() {
        let mut command = Command::new("head");
        command.args(["-c", "300000", "/dev/zero"]);
        assert_eq!(
            finish(&mut command, Duration::from_secs(20))
                .unwrap()
                .stdout
                .len(),
            300_000
        );
    }
}
