//! Writes the corpus to files, for a look at it or for another program: `corpus SEED DIRECTORY`.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

use keyroster_openssh_compliance::corpus::{self, Class};
use keyroster_openssh_compliance::keys::{KeyName, Keys};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [seed, directory] = arguments.as_slice() else {
        return usage();
    };
    let Ok(seed) = seed.parse() else {
        return usage();
    };
    match write(seed, Path::new(directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!(
            "error: cannot write the corpus to \"{directory}\": {error}"
        )),
    }
}

fn write(seed: u64, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let keys = Keys::make(directory, &KeyName::ALL)
        .map_err(|failure| io::Error::other(failure.to_string()))?;
    for class in [
        Class::Good,
        Class::Unmet,
        Class::Bad,
        Class::Stricter,
        Class::Open,
    ] {
        let mut index = String::new();
        for (number, case) in corpus::of_class(class, &keys, seed).iter().enumerate() {
            let name = format!("{class:?}-{number:03}").to_lowercase();
            fs::write(directory.join(&name), &case.line)?;
            index.push_str(&format!(
                "{name}\t{}\t{}\n",
                case.key.as_str(),
                case.name.escape_debug()
            ));
        }
        fs::write(
            directory.join(format!("{class:?}.tsv").to_lowercase()),
            index,
        )?;
    }
    Ok(())
}

fn usage() -> ExitCode {
    fail("usage: corpus SEED DIRECTORY")
}

#[expect(clippy::print_stderr, reason = "what a program says to whoever ran it")]
fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(EX_USAGE)
}

/// From sysexits.
const EX_USAGE: u8 = 64;
