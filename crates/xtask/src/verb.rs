//! The command line: one verb and its few flags.
//!
//! Parsed by hand. This program is compiled before anything else on a fresh machine, and ten verbs need no library.

use std::path::PathBuf;
use std::process::ExitCode;

use keyroster_testkit::{Failure, Result};

use crate::package::trial::{self, Trial};
use crate::package::twice;
use crate::workspace::Profile;
use crate::{
    advisories, bench, build, chaos, demo, enforcing, fault_matrix, model, openapi, package, test,
    unpacked,
};

/// Does what the command line says, and tells how it went.
pub fn main() -> ExitCode {
    match Verb::parse(std::env::args().skip(1)).and_then(Verb::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Verb {
    /// Unpack the packages that tests use without installing them.
    Unpack,
    /// Build every program.
    Build(Profile),
    /// Check everything that is checked before a change lands.
    Test,
    /// Show the whole thing at work.
    Demo(demo::Options),
    /// Measure it.
    Bench(bench::Options),
    /// Kill everything, again and again.
    Chaos(chaos::Options),
    /// Check the fail rules in every state of the largest scope.
    Model,
    /// Make what package managers install.
    Package(package::Options),
    /// Make it twice, from two checkouts, and compare.
    PackageTwice(package::Options),
    /// Try in real roots what package managers install.
    TryPackages(package::Options, Trial),
    /// Try them on kernels that enforce.
    Enforcing(package::Options, Vec<String>),
    /// Write docs/openapi.json anew.
    Openapi,
    /// Write docs/fault-matrix.md anew.
    FaultMatrix,
    /// Ask the advisory database about our dependencies.
    Advisories,
    /// Say what there is.
    Help,
}

impl Verb {
    /// Reads the arguments after the program's name.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut arguments = arguments.into_iter();
        let verb = arguments.next().unwrap_or_else(|| "help".to_owned());
        let mut flags = Flags(arguments.collect());
        let parsed = match verb.as_str() {
            "build" => Self::Build(flags.profile()),
            "test" => Self::Test,
            "demo" => Self::Demo(demo::Options {
                keep: flags.take("--keep"),
                built: flags.take("--built"),
            }),
            "bench" => Self::Bench(bench::Options {
                quick: flags.take("--quick"),
                json: flags.value("--json")?.map(PathBuf::from),
            }),
            "chaos" => Self::Chaos(chaos::Options {
                kills: flags.value("--kills")?,
            }),
            "model" => Self::Model,
            "package" if flags.take("--test") => flags.trial()?,
            "package" if flags.take("--twice") => Self::PackageTwice(flags.package()?),
            "enforcing" => Self::Enforcing(flags.programs()?, flags.names("--only")?),
            "package" => Self::Package(flags.package()?),
            "unpack" => Self::Unpack,
            "openapi" => Self::Openapi,
            "fault-matrix" => Self::FaultMatrix,
            "advisories" => Self::Advisories,
            "help" | "--help" | "-h" => Self::Help,
            other => {
                return Err(Failure::new(format!(
                    "no verb \"{other}\"\nhint: `cargo xtask help` lists them"
                )));
            }
        };
        flags.done().map(|()| parsed)
    }

    /// Does it.
    pub fn run(self) -> Result {
        match self {
            Self::Build(profile) => build::run(profile),
            Self::Test => test::run(),
            Self::Demo(options) => demo::run(options),
            Self::Bench(options) => bench::run(&options),
            Self::Chaos(options) => chaos::run(&options),
            Self::Model => model::run(),
            Self::Package(options) => package::run(&options),
            Self::PackageTwice(options) => twice::run(&options),
            Self::TryPackages(options, trial) => trial::run(&options, &trial),
            Self::Enforcing(options, systems) => enforcing::run(&options, &systems),
            Self::Unpack => unpacked::run(),
            Self::Openapi => openapi::run(),
            Self::FaultMatrix => fault_matrix::run(),
            Self::Advisories => advisories::run(),
            Self::Help => {
                print!("{HELP}");
                Ok(())
            }
        }
    }
}

/// The arguments after the verb, taken out one by one.
struct Flags(Vec<String>);

impl Flags {
    fn take(&mut self, flag: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|argument| argument != flag);
        self.0.len() != before
    }

    fn value(&mut self, flag: &str) -> Result<Option<String>> {
        let Some(at) = self.0.iter().position(|argument| argument == flag) else {
            return Ok(None);
        };
        self.0.remove(at);
        if at == self.0.len() {
            return Err(Failure::new(format!("{flag} needs a value")));
        }
        Ok(Some(self.0.remove(at)))
    }

    fn profile(&mut self) -> Profile {
        if self.take("--release") {
            Profile::Release
        } else {
            Profile::Debug
        }
    }

    fn package(&mut self) -> Result<package::Options> {
        let profile = match self.value("--profile")?.as_deref() {
            None | Some("release") => Profile::Release,
            Some("dev") => Profile::Debug,
            Some(other) => return Err(Failure::new(format!("no profile \"{other}\""))),
        };
        let revision = self.value("--revision")?.unwrap_or_else(|| "1".to_owned());
        Ok(package::Options {
            profile,
            out: self.value("--out")?.map(PathBuf::from),
            only: self.list("--only", &package::Name::ALL, package::Name::as_str)?,
            formats: self.list("--format", &package::Format::ALL, package::Format::as_str)?,
            revision: revision
                .parse()
                .map_err(|_| Failure::new(format!("no number: \"{revision}\"")))?,
            built: self.take("--built"),
        })
    }

    /// Of a trial, `--only` names systems.
    fn trial(&mut self) -> Result<Verb> {
        let trial = Trial {
            systems: self.names("--only")?,
            keep: self.take("--keep"),
        };
        Ok(Verb::TryPackages(self.package()?, trial))
    }

    /// How programs are built that are tried; as for tests, unless it says otherwise.
    fn programs(&mut self) -> Result<package::Options> {
        Ok(package::Options {
            profile: self.profile(),
            out: None,
            only: vec![package::Name::Host],
            formats: vec![package::Format::Deb],
            revision: 1,
            built: self.take("--built"),
        })
    }

    /// The words of a flag's value.
    fn names(&mut self, flag: &str) -> Result<Vec<String>> {
        let value = self.value(flag)?.unwrap_or_default();
        let names = value.split(',').filter(|name| !name.is_empty());
        Ok(names.map(str::to_owned).collect())
    }

    /// The values of a flag, each of which must be the name of one of `all`.
    fn list<T: Copy>(
        &mut self,
        flag: &str,
        all: &[T],
        name: impl Fn(T) -> &'static str,
    ) -> Result<Vec<T>> {
        let Some(value) = self.value(flag)? else {
            return Ok(Vec::new());
        };
        value
            .split(',')
            .map(|word| {
                let known = all.iter().copied().find(|one| name(*one) == word);
                known.ok_or_else(|| Failure::new(format!("{flag} knows no \"{word}\"")))
            })
            .collect()
    }

    fn done(self) -> Result {
        match self.0.first() {
            None => Ok(()),
            Some(rest) => Err(Failure::new(format!(
                "unexpected argument \"{rest}\"\nhint: `cargo xtask help`"
            ))),
        }
    }
}

