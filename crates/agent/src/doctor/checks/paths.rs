//! Owners and modes of what sshd, the lookup and the host agent read.

use std::path::Path;

use crate::doctor::facts::Seen;
use crate::doctor::facts::files::{Component, Kind, PathFact, There};
use crate::doctor::finding::{Finding, Remedy, Rule, rules};
use crate::doctor::fix::Fix;

rules! {
    LOOKUP_MISSING = Error "lookup-missing": "the program of the key command is not there",
        "sshd finds that out at each login only, and then takes no key from keyroster",
        Run "apt-get install --reinstall keyroster-host";
    LOOKUP_OWNER = Error "lookup-owner": "the program of the key command, or a directory above it, can be changed by others than root",
        "sshd then refuses to run it, at each login and without a word in `sshd -t`",
        Run "chown root:root FILE && chmod go-w FILE";
    SOURCE_MISSING = Error "source-missing": "the program of a `command:` source is not there",
        "the lookup asks that source in vain at each login, and what it would have let in stays out",
        Judge "install what the source is about, or take it out of /etc/keyroster/lookup.conf";
    SOURCE_OWNER = Error "source-owner": "the program of a `command:` source, or a directory above it, can be changed by others than root",
        "the lookup then does not run it, and that source answers \"unavailable\" at each login",
        Run "chown root:root FILE && chmod go-w FILE";
    CONFIG_OWNER = Error "settings-owner": "a settings file of keyroster's can be changed by others than root",
        "lookup.conf and agent.toml are then refused: who writes them decides who may log in",
        Run "chown root:root FILE && chmod go-w FILE";
    BREAK_GLASS_DIRECTORY = Warning "break-glass-directory": "the break-glass directory is missing, or can be changed by others than root",
        "sshd refuses files below it, or somebody else decides about the way in that asks nobody",
        Run "systemd-tmpfiles --create keyroster-host.conf";
    SSHD_FILES = Error "sshd-files-owner": "a file of sshd's configuration can be changed by others than root",
        "whoever can write there decides who may log in",
        Run "chown root:root FILE && chmod go-w FILE";
}

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Paths {
    /// Programs of key commands of ours.
    pub programs: Vec<Seen<PathFact>>,
    /// Programs of `command:` sources.
    pub sources: Vec<Seen<PathFact>>,
    /// lookup.conf and agent.toml.
    pub settings: Vec<Seen<PathFact>>,
    /// The break-glass directory.
    pub break_glass: Seen<PathFact>,
    /// The files of sshd's configuration.
    pub sshd: Vec<Seen<PathFact>>,
}

/// The verdicts.
#[must_use]
pub fn check(paths: &Paths) -> Vec<Finding> {
    let programs = paths.programs.iter();
    let programs = programs.map(|seen| program(seen, &LOOKUP_MISSING, &LOOKUP_OWNER));
    let sources = paths.sources.iter();
    let sources = sources.map(|seen| program(seen, &SOURCE_MISSING, &SOURCE_OWNER));
    let mut findings: Vec<Finding> = programs.chain(sources).collect();
    let files = paths.settings.iter().map(|seen| (seen, &CONFIG_OWNER));
    let files = files.chain(paths.sshd.iter().map(|seen| (seen, &SSHD_FILES)));
    findings.extend(files.map(|(seen, rule)| owned(seen, rule)));
    findings.push(match &paths.break_glass {
        Ok(fact) if fact.there == There::Nothing => {
            let path = fact.path.display();
            let make = format!("install -d -o root -g root -m 755 {}", quoted(&fact.path));
            Finding::broken(&BREAK_GLASS_DIRECTORY, format!("\"{path}\" is not there"))
                .mended_by(Remedy::run(make))
                .fixed_by(Fix::Make {
                    path: fact.path.clone(),
                })
        }
        seen => owned(seen, &BREAK_GLASS_DIRECTORY),
    });
    findings
}

