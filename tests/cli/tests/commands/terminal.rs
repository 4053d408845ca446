//! A terminal of a test's own.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use keyroster_testkit::{Failure, Result};
use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// Both ends of it: the one that a person looks at, and the one that programs have.
pub struct Terminal {
    person: File,
    program: File,
    seen: String,
}

impl Terminal {
    pub fn open() -> Result<Self> {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).map_err(failed)?;
        grantpt(&person).map_err(failed)?;
        unlockpt(&person).map_err(failed)?;
        let name = ptsname(&person, Vec::new()).map_err(failed)?;
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let program = rustix::fs::open(name, flags, rustix::fs::Mode::empty()).map_err(failed)?;
        tcsetwinsize(&program, SIZE).map_err(failed)?;
        Ok(Self {
            person: person.into(),
            program: program.into(),
            seen: String::new(),
        })
    }

    /// Runs a program in it, except for its standard output, which a test reads for itself.
    pub fn spawn(&self, command: &mut Command) -> Result<Child> {
        let end = || self.program.try_clone().map(Stdio::from).map_err(failed);
        command
            .stdin(end()?)
            .stdout(Stdio::piped())
            .stderr(end()?)
            .spawn()
            .map_err(failed)
    }

    /// Looks at the screen until this stands there.
    pub fn wait_for(&mut self, text: &str) -> Result {
        let mut bytes = [0; 1024];
        while !self.seen.contains(text) {
            let length = self.person.read(&mut bytes).map_err(failed)?;
            self.seen.push_str(&String::from_utf8_lossy(
                bytes.get(..length).unwrap_or_default(),
            ));
        }
        Ok(())
    }

    /// Everything that was shown until now.
    pub fn end(&mut self) -> Result<&str> {
        self.program.write_all(END.as_bytes()).map_err(failed)?;
        self.wait_for(END)?;
        Ok(&self.seen)
    }

    pub fn type_in(&mut self, text: &str) -> Result {
        self.person.write_all(text.as_bytes()).map_err(failed)
    }

    pub fn echoes(&self) -> Result<bool> {
        Ok(tcgetattr(&self.program)
            .map_err(failed)?
            .local_modes
            .contains(LocalModes::ECHO))
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}

/// A usual one.
const SIZE: Winsize = Winsize {
    ws_row: 24,
    ws_col: 80,
    ws_xpixel: 0,
    ws_ypixel: 0,
};

/// A mark behind everything that was shown.
const END: &str = "end of it";
