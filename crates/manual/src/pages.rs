//! One manual page for a program and one for each of its verbs, as git has them: `keyroster-user-add(1)`.

use std::fs;
use std::io;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use crate::programs::Program;

/// Writes the program's pages into `dir`.
pub fn write(dir: &Path, program: &Program) -> io::Result<()> {
    let mut command = program.command.clone();
    // So that every verb knows the options that hold for all of them.
    command.build();
    let name = command.get_name().to_owned();
    page(dir, &command, &name, program.section)
}

fn page(dir: &Path, command: &Command, name: &str, section: &str) -> io::Result<()> {
    let verbs = command
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set() && verb.get_name() != "help");
    for verb in verbs {
        page(dir, verb, &format!("{name}-{}", verb.get_name()), section)?;
    }
    let titled = command.clone().display_name(name.to_owned());
    let source = format!("keyroster {}", env!("CARGO_PKG_VERSION"));
    let mut text = Vec::new();
    Man::new(titled)
        .title(name.to_uppercase())
        .section(section)
        .source(source)
        .manual("keyroster")
        .render(&mut text)?;
    fs::write(dir.join(format!("{name}.{section}")), text)
}
