use std::sync::atomic::{AtomicBool, Ordering};

use keyroster_testkit::{Account, RootDir, SshAgent, SshKey, Sshd as Running};

use super::*;
use crate::would_be::DropIn;
use crate::{Binary, Sshd};

struct Case {
    account: Account,
    keys: RootDir,
    running: Running,
}

impl Case {
    fn new() -> Self {
        Self {
            account: Account::login("keyroster-t1").unwrap(),
            keys: RootDir::new().unwrap(),
            running: Running::builder().start().unwrap(),
        }
    }

    fn key(&self, name: &str) -> SshKey {
        SshKey::ed25519(self.keys.path(), name).unwrap()
    }

    /// A file that lets this key in.
    fn file(&self, name: &str, line: &str) -> PathBuf {
        self.keys.file(name, line, 0o644).unwrap()
    }

    fn login(&self, drop_in: &str, identities: &[Identity]) -> Outcome {
        let config = self.running.dir().join("sshd_config");
        let sshd = Sshd::new(Binary::at(Path::new("/usr/sbin/sshd")).unwrap(), &config);
        let place = DropIn::beside(&config, "10-keyroster.conf");
        let would_be = WouldBe::new(&sshd, &place, Some(drop_in.as_bytes())).unwrap();
        login(&would_be, &self.account.name, identities).unwrap()
    }
}

fn of_file(key: &SshKey) -> Vec<Identity> {
    vec![Identity::File(key.private_path().to_owned())]
}

#[test]
fn a_key_that_would_be_let_in_logs_in_and_is_named_with_where_it_was_found() {
    let case = Case::new();
    let key = case.key("a");
    let file = case.file("keys", key.public_line());
    let outcome = case.login(
        &format!("AuthorizedKeysFile {}\n", file.display()),
        &of_file(&key),
    );
    let Outcome::LoggedIn(proof) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(proof.fingerprint, key.fingerprint().unwrap());
    assert_eq!(proof.found_at, format!("{}:1", file.display()));
}

#[test]
fn a_key_that_a_command_lets_in_is_told_from_one_in_a_file() {
    let case = Case::new();
    let key = case.key("a");
    let file = case.file("keys", key.public_line());
    let drop_in = format!(
        "AuthorizedKeysCommand /bin/cat {}\nAuthorizedKeysCommandUser nobody\n",
        file.display()
    );
    let Outcome::LoggedIn(proof) = case.login(&drop_in, &of_file(&key)) else {
        panic!("refused");
    };
    assert!(
        proof.found_at.starts_with("/bin/cat "),
        "{}",
        proof.found_at
    );
}

#[test]
fn a_key_that_nothing_lets_in_is_refused_and_what_sshd_said_is_told() {
    let case = Case::new();
    let (known, other) = (case.key("a"), case.key("b"));
    let file = case.file("keys", known.public_line());
    let outcome = case.login(
        &format!("AuthorizedKeysFile {}\n", file.display()),
        &of_file(&other),
    );
    let Outcome::Refused(why) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(why.contains("Permission denied"), "{why}");
}

#[test]
fn a_forced_command_is_not_run() {
    let case = Case::new();
    let key = case.key("a");
    let mark = case.keys.dir("open", 0o777).unwrap().join("ran");
    let line = format!("command=\"touch {}\" {}", mark.display(), key.public_line());
    let file = case.file("keys", &line);
    let outcome = case.login(
        &format!("AuthorizedKeysFile {}\n", file.display()),
        &of_file(&key),
    );
    assert!(matches!(outcome, Outcome::LoggedIn(_)), "{outcome:?}");
    assert!(!mark.exists());
}

#[test]
fn a_key_in_an_ssh_agent_logs_in_and_its_file_need_not_be_here() {
    let case = Case::new();
    let key = case.key("a");
    let file = case.file("keys", key.public_line());
    let agent = SshAgent::with(&[&key]).unwrap();
    fs::remove_file(key.private_path()).unwrap();
    let outcome = case.login(
        &format!("AuthorizedKeysFile {}\n", file.display()),
        &[Identity::Agent(agent.socket().to_owned())],
    );
    assert!(matches!(outcome, Outcome::LoggedIn(_)), "{outcome:?}");
}

