//! Standard output: one buffer, one write.

use std::io::{self, ErrorKind};

use crate::{exit, sys};

/// Prints each line with a newline; returns the exit code.
pub(crate) fn print_lines(lines: &[String]) -> u8 {
    let mut buffer = String::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
    for line in lines {
        buffer.push_str(line);
        buffer.push('\n');
    }
    print(buffer.as_bytes())
}

/// Prints `bytes`; returns the exit code.
///
/// A reader that has gone is success: sshd closes its end once it has seen enough, and a failing exit would make it discard
/// what it has. Any other failure may have lost lines, so it must look like one.
pub(crate) fn print(bytes: &[u8]) -> u8 {
    match write_all(bytes) {
        Ok(()) => exit::OK,
        Err(err) if err.kind() == ErrorKind::BrokenPipe => exit::OK,
        Err(_) => exit::UNAVAILABLE,
    }
}

fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match sys::write_stdout(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    Ok(())
}
