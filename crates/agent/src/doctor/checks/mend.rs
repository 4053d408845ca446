//! Command lines that mend sshd's configuration where the line stands that wins.
//!
//! A line is replaced where it is, so that the order of files and the block around it stay as they are; only if it still begins with
//! its keyword, for the file may have changed since. What is set nowhere is set in the first line of the first file, which
//! beats every file and no `Match` block. The file of before stays beside it, and sshd reads the new one only after `sshd -t`.

use std::path::Path;

use keyroster_sshd::tree::{Login, Place};

use crate::doctor::checks::paths::{quoted, quoted_text};
use crate::doctor::facts::sshd::SshdFacts;
use crate::doctor::finding::Remedy;

/// Gives a keyword a value of ours for a login.
pub fn set(facts: &SshdFacts, login: &Login, keyword: &str, value: &str) -> Remedy {
    if keyword == LAST_WINS && facts.tree.settings("maxstartups").count() > 1 {
        return Remedy::judge(format!(
            "{keyword} stands in several places, of which some releases of sshd take the last: leave one of them, with {value}"
        ));
    }
    match facts.winner(keyword, login).map(|it| &it.place) {
        Some(Place::Line { file, number }) => {
            let script =
                format!("{number}s#^[[:space:]]*{keyword}[[:space:]=].*#{keyword} {value}#I");
            edit(facts, file, &script)
        }
        Some(Place::CommandLine(_)) => on_the_command_line(keyword),
        None => edit(facts, &facts.config, &format!("1i {keyword} {value}")),
    }
}

/// Takes away the line that wins for a login.
pub fn remove(facts: &SshdFacts, login: &Login, keyword: &str) -> Remedy {
    match facts.winner(keyword, login).map(|it| &it.place) {
        Some(Place::Line { file, number }) => {
            let script = format!("{number}{{/^[[:space:]]*{keyword}[[:space:]=]/Id}}");
            edit(facts, file, &script)
        }
        _ => on_the_command_line(keyword),
    }
}

/// Puts a line behind the one that wins for a login, into the same block.
pub fn behind(facts: &SshdFacts, login: &Login, keyword: &str, line: &str) -> Remedy {
    match facts.winner(keyword, login).map(|it| &it.place) {
        Some(Place::Line { file, number }) => edit(facts, file, &format!("{number}a {line}")),
        _ => on_the_command_line(keyword),
    }
}

fn edit(facts: &SshdFacts, file: &Path, script: &str) -> Remedy {
    Remedy::run(format!(
        "sed -i.bak {} {} && {} -t -f {} && systemctl reload ssh",
        quoted_text(script),
        quoted(file),
        quoted(&facts.program),
        quoted(&facts.config)
    ))
}

fn on_the_command_line(keyword: &str) -> Remedy {
    Remedy::judge(format!(
        "{keyword} is set by -o on sshd's command line: systemctl cat ssh shows where, systemctl edit ssh mends it"
    ))
}

/// Of most keywords the first value wins; OpenSSH 9.2 takes the last of this one.
const LAST_WINS: &str = "MaxStartups";

#[cfg(test)]
mod tests;