fn program(seen: &Seen<PathFact>, missing: &'static Rule, owner: &'static Rule) -> Finding {
    match seen {
        Ok(fact) if fact.there == There::Nothing => {
            let path = fact.path.display();
            Finding::broken(missing, format!("\"{path}\" is not there"))
        }
        Ok(PathFact {
            path,
            there: There::Found(components),
        }) if !runs(components) => {
            Finding::broken(missing, format!("\"{}\" is no program", path.display()))
        }
        seen => owned(seen, owner),
    }
}

fn runs(components: &[Component]) -> bool {
    components
        .last()
        .is_some_and(|last| last.kind == Kind::File && last.mode & EXECUTABLE == EXECUTABLE)
}

/// What is not there is as nobody has written it.
fn owned(seen: &Seen<PathFact>, rule: &'static Rule) -> Finding {
    let fact = match seen {
        Ok(fact) => fact,
        Err(unseen) => return Finding::unseen(rule, &unseen.0),
    };
    let path = fact.path.display();
    let wrong = match &fact.there {
        There::Nothing => None,
        There::Found(components) => components.iter().find_map(|it| Some((it, fault(it)?))),
    };
    match wrong {
        None => Finding::holds(
            rule,
            format!("\"{path}\" and all above it are root's alone"),
        ),
        Some((component, fault)) => {
            let at = component.path.display();
            let what = format!("\"{at}\" {fault} (looked at for \"{path}\")");
            let finding = Finding::broken(rule, what).mended_by(mend(component));
            match (
                OURS.contains(&rule.id),
                component.uid,
                component.path == fact.path,
            ) {
                (true, ROOT, true) => finding.fixed_by(Fix::TakeWrite {
                    path: component.path.clone(),
                    mode: component.mode,
                }),
                _ => finding,
            }
        }
    }
}

/// What sshd says no to, in auth.c and misc.c: anybody's but root's, or writable by group or others. A sticky bit does not help.
fn fault(component: &Component) -> Option<String> {
    if component.uid != ROOT {
        return Some(format!("belongs to user {}", component.uid));
    }
    (component.mode & WRITABLE_BY_OTHERS != 0).then(|| {
        format!(
            "can be written by group or others (mode {:04o})",
            component.mode
        )
    })
}

fn mend(component: &Component) -> Remedy {
    let quoted = quoted(&component.path);
    Remedy::run(match component.uid {
        ROOT => format!("chmod go-w {quoted}"),
        _ => format!("chown root:root {quoted} && chmod go-w {quoted}"),
    })
}

/// A path as a shell takes it for one word.
#[must_use]
pub fn quoted(path: &Path) -> String {
    quoted_text(&path.to_string_lossy())
}

