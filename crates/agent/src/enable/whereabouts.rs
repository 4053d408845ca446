//! In which files and lines a key command stands: by the same tree of sshd's configuration that doctor names places with.

use keyroster_sshd::tree::{Setting, Tree};

use crate::enable::drop_in;
use crate::enable::places::Places;

/// Where a key command with such a program is set, as `FILE:LINE`, or that no file says so.
#[must_use]
pub fn of_program(places: &Places, wanted: impl Fn(&str) -> bool) -> String {
    // Only for naming: what sshd says has decided already.
    let tree = Tree::read(places.sshd.config()).unwrap_or_default();
    let tree = tree.with_overrides(places.sshd.overrides());
    let is_wanted = |setting: &&Setting| drop_in::program_of(&setting.value).is_some_and(&wanted);
    let found: Vec<String> = tree
        .settings("AuthorizedKeysCommand")
        .filter(is_wanted)
        .map(|setting| setting.place.to_string())
        .collect();
    match found.is_empty() {
        true => "in no file that can be read".to_owned(),
        false => found.join(", "),
    }
}
