//! The AppArmor profiles: parsed by AppArmor's own parser everywhere, loaded where the kernel has AppArmor.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use keyroster_testkit::{Annex, Finished, RootDir};

/// Each profile with the unit that names it.
const PROFILES: [(&str, &str); 2] = [
    ("keyroster-agent", "keyroster-agent.service"),
    ("keyroster-sessions", "keyroster-sessions.service"),
];

fn packaging(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../packaging")
        .join(name);
    fs::read_to_string(path).unwrap()
}

/// AppArmor's parser in an annex, with every warning an error.
struct Parser {
    annex: Annex,
    dir: RootDir,
}

impl Parser {
    fn new() -> Self {
        let (annex, dir) = (Annex::open().unwrap(), RootDir::new().unwrap());
        annex.show(dir.path()).unwrap();
        Self { annex, dir }
    }

    fn run(&self, options: &[&str], profile: &str) -> Finished {
        let file = self.dir.file("profile", profile, 0o644).unwrap();
        let mut arguments = vec!["--skip-cache", "--warn=all", "--Werror"];
        arguments.extend(options);
        arguments.push(file.to_str().unwrap());
        self.annex
            .run("/usr/sbin/apparmor_parser", &arguments)
            .unwrap()
    }

    /// Compiles for a kernel with everything that the profiles speak of, whatever this one has.
    fn compile(&self, profile: &str) -> Finished {
        let features = "/etc/apparmor.d/abi/3.0";
        self.run(
            &["--skip-kernel-load", "--kernel-features", features],
            profile,
        )
    }
}

#[test]
fn the_profiles_compile_without_a_warning() {
    let parser = Parser::new();
    for (name, _) in PROFILES {
        let compiled = parser.compile(&packaging(&format!("apparmor/{name}")));
        assert!(compiled.status.success(), "{name}: {}", compiled.stderr);
    }
}

#[test]
fn a_rule_for_the_network_is_not_dropped_for_want_of_an_abi() {
    let parser = Parser::new();
    for (name, _) in PROFILES {
        let profile = packaging(&format!("apparmor/{name}")).replace("abi <abi/3.0>,", "");
        let compiled = parser.compile(&profile);
        assert!(!compiled.status.success(), "{name} needs its abi line");
    }
}

#[test]
fn each_unit_names_its_profile_and_starts_without_it() {
    for (name, unit) in PROFILES {
        let profile = packaging(&format!("apparmor/{name}"));
        assert!(profile.contains(&format!("\nprofile {name} ")), "{name}");
        let unit = packaging(&format!("systemd/{unit}"));
        assert!(unit.contains(&format!("\nAppArmorProfile=-{name}\n")));
    }
}

/// Under another name: a profile of this machine's own must not be replaced.
#[test]
fn a_kernel_with_apparmor_loads_the_profiles_and_enforces_them() {
    let loaded = Path::new("/sys/kernel/security/apparmor/profiles");
    if !loaded.exists() {
        return;
    }
    let parser = Parser::new();
    for (name, _) in PROFILES {
        let other = format!("{name}-test-{}", std::process::id());
        let profile = packaging(&format!("apparmor/{name}"))
            .replace(&format!("profile {name} "), &format!("profile {other} "));
        let added = parser.run(&["--add"], &profile);
        let profiles = fs::read_to_string(loaded).unwrap();
        let removed = parser.run(&["--remove"], &profile);
        assert!(added.status.success(), "{}", added.stderr);
        assert!(profiles.contains(&format!("{other} (enforce)\n")));
        assert!(removed.status.success(), "{}", removed.stderr);
    }
}
