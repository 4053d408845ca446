//! Whether sshd does what stands in its files.

use std::path::PathBuf;

use crate::doctor::finding::{Finding, rules};

rules! {
    NOT_RELOADED = Warning "sshd-not-reloaded": "a file of sshd's configuration changed after sshd has read it",
        "what is said here is what sshd will do once it has read its files again; until then it does what stood there before",
        Run "sshd -t && systemctl reload ssh";
}

/// The verdict; none where nobody can tell when sshd has read its files.
#[must_use]
pub fn check(changed: Option<&[PathBuf]>) -> Option<Finding> {
    let changed = changed?;
    let words = changed.first().map(|first| {
        let more = match changed.len() {
            1 => String::new(),
            all => format!(" and {} more", all - 1),
        };
        format!(
            "\"{}\"{more} changed after sshd has read it",
            first.display()
        )
    });
    let holds = "sshd has read its files as they are now";
    Some(Finding::judge(&NOT_RELOADED, words, holds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::broken;

    #[test]
    fn files_that_are_newer_than_the_last_reading_are_told_and_ignorance_is_not() {
        assert_eq!(check(None), None);
        assert_eq!(broken(&[check(Some(&[])).unwrap()]), [""; 0]);
        let changed = ["/a".into(), "/b".into()];
        let finding = check(Some(&changed)).unwrap();
        assert_eq!(
            broken(std::slice::from_ref(&finding)),
            ["sshd-not-reloaded"]
        );
        assert!(finding.what.starts_with("\"/a\" and 1 more "));
    }
}
