//! Completions for the shells whose files distributions have a place for.

use std::fs;
use std::io;
use std::path::Path;

use clap_complete::Shell;

use crate::programs::Program;

/// Writes one directory a shell, with the file names that the shells look for.
pub fn write(dir: &Path, program: &Program) -> io::Result<()> {
    let name = program.command.get_name().to_owned();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let dir = dir.join(shell.to_string());
        fs::create_dir_all(&dir)?;
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut program.command.clone(), &name, &mut script);
        fs::write(dir.join(file_name(shell, &name)), script)?;
    }
    Ok(())
}

fn file_name(shell: Shell, name: &str) -> String {
    match shell {
        Shell::Zsh => format!("_{name}"),
        Shell::Fish => format!("{name}.fish"),
        _ => name.to_owned(),
    }
}
