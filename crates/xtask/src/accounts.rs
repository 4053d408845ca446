//! The Unix accounts that tests run programs as and log in to.
//!
//! Made before the tests, because many test processes at once would queue for the lock on the password file; removed
//! afterwards, but only those that this run made.

use keyroster_testkit::{Account, Result};

/// Accounts made by this run. Dropped, they are removed.
#[derive(Debug)]
pub struct TestAccounts {
    made: Vec<&'static str>,
}

impl TestAccounts {
    /// Makes those that are missing.
    pub fn prepare() -> Result<Self> {
        let mut accounts = Self { made: Vec::new() };
        for name in SERVICES {
            accounts.make(name, Account::service)?;
        }
        for name in LOGINS {
            accounts.make(name, Account::login)?;
        }
        Ok(accounts)
    }

    fn make(&mut self, name: &'static str, ensure: fn(&str) -> Result<Account>) -> Result {
        if Account::find(name)?.is_none() {
            ensure(name)?;
            self.made.push(name);
        }
        Ok(())
    }
}

impl Drop for TestAccounts {
    fn drop(&mut self) {
        for name in &self.made {
            let _ = Account::remove(name);
        }
    }
}

const SERVICES: [&str; 2] = ["keyroster-lookup", "keyroster-agent"];
const LOGINS: [&str; 2] = ["keyroster-t1", "keyroster-t2"];