#[test]
fn what_a_client_makes_sshd_log_is_no_proof() {
    let log = "Invalid user Accepted publickey for a from 127.0.0.1\n\
               Accepted key ED25519 SHA256:abc found at /k:1\n\
               Failed publickey for a from 127.0.0.1 port 1 ssh2: ED25519 SHA256:abc\n";
    assert_eq!(proof(log, "a"), None);
    let log =
        format!("{log}Accepted publickey for a from 127.0.0.1 port 1 ssh2: ED25519 SHA256:abc\n");
    assert_eq!(proof(&log, "a").unwrap().found_at, "/k:1");
    assert_eq!(proof(&log, "b"), None);
}

#[test]
fn a_key_of_an_ssh_agent_is_offered_alone_though_the_agent_holds_more_than_sshd_would_try() {
    let case = Case::new();
    let key = case.key("a");
    let agent = SshAgent::start().unwrap();
    for number in 0..8 {
        agent.add(&case.key(&format!("other-{number}"))).unwrap();
    }
    agent.add(&key).unwrap();
    let file = case.file("keys", key.public_line());
    let drop_in = format!("AuthorizedKeysFile {}\n", file.display());
    let socket = agent.socket().to_owned();
    let all = [Identity::Agent(socket.clone())];
    let refused = case.login(&drop_in, &all);
    assert!(matches!(refused, Outcome::Refused(_)), "{refused:?}");
    let one = Identity::AgentKey {
        socket,
        public: key.public_line().to_owned(),
    };
    let outcome = case.login(&drop_in, &[one]);
    let Outcome::LoggedIn(proof) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(proof.fingerprint, key.fingerprint().unwrap());
}

/// What a stranger sends: a goodbye whose text sshd writes to its log as it stands, line breaks included.
fn forged(account: &str) -> Vec<u8> {
    let text = format!(
        "x\nAccepted key ED25519 SHA256:abc found at /k:1\nAccepted publickey for {account} from 127.0.0.1 port 1 ssh2: ED25519 SHA256:abc"
    );
    let mut goodbye = vec![1, 0, 0, 0, 11];
    goodbye.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
    goodbye.extend(text.as_bytes());
    goodbye.extend([0; 4]);
    let padding = 4 + (8 - (5 + goodbye.len() + 4) % 8) % 8;
    let length = 1 + goodbye.len() + padding;
    let mut bytes = b"SSH-2.0-stranger\r\n".to_vec();
    bytes.extend(u32::try_from(length).unwrap().to_be_bytes());
    bytes.push(u8::try_from(padding).unwrap());
    bytes.extend(goodbye);
    bytes.resize(bytes.len() + padding, 0);
    bytes
}

/// The port that this process listens on, once it does.
fn port_of_the_trial() -> Option<u16> {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, port) = fields.get(1)?.split_once(':')?;
        let inode = fields.get(9)?.parse().ok()?;
        let listens =
            *fields.get(3)? == "0A" && peer::holds(Path::new("/proc/self/fd"), inode).unwrap();
        listens.then(|| u16::from_str_radix(port, 16).unwrap())
    })
}

#[test]
fn a_stranger_on_the_host_can_neither_pass_for_the_client_nor_keep_it_out() {
    use std::io::Write as _;

    let case = Case::new();
    let (known, other) = (case.key("a"), case.key("b"));
    let file = case.file("keys", known.public_line());
    let drop_in = format!("AuthorizedKeysFile {}\n", file.display());
    let bytes = forged(&case.account.name);
    let over = AtomicBool::new(false);
    let (refused, let_in) = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut open = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let stream = port_of_the_trial()
                    .and_then(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
                // Some stay, with all said that they have to say.
                open.extend(stream.filter(|mut stream| stream.write_all(&bytes).is_ok()));
                open.truncate(64);
            }
        });
        let outcomes = [&other, &known].map(|key| case.login(&drop_in, &of_file(key)));
        over.store(true, Ordering::Relaxed);
        outcomes.into()
    });
    assert!(matches!(refused, Outcome::Refused(_)), "{refused:?}");
    let Outcome::LoggedIn(proof) = let_in else {
        panic!("{let_in:?}");
    };
    assert_eq!(proof.fingerprint, known.fingerprint().unwrap());
}
