//! The terminal: what it can show, and a question whose answer it does not show.

use std::io::{self, IsTerminal as _, Write as _};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use secrecy::zeroize::Zeroizing;

use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// Whether each output may be styled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Styles {
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
}

impl Styles {
    /// Styles go to terminals, unless colour is not wanted.
    pub(crate) fn detect(no_color: bool) -> Self {
        Self {
            stdout: !no_color && io::stdout().is_terminal(),
            stderr: !no_color && io::stderr().is_terminal(),
        }
    }
}

/// Text in bold, where styles are wanted.
pub(crate) fn bold(text: &str, styled: bool) -> String {
    match styled {
        true => format!("\u{1b}[1m{text}\u{1b}[0m"),
        false => text.to_owned(),
    }
}

/// Asks on the terminal, which echoes nothing until the line is complete.
///
/// Ctrl-C ends the line instead of the process, since a process that dies here would leave the terminal mute.
pub(crate) fn ask_hidden(question: &str, max_bytes: usize) -> Result<Zeroizing<String>> {
    let refused = |error: io::Error| {
        Failure::new(Exit::NoInput, format!("can't ask on the terminal: {error}"))
    };
    let _mute = Mute::begin().map_err(refused)?;
    write!(io::stderr(), "{question}").map_err(refused)?;
    let mut line = Zeroizing::new(vec![0; max_bytes]);
    let length = rustix::io::read(io::stdin(), line.as_mut_slice())
        .map_err(|error| refused(error.into()))?;
    // The answer's own line end was not echoed either. If this fails, nothing is lost.
    let _ = writeln!(io::stderr());
    let answer = line.get(..length).unwrap_or_default();
    if answer.is_empty() || answer.contains(&CTRL_C) {
        return Err(Failure::new(Exit::NoInput, "no token was entered"));
    }
    match std::str::from_utf8(answer) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(Failure::new(Exit::Data, "what was entered is not text")),
    }
}

/// The terminal without echo; dropped, it is as it was.
struct Mute(Termios);

impl Mute {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut mute = before.clone();
        mute.local_modes -= LocalModes::ECHO | LocalModes::ISIG;
        mute.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
        tcsetattr(io::stdin(), OptionalActions::Flush, &mute)?;
        Ok(Self(before))
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        // A terminal that has gone away needs no echo.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// What the terminal sends for Ctrl-C.
const CTRL_C: u8 = 3;
