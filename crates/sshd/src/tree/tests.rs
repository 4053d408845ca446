use std::fs;
use std::path::Path;

use super::*;

/// Files by name; relative includes are of the same directory.
fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Tree) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let tree = read::read(&dir.path().join("sshd_config"), dir.path()).unwrap();
    (dir, tree)
}

fn login(user: &str) -> Login {
    Login {
        user: user.to_owned(),
        groups: vec![user.to_owned()],
        host: "192.0.2.7".to_owned(),
        addr: "192.0.2.7".parse().unwrap(),
        laddr: "127.0.0.1".parse().unwrap(),
        lport: 22,
    }
}

fn winner(tree: &Tree, dir: &Path, user: &str) -> Option<(String, u32, String)> {
    let setting = tree.winner("Banner", &login(user))?;
    let (file, number) = match &setting.place {
        Place::Line { file, number } => (file, *number),
        Place::CommandLine(number) => {
            return Some(("-o".to_owned(), *number, setting.value.clone()));
        }
    };
    let name = file.strip_prefix(dir).unwrap().display().to_string();
    Some((name, number, setting.value.clone()))
}

fn at(name: &str, number: u32, value: &str) -> Option<(String, u32, String)> {
    Some((name.to_owned(), number, value.to_owned()))
}

#[test]
fn the_first_line_wins_and_drop_ins_are_read_in_the_order_of_their_names() {
    let (dir, tree) = tree(&[
        ("sshd_config", "# first\nInclude d/*.conf\nBanner /main\n"),
        ("d/20-b.conf", "Banner /b\n"),
        ("d/10-a.conf", "\nBanner /a\nBanner /late\n"),
        ("d/.hidden.conf", "Banner /hidden\n"),
        ("d/05-x.txt", "Banner /no\n"),
    ]);
    assert_eq!(winner(&tree, dir.path(), "x"), at("d/10-a.conf", 2, "/a"));
    assert_eq!(tree.settings("banner").count(), 4);
    assert_eq!(tree.files().len(), 3);
}

#[test]
fn a_match_block_beats_what_stands_above_it_and_the_first_that_holds_wins() {
    let (dir, tree) = tree(&[(
        "sshd_config",
        "Banner /all\nMatch User a,b\n Banner /ab\nMatch User b\n Banner /b\nMatch all\n X11Forwarding no\n",
    )]);
    assert_eq!(winner(&tree, dir.path(), "b"), at("sshd_config", 3, "/ab"));
    assert_eq!(winner(&tree, dir.path(), "c"), at("sshd_config", 1, "/all"));
}

#[test]
fn a_match_block_ends_with_its_file_and_one_around_an_include_holds_for_all_of_it() {
    let (dir, tree) = tree(&[
        (
            "sshd_config",
            "Include d/*.conf\nBanner /main\nMatch User a\nInclude in\n",
        ),
        ("d/1.conf", "Match User b\nBanner /b\n"),
        ("in", "Banner /in\nMatch User b\nBanner /never\n"),
    ]);
    assert_eq!(winner(&tree, dir.path(), "b"), at("d/1.conf", 2, "/b"));
    assert_eq!(winner(&tree, dir.path(), "a"), at("in", 1, "/in"));
    assert_eq!(
        winner(&tree, dir.path(), "c"),
        at("sshd_config", 2, "/main")
    );
}

#[test]
fn the_command_line_beats_the_files_and_a_match_block_beats_the_command_line() {
    let (dir, tree) = tree(&[("sshd_config", "Banner /main\nMatch User a\nBanner /a\n")]);
    let tree = tree.with_overrides(&["Banner=/given".to_owned()]);
    assert_eq!(winner(&tree, dir.path(), "b"), at("-o", 1, "/given"));
    assert_eq!(winner(&tree, dir.path(), "a"), at("sshd_config", 3, "/a"));
}

#[test]
fn a_default_has_no_place() {
    let (dir, tree) = tree(&[("sshd_config", "Port 22\n")]);
    assert_eq!(winner(&tree, dir.path(), "a"), None);
}

#[test]
fn a_file_that_includes_itself_has_an_end() {
    let (_dir, tree) = tree(&[(
        "sshd_config",
        "Include sshd_config sshd_config\nBanner /a\n",
    )]);
    assert!(tree.problems().contains(&Problem::TooMany));
}

#[test]
fn what_stands_in_a_files_place_and_is_none_is_passed_over_and_told() {
    let (_dir, tree) = tree(&[("sshd_config", "Include d/*\nBanner /a\n"), ("d/1/x", "")]);
    assert!(matches!(tree.problems(), [Problem::Unreadable { .. }]));
    assert!(matches!(
        Tree::read(Path::new("/nowhere/sshd_config")),
        Err(TreeError { .. })
    ));
}
