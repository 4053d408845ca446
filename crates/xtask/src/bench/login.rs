//! What a login costs with our command, beside one with a file of keys.
//!
//! One sshd, two ports, told apart by `Match LocalPort`. Not two sshds: each draws a secret that decides by how much it
//! delays the answers for an account, and the two would differ by more than what is to be measured.

use std::time::Instant;

use keyroster_testkit::{Failure, Result, Ssh, Sshd, free_port};
use serde::Serialize;

use super::Options;
use super::figures::{Aim, Spread, number};
use crate::stage::Stage;

/// What was measured of logins.
#[derive(Debug, Serialize)]
pub struct Results {
    file_millis: Spread,
    lookup_millis: Spread,
}

/// Logs in by turns.
pub fn measure(stage: &Stage, options: &Options) -> Result<Results> {
    let port = free_port()?;
    let sshd = Sshd::builder()
        .drop_in("10-keyroster.conf", &stage.key_command())
        .drop_in("20-by-file.conf", &by_file(stage, port)?)
        .start()?;
    let host_key = format!("HostKeyAlias=[127.0.0.1]:{}", sshd.port());
    let with_lookup = Ssh::to(&sshd, &stage.login_account.name).key(&stage.key);
    let with_file = with_lookup.clone().port(port).option(&host_key);
    let (mut file, mut lookup) = (Vec::new(), Vec::new());
    for run in 0..options.runs(LOGINS) + WARM_UP_LOGINS {
        let times = (log_in(&with_file, &sshd)?, log_in(&with_lookup, &sshd)?);
        if run >= WARM_UP_LOGINS {
            file.push(times.0);
            lookup.push(times.1);
        }
    }
    Ok(Results {
        file_millis: Spread::of(file),
        lookup_millis: Spread::of(lookup),
    })
}

impl Results {
    /// The aim, in the words of the design.
    pub fn aims(&self) -> Vec<Aim> {
        let ratio = self.lookup_millis.median / self.file_millis.median;
        vec![Aim::at_most(
            "login by keyroster-lookup / by AuthorizedKeysFile, median",
            ratio,
            1.05,
        )]
    }

    /// Prints the table.
    pub fn print(&self) {
        println!("one login, ms                          p50        p99");
        for (what, spread) in [
            ("by AuthorizedKeysFile", self.file_millis),
            ("by keyroster-lookup", self.lookup_millis),
        ] {
            println!(
                "  {what:<28} {:>10} {:>10}",
                number(spread.median),
                number(spread.p99)
            );
        }
        println!();
    }
}

/// On the second port the file comes first and lets the key in; the command is never reached.
fn by_file(stage: &Stage, port: u16) -> Result<String> {
    let line = format!("restrict,pty {}\n", stage.key.public_line());
    let keys = stage.write("bench/authorized_keys", &line)?;
    let keys = keys.display();
    Ok(format!(
        "Port {port}\nMatch LocalPort {port}\n    AuthorizedKeysFile {keys}\n"
    ))
}

/// The milliseconds of one login that runs `true`.
fn log_in(ssh: &Ssh, sshd: &Sshd) -> Result<f64> {
    let started = Instant::now();
    let login = ssh.run()?;
    let took = started.elapsed();
    if login.status.success() {
        return Ok(took.as_secs_f64() * 1_000.0);
    }
    Err(Failure::new(format!(
        "a login failed: {}\n{}",
        login.stderr,
        sshd.log()
    )))
}

const LOGINS: u32 = 200;
const WARM_UP_LOGINS: u32 = 3;
