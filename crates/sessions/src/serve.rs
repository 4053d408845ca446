//! `serve`: the daemon.
//!
//! The directory is watched before it is read for the first time, so that no record falls between. Once in a while everything is
//! looked at, for the records of sessions whose sshd was killed and could not say that they are over.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::args::Settings;
use crate::ending;
use crate::error::Error;
use crate::helper::Helper;
use crate::log::{Log, Severity};
use crate::passwd;
use crate::process::Processes;
use crate::records::Records;
use crate::socket::Socket;
use crate::watch::{Change, Watch};

/// Runs until something makes it impossible; a signal ends it, since it holds nothing that would be lost.
pub(crate) fn serve(settings: &Settings) -> Result<Infallible, Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::NotRoot);
    }
    ending::check_kernel().map_err(Error::NoProcessDescriptors)?;
    let agent_uid = passwd::uid_of(&settings.agent_user)?;
    let records = Records::open(&settings.dir)?;
    let _lock = records.lock()?;
    let watch = Watch::on(records.path())?;
    let socket = Socket::bind(&settings.socket, agent_uid)?;
    let log = Log::to(&settings.log_socket);
    let helper = Arc::new(Helper::new(records, Processes::of_system(), log));
    helper.log().say(Severity::Notice, format_args!("ready"));
    let hearing = Arc::clone(&helper);
    std::thread::spawn(move || socket.serve(&hearing));
    loop {
        helper.look_at_all();
        while let Change::Records(records) = watch.next(LOOK_INTERVAL)? {
            records
                .into_iter()
                .for_each(|record| helper.look_at(record));
        }
    }
}

/// How long it stays quiet before everything is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