const HELP: &str = "\
cargo xtask build [--release]            build every program into target/dist/
cargo xtask test                         format, lints, all tests on both databases and real sshd, docs
cargo xtask demo [--keep]                a real login decided by the key server, step by step
cargo xtask bench [--quick] [--json FILE]  what a lookup, a login and a snapshot cost, as ratios
cargo xtask chaos [--kills N]            kill key servers, PostgreSQL and host agents, 500 times each
cargo xtask model                        check the fail rules in every state of two hosts, 3 revisions, 2 epochs (minutes)
cargo xtask package [--profile release|dev] [--out DIR] [--only NAME,...] [--format deb,...]
                    [--revision N] [--built]  make packages and checksums of them
cargo xtask package --twice              make release packages, make them again from a second checkout, and compare every byte
cargo xtask package --test [--only SYSTEM,...] [--keep] [--profile release|dev] [--built]
                                         try them in roots of Debian and write docs/install-matrix.md
cargo xtask enforcing [--only selinux,apparmor] [--release] [--built]
                                         try them in virtual machines that enforce and write docs/enforcing-matrix.md
cargo xtask unpack                       unpack the packages that tests lay over the machine's root
cargo xtask openapi                      write docs/openapi.json from the code
cargo xtask fault-matrix                 write docs/fault-matrix.md from the table of faults
cargo xtask advisories                   ask the advisory database about the dependencies (needs the network)
";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Verb> {
        Verb::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_verb_takes_its_own_flags_in_any_order() {
        let expected = Verb::Bench(bench::Options {
            quick: true,
            json: Some(PathBuf::from("x.json")),
        });
        assert_eq!(parse("bench --json x.json --quick").unwrap(), expected);
        assert_eq!(
            parse("build --release").unwrap(),
            Verb::Build(Profile::Release)
        );
    }

    #[test]
    fn a_trial_of_packages_names_systems_where_packages_are_named_otherwise() {
        let Verb::TryPackages(options, trial) =
            parse("package --test --only debian-12,rpm").unwrap()
        else {
            panic!("no trial");
        };
        assert_eq!(trial.systems, ["debian-12", "rpm"]);
        assert_eq!(options.only, []);
        assert!(parse("package --only debian-12").is_err());
    }

    #[test]
    fn packages_are_release_packages_unless_told_otherwise() {
        let Verb::PackageTwice(twice) = parse("package --twice").unwrap() else {
            panic!("not twice");
        };
        let Verb::TryPackages(tried, _) = parse("package --test").unwrap() else {
            panic!("no trial");
        };
        assert_eq!(
            (twice.profile, tried.profile),
            (Profile::Release, Profile::Release)
        );
    }

    #[test]
    fn an_unknown_verb_or_flag_is_refused_by_name() {
        assert!(parse("tset").unwrap_err().to_string().contains("\"tset\""));
        assert!(
            parse("test --fast")
                .unwrap_err()
                .to_string()
                .contains("\"--fast\"")
        );
        assert!(
            parse("bench --json")
                .unwrap_err()
                .to_string()
                .contains("needs a value")
        );
    }
}
