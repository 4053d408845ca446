//! Exit codes: those of sysexits, so that a script can tell "not now" from "not you" without reading the text.

/// How a run ends when it does not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// The key server understood and said no: no such object, it exists already, its state does not allow it.
    Refused = 1,
    /// The command line is wrong.
    Usage = 64,
    /// What was given can't be used: a key, an option, an audit log whose chain is broken.
    Data = 65,
    /// A file that was named can't be read.
    NoInput = 66,
    /// The key server can't be reached or failed.
    Unavailable = 69,
    /// The answer could not be written.
    Io = 74,
    /// Try again later: too many requests, or it took too long, or a host has not confirmed yet.
    TempFail = 75,
    /// What answered does not speak the API.
    Protocol = 76,
    /// No valid token, or its role does not allow this.
    NoPermission = 77,
    /// The configuration is missing, wrong, or open to others.
    Config = 78,
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }
}

/// The run did what was asked.
pub(crate) const SUCCESS: u8 = 0;

#[cfg(test)]
mod tests {
    use super::Exit::{self, *};

    const ALL: [Exit; 10] = [
        Refused,
        Usage,
        Data,
        NoInput,
        Unavailable,
        Io,
        TempFail,
        Protocol,
        NoPermission,
        Config,
    ];

    #[test]
    fn the_manual_lists_every_exit_code_and_no_other() {
        let manual = include_str!("../../../docs/cli.md");
        for exit in ALL {
            let row = format!("| {} | {exit:?} |", exit.code());
            assert!(manual.contains(&row), "{row}");
        }
        let is_row = |line: &&str| {
            line.strip_prefix("| ")
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        assert_eq!(
            manual.lines().filter(is_row).count(),
            ALL.len() + 1,
            "and success"
        );
    }
}
