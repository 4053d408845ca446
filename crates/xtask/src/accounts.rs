//! The Unix accounts that tests run programs as and log in to.
//!
//! The common ones are made before the tests, because many test processes at once would queue for the lock on the password
//! file. Afterwards every account is removed that was not there before, whichever test made it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use keyroster_testkit::{Account, Failure, Result};

/// Remembers which accounts there were. Dropped, it removes the tests' others.
#[derive(Debug)]
pub struct TestAccounts {
    before: BTreeSet<String>,
}

impl TestAccounts {
    /// Makes those that are missing.
    pub fn prepare() -> Result<Self> {
        let accounts = Self { before: present()? };
        for name in SERVICES {
            Account::service(name)?;
        }
        for name in LOGINS {
            Account::login(name)?;
        }
        Ok(accounts)
    }
}

impl Drop for TestAccounts {
    fn drop(&mut self) {
        for name in present().unwrap_or_default().difference(&self.before) {
            let _ = Account::remove(name);
        }
    }
}

/// The tests' accounts that are there. A demo's are its own to remove.
fn present() -> Result<BTreeSet<String>> {
    let path = Path::new("/etc/passwd");
    let text = fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
    Ok(ours(&text))
}

fn ours(passwd: &str) -> BTreeSet<String> {
    let names = passwd.lines().filter_map(|line| line.split(':').next());
    let ours = names.filter(|name| name.starts_with(PREFIX) && !name.starts_with(DEMO_PREFIX));
    ours.map(str::to_owned).collect()
}

const SERVICES: [&str; 2] = ["keyroster-lookup", "keyroster-agent"];
const LOGINS: [&str; 2] = ["keyroster-t1", "keyroster-t2"];
const PREFIX: &str = "keyroster-";
const DEMO_PREFIX: &str = "keyroster-demo-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_elses_account_is_taken_for_a_tests() {
        let passwd = "root:x:0:0:::\nkeyroster-t1:x:9:9:::\nkeyroster-demo-login-7:x:8:8:::\nalice:x:1:1:::\n";
        assert_eq!(
            ours(passwd).into_iter().collect::<Vec<_>>(),
            ["keyroster-t1"]
        );
    }
}
