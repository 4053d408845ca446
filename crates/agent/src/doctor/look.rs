//! One look at everything: facts first, then the checks.

use std::path::{Path, PathBuf};

use keyroster_keys::Fingerprints;

use crate::break_glass::past_drills;
use crate::break_glass::verbs::revoked;
use crate::clock::{Calendar, Clock as _, SystemClock};
use crate::config::{Config, DEFAULT_PATH};
use crate::doctor::args::{Benchmark, DoctorArgs};
use crate::doctor::checks::certificates::{Certificate, Whose};
use crate::doctor::checks::command::Command;
use crate::doctor::checks::{
    self, accounts, apparmor, authentication, break_glass, certificates, cis, clock, command,
    drills, key_files, limits, lookup, paths, pending, places, principals, reload, revoked_keys,
    run_as, selinux, server, sessions, settings, snapshot, socket, units,
};
use crate::doctor::facts::agent::DiskFacts;
use crate::doctor::facts::break_glass::Question;
use crate::doctor::facts::key_files::Holder;
use crate::doctor::facts::lookup::{DEFAULT as LOOKUP_CONF, Settings};
use crate::doctor::facts::sshd::{SshdFacts, Subject};
use crate::doctor::facts::{self, Seen, Unseen};
use crate::doctor::report::Report;
use crate::state::{Credential, StateDir};

/// What the groups of checks share.
struct Host {
    config: Config,
    config_path: PathBuf,
    disk: Seen<DiskFacts>,
    sshd: Seen<SshdFacts>,
    /// Key commands of ours that are in effect, each with its user.
    commands: Vec<(String, String)>,
    /// The settings of the first of them.
    lookup: Seen<Settings>,
    /// The revoked keys, where they are known.
    revoked: Option<Fingerprints>,
    /// Files of keys that sshd reads beside break-glass files.
    holders: Vec<Holder>,
}

/// Looks at everything.
#[must_use]
pub fn at_everything(args: &DoctorArgs) -> Report {
    let mut report = Report::default();
    let loaded = Config::load(args.common.config.as_deref());
    report.add("files", [settings::check(loaded.as_ref().map(drop))]);
    let host = Host::look(args, loaded.unwrap_or_default());
    host.sshd(&mut report);
    report.add(
        "sshd",
        [pending::check(&facts::pending::gather(&args.state))],
    );
    host.files(&mut report);
    host.agent(&mut report);
    host.system(&mut report);
    host.accounts(&mut report);
    host.way_in(&mut report, &args.state);
    if args.benchmark == Some(Benchmark::Cis) {
        host.benchmark(&mut report);
    }
    report
}

impl Host {
    fn look(args: &DoctorArgs, config: Config) -> Self {
        let disk = facts::agent::disk(&config);
        let granted = disk.as_ref().map(|disk| disk.granted.clone());
        let sshd = facts::sshd::gather(&Subject {
            program: args.sshd.clone(),
            config: args.sshd_config.clone(),
            granted: granted.unwrap_or_default(),
            break_glass: config.break_glass_dir.clone(),
        });
        let revoked = revoked(&config);
        let holders = sshd
            .as_ref()
            .map(|sshd| facts::key_files::gather(sshd, &config.break_glass_dir, revoked.as_ref()));
        let holders = holders.unwrap_or_default();
        let commands = sshd.as_ref().map(commands).unwrap_or_default();
        let lookup = facts::lookup::settings(commands.first().map_or("", |(command, _)| command));
        let path = args.common.config.clone();
        Self {
            config,
            config_path: path.unwrap_or_else(|| DEFAULT_PATH.into()),
            disk,
            sshd,
            commands,
            lookup,
            revoked,
            holders,
        }
    }

    /// A host without the daemon has nobody on the socket, and needs nobody; nor does one that is not in use yet.
    fn needs_daemon(&self) -> bool {
        let enrolled = self.disk.as_ref().is_ok_and(|disk| disk.enrolled);
        let in_use = enrolled || !self.commands.is_empty();
        in_use && self.lookup.as_ref().is_ok_and(Settings::ask_the_daemon)
    }

    fn sshd(&self, report: &mut Report) {
        let facts = match &self.sshd {
            Ok(facts) => facts,
            Err(unseen) => {
                let finding =
                    crate::doctor::finding::Finding::unseen(&checks::sshd::SSHD_BROKEN, &unseen.0);
                return report.add("sshd", [finding]);
            }
        };
        let runners: Vec<String> = runners(facts);
        let accounts = facts::accounts::gather(&[], &runners);
        let lists: Seen<Vec<_>> = revoked_keys::paths(facts)
            .iter()
            .map(|path| facts::files::key_list(path))
            .collect();
        report.add("sshd", checks::sshd::check(facts));
        let changed = facts::reload::gather(facts);
        report.add("sshd", reload::check(changed.as_deref()));
        report.add("sshd", command::check(facts));
        report.add("sshd", run_as::check(facts, &accounts));
        report.add("sshd", self.trials());
        report.add(
            "sshd",
            key_files::check(facts, &self.config.break_glass_dir, &self.holders),
        );
        report.add("sshd", principals::check(facts));
        report.add("sshd", places::check(facts));
        report.add("sshd", authentication::check(facts));
        report.add("sshd", limits::check(facts));
        report.add(
            "sshd",
            revoked_keys::check(facts, self.config.revoked_keys.as_deref(), &lists),
        );
    }

    fn trials(&self) -> Vec<crate::doctor::finding::Finding> {
        let run =
            |(command, user): &(String, String)| lookup::check(&facts::lookup::run(command, user));
        self.commands.iter().map(run).collect()
    }

