//! In which files and lines a key command stands: by the same tree of sshd's configuration that doctor names places with.

use keyroster_sshd::tree::{Place, Setting, Tree};

use crate::enable::drop_in;
use crate::enable::places::Places;

/// Where a key command with such a program is set, as `FILE:LINE`, or that no file says so.
#[must_use]
pub fn of_program(places: &Places, wanted: impl Fn(&str) -> bool) -> String {
    let found = lines(places, "AuthorizedKeysCommand", wanted);
    match found.is_empty() {
        true => "in no file that can be read".to_owned(),
        false => {
            let found: Vec<String> = found.iter().map(Place::to_string).collect();
            found.join(", ")
        }
    }
}

/// Every line that sets such a command, whether or not it wins.
#[must_use]
pub fn lines(places: &Places, keyword: &str, wanted: impl Fn(&str) -> bool) -> Vec<Place> {
    // Only for naming: what sshd says decides.
    let tree = Tree::read(places.sshd.config()).unwrap_or_default();
    let tree = tree.with_overrides(places.sshd.overrides());
    let is_wanted = |setting: &&Setting| drop_in::program_of(&setting.value).is_some_and(&wanted);
    let settings = tree.settings(keyword).filter(is_wanted);
    settings.map(|setting| setting.place.clone()).collect()
}
