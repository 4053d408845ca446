//! The way in that asks nobody.

use std::time::Duration;

use keyroster_testkit::{Result, until};

use crate::host::{GRANTED, Host};
use crate::steps::install::wait_until_fresh;

/// sshd reads the files since `enable`. Drilled, used while the host agent is dead, and told to the key server once it is back.
pub fn lets_in_and_is_told(host: &mut Host) -> Result {
    let public = host.machine.bring(&host.keys.break_glass.public_path())?;
    let private = host.machine.bring(host.keys.break_glass.private_path())?;
    host.must(&format!(
        "chmod 600 '{private}'\n\
         keyroster-agent break-glass add {GRANTED} --file '{public}' --any-key\n\
         keyroster-agent break-glass drill {GRANTED} --key '{private}'\n\
         systemctl stop keyroster-agent"
    ))?;
    host.must_let_in(&host.with(&host.keys.break_glass))?;
    host.must_refuse(&host.by_grant())?;
    host.must_let_in(&host.by_file())?;
    host.must("systemctl start keyroster-agent")?;
    wait_until_fresh(host)?;
    until("the key server to hear of it", TELL_LIMIT, || {
        let log = host.server.admin(&["audit", "log"])?;
        Ok(log.contains("break-glass.use").then_some(()))
    })?;
    host.must_let_in(&host.by_grant())
}

const TELL_LIMIT: Duration = Duration::from_secs(180);