/// Text as a shell takes it for one word.
#[must_use]
pub fn quoted_text(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// What is about files of keyroster's own.
const OURS: [&str; 2] = ["settings-owner", "break-glass-directory"];
const ROOT: u32 = 0;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const EXECUTABLE: u32 = 0o001;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::{broken, unseen};
    use crate::doctor::facts::Unseen;

    fn path(components: &[(&str, u32, u32, Kind)]) -> Seen<PathFact> {
        let components: Vec<_> = components
            .iter()
            .map(|(path, uid, mode, kind)| Component {
                path: (*path).into(),
                uid: *uid,
                mode: *mode,
                kind: *kind,
            })
            .collect();
        Ok(PathFact {
            path: components.last().unwrap().path.clone(),
            there: There::Found(components),
        })
    }

    fn nothing() -> Seen<PathFact> {
        Ok(PathFact {
            path: "/nowhere".into(),
            there: There::Nothing,
        })
    }

    fn with_program(program: Seen<PathFact>) -> Vec<Finding> {
        check(&Paths {
            programs: vec![program],
            sources: Vec::new(),
            settings: vec![nothing()],
            break_glass: path(&[("/e", 0, 0o755, Kind::Directory)]),
            sshd: Vec::new(),
        })
    }

    #[test]
    fn a_program_that_only_root_can_change_is_fine() {
        let program = path(&[
            ("/", 0, 0o755, Kind::Directory),
            ("/p", 0, 0o755, Kind::File),
        ]);
        assert_eq!(broken(&with_program(program)), [""; 0]);
    }

    #[test]
    fn each_component_counts() {
        for above in [
            ("/", 7, 0o755, Kind::Directory),
            ("/", 0, 0o775, Kind::Directory),
            ("/", 0, 0o1777, Kind::Directory),
        ] {
            let program = path(&[above, ("/p", 0, 0o755, Kind::File)]);
            let findings = with_program(program);
            assert_eq!(broken(&findings), ["lookup-owner"], "{above:?}");
            assert!(
                findings[0].what.starts_with("\"/\" "),
                "{}",
                findings[0].what
            );
        }
    }

    #[test]
    fn a_program_that_is_missing_or_does_not_run_is_told() {
        assert_eq!(broken(&with_program(nothing())), ["lookup-missing"]);
        assert_eq!(
            broken(&with_program(path(&[("/p", 0, 0o644, Kind::File)]))),
            ["lookup-missing"]
        );
        assert_eq!(
            broken(&with_program(path(&[("/p", 0, 0o755, Kind::Directory)]))),
            ["lookup-missing"]
        );
    }

    #[test]
    fn the_program_of_a_source_is_held_to_the_same() {
        let with = |source| {
            let paths = Paths {
                programs: Vec::new(),
                sources: vec![source],
                settings: Vec::new(),
                break_glass: path(&[("/e", 0, 0o755, Kind::Directory)]),
                sshd: Vec::new(),
            };
            broken(&check(&paths))
        };
        assert_eq!(with(path(&[("/p", 0, 0o755, Kind::File)])), [""; 0]);
        assert_eq!(with(nothing()), ["source-missing"]);
        assert_eq!(
            with(path(&[("/p", 0, 0o775, Kind::File)])),
            ["source-owner"]
        );
        let below = [
            ("/d", 7, 0o755, Kind::Directory),
            ("/d/p", 0, 0o755, Kind::File),
        ];
        assert_eq!(with(path(&below)), ["source-owner"]);
    }

    #[test]
    fn settings_and_the_break_glass_directory_are_roots() {
        let paths = Paths {
            programs: Vec::new(),
            sources: Vec::new(),
            settings: vec![path(&[("/a", 0, 0o664, Kind::File)])],
            break_glass: nothing(),
            sshd: vec![path(&[("/s", 9, 0o644, Kind::File)])],
        };
        assert_eq!(
            broken(&check(&paths)),
            [
                "settings-owner",
                "sshd-files-owner",
                "break-glass-directory"
            ]
        );
    }

    #[test]
    fn only_the_mode_of_our_own_file_that_is_roots_is_mended_without_a_look() {
        let fix = |components: &[(&str, u32, u32, Kind)]| {
            let paths = Paths {
                programs: Vec::new(),
                sources: Vec::new(),
                settings: vec![path(components)],
                break_glass: path(&[("/e", 0, 0o755, Kind::Directory)]),
                sshd: vec![path(components)],
            };
            let fixes = check(&paths).into_iter().map(|it| (it.rule.id, it.fix));
            fixes
                .filter(|(_, fix)| fix.is_some())
                .map(|(id, _)| id)
                .collect::<Vec<_>>()
        };
        assert_eq!(fix(&[("/a", 0, 0o664, Kind::File)]), ["settings-owner"]);
        assert_eq!(fix(&[("/a", 7, 0o644, Kind::File)]), [""; 0]);
        assert_eq!(
            fix(&[
                ("/", 0, 0o777, Kind::Directory),
                ("/a", 0, 0o644, Kind::File)
            ]),
            [""; 0]
        );
    }

    #[test]
    fn what_may_not_be_looked_at_is_no_verdict() {
        let findings = with_program(Err(Unseen::because("permission denied")));
        assert_eq!(unseen(&findings), ["lookup-owner"]);
    }

    #[test]
    fn a_path_in_a_command_is_one_word() {
        assert_eq!(quoted(Path::new("/etc/x.conf")), "/etc/x.conf");
        assert_eq!(quoted(Path::new("/a b;'c")), "'/a b;'\\''c'");
    }
}
