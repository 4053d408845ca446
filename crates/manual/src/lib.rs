//! Manual pages and shell completions, from the very definitions that the programs parse with.
//!
//! A crate of its own, because it links every program: neither the programs nor `cargo xtask` should carry the makers of
//! pages. What has a parser of its own (lookup and sessions, which use next to no libraries) has a page written by hand in
//! `packaging/man`; pages about files are made of the examples in `packaging/examples`, which name every setting.

mod completions;
mod files;
mod pages;
mod programs;
mod roff;

use std::fs;
use std::io;
use std::path::Path;

/// Writes `man/` and `completions/` below `dir`.
///
/// # Errors
/// When a file can't be written.
pub fn write(dir: &Path) -> io::Result<()> {
    let man = dir.join("man");
    fs::create_dir_all(&man)?;
    for program in programs::all() {
        pages::write(&man, &program)?;
        completions::write(&dir.join("completions"), &program)?;
    }
    files::write(&man)
}
