//! Which libraries a program needs, and which version of them.
//!
//! Read from the versions of the symbols in the program itself. `dpkg-shlibdeps` asks the libraries of the machine that it runs on instead: for
//! programs that were linked against an older glibc than this machine's, its answer shuts out systems on which they run.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use keyroster_testkit::{Failure, Result};

use crate::shell;

/// Debian's packages with the version that is needed at least: `libc6 (>= 2.30)`.
pub fn of(programs: &[&Path]) -> Result<Vec<String>> {
    let mut needed: BTreeMap<&str, Version> = BTreeMap::new();
    for program in programs {
        let headers = shell::output(
            Command::new("objdump")
                .env("LC_ALL", "C")
                .arg("-p")
                .arg(program),
        )?;
        for (package, version) in required(&headers)? {
            let most = needed.entry(package).or_default();
            *most = version.max(most.clone());
        }
    }
    let shown = needed.into_iter().map(|(package, version)| {
        let numbers: Vec<String> = version.iter().map(u64::to_string).collect();
        format!("{package} (>= {})", numbers.join("."))
    });
    Ok(shown.collect())
}

type Version = Vec<u64>;

/// The lines `required from libc.so.6:`, each with the versions that follow it.
fn required(headers: &str) -> Result<Vec<(&'static str, Version)>> {
    let mut found = Vec::new();
    let mut package = None;
    for line in headers.lines().map(str::trim) {
        if let Some(library) = line.strip_prefix("NEEDED") {
            owner(library.trim())?;
        } else if let Some(library) = line.strip_prefix("required from ") {
            package = Some(owner(library.trim_end_matches(':'))?);
        } else if let (Some(package), Some((_, version))) = (package, line.rsplit_once('_')) {
            let numbers: Option<Version> = version.split('.').map(|one| one.parse().ok()).collect();
            found.extend(numbers.map(|numbers| (package, numbers)));
        }
    }
    Ok(found)
}

fn owner(library: &str) -> Result<&'static str> {
    let known = OWNERS.iter().find(|(name, _)| *name == library);
    known
        .map(|(_, package)| *package)
        .ok_or_else(|| Failure::new(format!("no package is known to hold \"{library}\"")))
}

const OWNERS: [(&str, &str); 6] = [
    ("libc.so.6", "libc6"),
    ("libm.so.6", "libc6"),
    ("libdl.so.2", "libc6"),
    ("libpthread.so.0", "libc6"),
    ("ld-linux-x86-64.so.2", "libc6"),
    ("libgcc_s.so.1", "libgcc-s1"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_and_belong_to_the_library_above_them() {
        let headers = "  NEEDED               libm.so.6\n\nVersion References:\n  required from libgcc_s.so.1:\n    0x09276060 0x00 10 GCC_4.2.0\n  \
                       required from libc.so.6:\n    0x06969190 0x00 08 GLIBC_2.9\n    0x06969190 0x00 08 GLIBC_2.30\n";
        let found = required(headers).unwrap();
        assert_eq!(
            found.iter().map(|(_, version)| version).max(),
            Some(&vec![4, 2, 0])
        );
        let libc = found.iter().filter(|(package, _)| *package == "libc6");
        assert_eq!(libc.map(|(_, version)| version).max(), Some(&vec![2, 30]));
    }

    #[test]
    fn a_library_that_nobody_knows_stops_the_package() {
        let refused = required("  NEEDED               libssl.so.3\n").unwrap_err();
        assert!(refused.to_string().contains("libssl.so.3"));
    }
}
