//! A directory service: an LDAP server that holds accounts with their keys, and SSSD that asks it.
//!
//! Both are Debian's own programs, in an annex. The names of the schema for keys are those of the OpenSSH-LPK schema, which SSSD asks for by default.

use std::time::Duration;

use keyroster_testkit::{Annex, Failure, Result, RootDir, Running, free_port, until};

/// A directory with its programs.
#[derive(Debug)]
pub struct Directory {
    annex: Annex,
    _dir: RootDir,
    sssd: Option<Running>,
    slapd: Running,
}

/// An account of the directory.
pub const ACCOUNT: &str = "keyroster-ldap";

impl Directory {
    /// Starts both in this annex, with one account, [`Directory::ACCOUNT`], that has these keys.
    pub fn start(annex: &Annex, keys: &[&str]) -> Result<Self> {
        let dir = RootDir::named("keyroster-ldap")?;
        annex.show(dir.path())?;
        dir.dir("database", 0o700)?;
        let port = free_port()?;
        let path = dir.path().display();
        dir.file("slapd.conf", slapd_conf(&path.to_string()), 0o600)?;
        dir.file("data.ldif", data(keys), 0o600)?;
        annex.shell(&format!("slapadd -f {path}/slapd.conf -l {path}/data.ldif"))?;
        let configuration = format!("{path}/slapd.conf");
        let url = format!("ldap://127.0.0.1:{port}");
        let mut slapd = annex.start(
            "/usr/sbin/slapd",
            &["-d", "stats", "-f", &configuration, "-h", &url],
        )?;
        slapd.wait_for_line("slapd starting")?;
        annex.file("/etc/sssd/sssd.conf", &sssd_conf(&url), 0o600)?;
        annex.file("/etc/nsswitch.conf", NSSWITCH, 0o644)?;
        let mut directory = Self {
            annex: annex.clone(),
            _dir: dir,
            sssd: None,
            slapd,
        };
        directory.start_sssd()?;
        Ok(directory)
    }

    /// The name of its account.
    pub const ACCOUNT: &str = ACCOUNT;

    /// Starts SSSD, and waits until it knows the account.
    pub fn start_sssd(&mut self) -> Result {
        let sssd = self
            .annex
            .start("/usr/sbin/sssd", &["--interactive", "--logger=stderr"])?;
        let known = until("SSSD to know the account", START_LIMIT, || {
            let asked = self
                .annex
                .run("/usr/bin/getent", &["passwd", "--", ACCOUNT])?;
            Ok(asked.status.success().then_some(()))
        });
        known.map_err(|failure| Failure::new(format!("{failure}\n{}", sssd.output())))?;
        self.sssd = Some(sssd);
        Ok(())
    }

    /// Stops what answers for SSSD where it stands: it is there, and says nothing.
    pub fn freeze_ssh_responder(&self) -> Result {
        self.annex.shell("pkill -STOP -x sssd_ssh").map(drop)
    }

    /// Lets it go on.
    pub fn thaw_ssh_responder(&self) -> Result {
        self.annex.shell("pkill -CONT -x sssd_ssh").map(drop)
    }

    /// Ends SSSD as a crash does, all of its processes.
    pub fn kill_sssd(&mut self) -> Result {
        self.annex.shell("pkill -KILL -f ^/usr/.*sssd || true")?;
        self.sssd = None;
        Ok(())
    }

    /// Ends the LDAP server as a crash does.
    pub fn kill_server(&mut self) -> Result {
        self.slapd.kill().map(drop)
    }
}

fn slapd_conf(path: &str) -> String {
    format!(
        "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n\
         include /etc/ldap/schema/nis.schema\n\
         attributetype ( 1.3.6.1.4.1.24552.500.1.1.1.13 NAME 'sshPublicKey' EQUALITY octetStringMatch \
         SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )\n\
         objectclass ( 1.3.6.1.4.1.24552.500.1.1.2.0 NAME 'ldapPublicKey' SUP top AUXILIARY MAY ( sshPublicKey $ uid ) )\n\
         pidfile {path}/slapd.pid\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n\
         database mdb\nsuffix \"{BASE}\"\ndirectory {path}/database\n\
         access to * by * read\n"
    )
}

fn data(keys: &[&str]) -> String {
    let keys: String = keys
        .iter()
        .map(|key| format!("sshPublicKey: {key}\n"))
        .collect();
    format!(
        "dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: example\n\n\
         dn: uid={ACCOUNT},{BASE}\nobjectClass: account\nobjectClass: posixAccount\nobjectClass: ldapPublicKey\n\
         uid: {ACCOUNT}\ncn: {ACCOUNT}\nuidNumber: 61001\ngidNumber: 61001\nhomeDirectory: /nonexistent\n\
         loginShell: /bin/sh\n{keys}"
    )
}

fn sssd_conf(url: &str) -> String {
    format!(
        "[sssd]\nservices = nss, ssh\ndomains = directory\n\
         [nss]\n[ssh]\n\
         [domain/directory]\nid_provider = ldap\nauth_provider = none\naccess_provider = permit\n\
         ldap_uri = {url}\nldap_search_base = {BASE}\nldap_id_use_start_tls = false\n"
    )
}

const BASE: &str = "dc=example,dc=org";
const NSSWITCH: &str = "passwd: files sss\ngroup: files sss\nshadow: files\nhosts: files\n";
/// The longest that SSSD may take to start and to ask.
const START_LIMIT: Duration = Duration::from_secs(60);
