//! A metadata server as Google's machines have one, as far as OS Login asks it, in a network of the test's own.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use keyroster_testkit::finish;
use serde_json::json;

/// Where OS Login's programs look for it, and nowhere else.
const ADDRESS: &str = "169.254.169.254";

/// Set while a test runs in a network of its own.
const INSIDE: &str = "KEYROSTER_TEST_NETWORK";

/// What it says about every account.
#[derive(Clone, Debug)]
pub enum Says {
    /// The account has these keys, an ordinary one and a security key, and may log in.
    Granted { key: String, security_key: String },
    /// It has this key and may not log in.
    Denied { key: String },
    /// There is no such account.
    Nobody,
    /// The server fails.
    Failure,
    /// Nothing, for as long as one waits.
    Nothing,
}

/// A metadata server that runs to the end of the test program.
pub struct Metadata {
    says: Arc<Mutex<Says>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Metadata {
    pub fn start(says: Says) -> Self {
        let listener = TcpListener::bind((ADDRESS, 80)).unwrap();
        let metadata = Self {
            says: Arc::new(Mutex::new(says)),
            asked: Arc::default(),
        };
        let (says, asked) = (Arc::clone(&metadata.says), Arc::clone(&metadata.asked));
        thread::spawn(move || {
            let mut unanswered = Vec::new();
            for stream in listener.incoming().flatten() {
                let path = requested(&stream);
                asked.lock().unwrap().push(path.clone());
                let says = says.lock().unwrap().clone();
                match answer(&says, &path) {
                    Some(answer) => (&stream).write_all(answer.as_bytes()).unwrap_or_default(),
                    None => unanswered.push(stream),
                }
            }
        });
        metadata
    }

    /// Has it say something else from now on.
    pub fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    /// What it was asked since the last time.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// The path of a request, which is read to its end.
fn requested(stream: &TcpStream) -> String {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    for _header in lines.take_while(|line| !line.is_empty()) {}
    first.split(' ').nth(1).unwrap_or_default().to_owned()
}

fn answer(says: &Says, path: &str) -> Option<String> {
    let authorize = path.contains("/authorize");
    let body = match says {
        Says::Nothing => return None,
        Says::Nobody => return Some(response("404 Not Found", "")),
        Says::Failure => return Some(response("500 Internal Server Error", "")),
        Says::Granted { .. } | Says::Denied { .. } if authorize => {
            json!({ "success": matches!(says, Says::Granted { .. }) })
        }
        Says::Granted { key, security_key } => profile(key, security_key),
        Says::Denied { key } => profile(key, key),
    };
    Some(response("200 OK", &body.to_string()))
}

fn profile(key: &str, security_key: &str) -> serde_json::Value {
    json!({ "loginProfiles": [{
        "name": "115507938237941034178",
        "posixAccounts": [{ "primary": true, "username": "x", "uid": "61004", "gid": "61004" }],
        "sshPublicKeys": { "a": { "key": key } },
        "securityKeys": [{ "publicKey": security_key }],
    }] })
}

fn response(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// Runs the test `name` in a network of its own, in which there is nothing but loopback, with the metadata server's address on it.
pub fn in_a_network_of_its_own(name: &str, test: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    let script = format!(
        "ip link set lo up\nip address add {ADDRESS}/32 dev lo\nexec \"$@\" --exact {name} --nocapture"
    );
    let mut inside = Command::new("unshare");
    inside
        .args(["--net", "sh", "-euc", &script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, "yes");
    let said = finish(&mut inside, LIMIT).unwrap().success(name).unwrap();
    assert!(said.contains("1 passed"), "{said}");
}

const LIMIT: Duration = Duration::from_secs(300);