    fn files(&self, report: &mut Report) {
        let look = |path: &Path| facts::files::look(path);
        let programs = self
            .commands
            .iter()
            .filter_map(|(command, _)| command.split_ascii_whitespace().next());
        let mut programs: Vec<&str> = programs.collect();
        programs.dedup();
        let lookup = self
            .lookup
            .as_ref()
            .map_or(Path::new(LOOKUP_CONF), |it| it.path.as_path());
        let sources = self.lookup.as_ref().map(|it| it.programs.as_slice());
        let sources = sources.unwrap_or_default();
        let files = self
            .sshd
            .as_ref()
            .map(|sshd| sshd.tree.files())
            .unwrap_or_default();
        let seen = paths::Paths {
            programs: programs
                .iter()
                .map(|program| look(Path::new(program)))
                .collect(),
            sources: sources.iter().map(|path| look(path)).collect(),
            settings: vec![look(lookup), look(&self.config_path)],
            break_glass: look(&self.config.break_glass_dir),
            sshd: files.iter().map(|path| look(path)).collect(),
        };
        report.add("files", paths::check(&seen));
    }

    fn agent(&self, report: &mut Report) {
        let socket = facts::agent::socket(&self.config);
        report.add("host agent", socket::check(&socket, self.needs_daemon()));
        report.add("host agent", snapshot::check(&self.disk, &socket));
        let Ok(disk) = &self.disk else {
            return;
        };
        let mut certificates = disk.certificates.clone();
        if let Some(url) = disk.server.as_ref().filter(|_| disk.enrolled) {
            let reached = self
                .credential()
                .and_then(|credential| facts::server::gather(url, &credential));
            report.add("key server", server::check(&reached));
            let life = reached.ok().and_then(|facts| facts.certificate.ok());
            certificates.extend(life.map(|life| Certificate {
                whose: Whose::Server,
                life,
            }));
        }
        report.add("host agent", certificates::check(&certificates, disk.now_s));
    }

    fn credential(&self) -> Seen<Credential> {
        let dir = StateDir::open(&self.config.state_dir).map_err(Unseen::because)?;
        let credential = Credential::load(&dir).map_err(Unseen::because)?;
        credential.ok_or_else(|| Unseen("this host is not enrolled".to_owned()))
    }

    fn system(&self, report: &mut Report) {
        let disk = self.disk.as_ref().ok();
        let units = facts::system::units();
        let ahead_s = disk.and_then(|disk| disk.ahead_s);
        report.add(
            "system",
            clock::check(ahead_s, &facts::system::synchronised()),
        );
        report.add("system", units::check(&units, self.needs_daemon()));
        let kernel = facts::kernel::gather(Calendar::now().utc_s);
        report.add("system", selinux::check(&kernel));
        report.add("system", apparmor::check(&kernel));
        let wanted = disk.is_some_and(|disk| disk.end_sessions);
        let pam = facts::system::pam(Path::new(facts::system::PAM));
        report.add("sessions", sessions::check(wanted, &pam, &units));
    }

    fn accounts(&self, report: &mut Report) {
        let Ok(disk) = &self.disk else {
            return;
        };
        let accounts = facts::accounts::gather(&disk.granted, &[]);
        report.add(
            "accounts",
            accounts::check(&accounts, self.sshd.as_ref().ok()),
        );
    }

    fn way_in(&self, report: &mut Report, state: &Path) {
        let facts = facts::break_glass::gather(&Question {
            directory: &self.config.break_glass_dir,
            accepted: self.config.break_glass_keys,
            revoked: self.revoked.as_ref(),
            sshd: self.sshd.as_ref().ok(),
            holders: &self.holders,
        });
        report.add("break-glass", break_glass::check(&facts));
        let files = facts.as_ref().map(|facts| facts.files.as_slice());
        let accounts: Vec<String> = files
            .unwrap_or_default()
            .iter()
            .map(|file| file.account.clone())
            .collect();
        let pam = facts::system::pam(Path::new(facts::system::PAM));
        let drills = past_drills::read(state).map_err(Unseen::because);
        let now_s = SystemClock::new().map_or(0, |clock| clock.now().wall_s());
        report.add(
            "break-glass",
            drills::check(&accounts, &pam, &drills, now_s),
        );
    }

    fn benchmark(&self, report: &mut Report) {
        let Ok(facts) = &self.sshd else {
            return;
        };
        let look = |path: &Path| facts::files::look(path);
        let keys = facts
            .logins
            .first()
            .map(|asked| asked.effective.all("HostKey"));
        let keys = keys.unwrap_or_default();
        let public = keys.iter().map(|path| format!("{path}.pub"));
        let files = cis::Files {
            configuration: facts.tree.files().iter().map(|path| look(path)).collect(),
            host_keys: keys.iter().map(|path| look(Path::new(path))).collect(),
            public_keys: public.map(|path| look(Path::new(&path))).collect(),
        };
        report.add("cis", cis::check(facts, &files));
    }
}

/// Our key commands that are in effect for anybody, each once.
fn commands(facts: &SshdFacts) -> Vec<(String, String)> {
    let ours = facts.logins.iter().filter_map(|asked| {
        let Command::Ours(command) = Command::of(asked.effective.key_command()) else {
            return None;
        };
        let user = asked.effective.key_command_user()?;
        Some((command.to_owned(), user.to_owned()))
    });
    let mut commands: Vec<_> = ours.collect();
    commands.sort_unstable();
    commands.dedup();
    commands
}

fn runners(facts: &SshdFacts) -> Vec<String> {
    let users = facts
        .logins
        .iter()
        .filter_map(|asked| asked.effective.key_command_user());
    let mut users: Vec<String> = users.map(str::to_owned).collect();
    users.sort_unstable();
    users.dedup();
    users
}
