//! What gets into a file, and how it looks then.

use std::os::unix::fs::{MetadataExt as _, symlink};

use keyroster_keys::line::base64;
use keyroster_testkit::RootDir;

use super::*;

/// A key whose private half would be a file.
pub(crate) const PLAIN: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIblrMfLnXm2ayl9XMZGrt14sajnxihWNdTNjwVCo8ux";

/// The public half of a key that would be in a security key. There is no private half.
pub(crate) fn hardware(number: u8) -> String {
    let name = "sk-ssh-ed25519@openssh.com";
    let mut blob = Vec::new();
    for field in [name.as_bytes(), &[number; 32], b"ssh:"] {
        blob.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
        blob.extend(field);
    }
    format!("{name} {}", base64::encode(&blob))
}

struct Stage {
    root: RootDir,
    files: Files,
}

impl Stage {
    fn new() -> Self {
        let root = RootDir::named("keyroster-test-break-glass").unwrap();
        let files = Files::open(&root.path().join("break-glass")).unwrap();
        Self { root, files }
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("break-glass/deploy")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }
}

fn account() -> AccountName {
    AccountName::parse("deploy").unwrap()
}

fn key(number: u8) -> NewKey {
    let label = Comment::parse("safe 2").unwrap();
    NewKey::parse(&hardware(number), Some(&label), Accepted::Hardware, None).unwrap()
}

#[test]
fn a_key_is_one_line_with_its_label_in_a_file_of_roots_that_all_can_read() {
    let stage = Stage::new();
    assert_eq!(stage.files.add(&account(), &key(1)).unwrap(), Change::Made);
    assert_eq!(
        stage.text(),
        format!("restrict,pty {} safe 2\n", hardware(1))
    );
    let metadata = fs::metadata(stage.path()).unwrap();
    assert_eq!(
        (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777),
        (0, 0, 0o644)
    );
    let left = fs::read_dir(stage.path().parent().unwrap())
        .unwrap()
        .count();
    assert_eq!(left, 1);
}

#[test]
fn a_key_that_is_there_is_not_added_again_and_what_others_wrote_stays() {
    let stage = Stage::new();
    let theirs = format!("# from the old days\n{PLAIN} old");
    fs::write(stage.path(), &theirs).unwrap();
    assert_eq!(stage.files.add(&account(), &key(1)).unwrap(), Change::Made);
    assert_eq!(
        stage.files.add(&account(), &key(1)).unwrap(),
        Change::AlreadySo
    );
    let ours = format!("restrict,pty {} safe 2\n", hardware(1));
    assert_eq!(stage.text(), format!("{theirs}\n{ours}"));
}

#[test]
fn a_key_is_removed_and_the_file_with_the_last_one() {
    let stage = Stage::new();
    for number in [1, 2] {
        let _ = stage.files.add(&account(), &key(number)).unwrap();
    }
    let remove = |number| {
        stage
            .files
            .remove(&account(), key(number).fingerprint())
            .unwrap()
    };
    assert_eq!(remove(1), Change::Made);
    assert_eq!(
        stage.text(),
        format!("restrict,pty {} safe 2\n", hardware(2))
    );
    assert_eq!(remove(1), Change::AlreadySo);
    assert_eq!(remove(2), Change::Made);
    assert!(!stage.path().exists());
}

#[test]
fn what_may_not_be_a_break_glass_key_is_refused() {
    let refused =
        |text: &str, revoked| NewKey::parse(text, None, Accepted::Hardware, revoked).unwrap_err();
    assert!(matches!(refused(PLAIN, None), RefusedKey::NotHardware(_)));
    assert!(NewKey::parse(PLAIN, None, Accepted::Any, None).is_ok());
    let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n";
    assert!(matches!(
        refused(private, None),
        RefusedKey::NotAKey(PastedKeyError::PrivateKey)
    ));
    let two = format!("{}\n{}\n", hardware(1), hardware(2));
    assert!(matches!(
        refused(&two, None),
        RefusedKey::NotAKey(PastedKeyError::SeveralLines)
    ));
    let options = format!("command=\"x\" {}", hardware(1));
    assert!(matches!(refused(&options, None), RefusedKey::NotAKey(_)));
    let revoked = Fingerprints::from_bytes(key(1).fingerprint().as_bytes()).unwrap();
    assert!(matches!(
        refused(&hardware(1), Some(&revoked)),
        RefusedKey::Revoked(_)
    ));
}

#[test]
fn the_keys_own_comment_becomes_a_label_that_is_safe_to_print() {
    let text = format!("{} alice's \"key\" #1", hardware(1));
    let key = NewKey::parse(&text, None, Accepted::Hardware, None).unwrap();
    let label = key
        .line
        .rsplit_once("ssh:")
        .map_or(key.line.as_str(), |(_, label)| label);
    assert!(
        parse_line(label.as_bytes()).is_ok() && !key.line.contains('"'),
        "{}",
        key.line
    );
}

#[test]
fn a_link_in_the_files_place_is_left_alone() {
    let stage = Stage::new();
    let elsewhere = stage.root.file("elsewhere", "", 0o644).unwrap();
    symlink(&elsewhere, stage.path()).unwrap();
    assert!(matches!(
        stage.files.add(&account(), &key(1)),
        Err(FilesError::Foreign(_))
    ));
    assert_eq!(fs::read_to_string(elsewhere).unwrap(), "");
}
