//! Who needs the list of revoked keys, and since when.
//!
//! A KRL needs it from the start. Ending sessions needs it once a snapshot says that sessions end, which may be never: a host that
//! does neither asks for no list.

use std::sync::Arc;

use keyroster_api::signature::SnapshotPublicKey;
use tokio::sync::watch;

use crate::config::Config;
use crate::core::held::Held;
use crate::fetch::Fetcher;
use crate::revoked::{Follower, KrlFile, Listed, Parts};
use crate::sessions;
use crate::shared::Shared;
use crate::state::StateDir;

/// The list of revoked keys, for whoever needs it on this host.
#[derive(Debug)]
pub struct Lists {
    /// Whether there is a KRL, and where everything is.
    pub config: Config,
    /// Clock, health, and what is known.
    pub shared: Arc<Shared>,
    /// The connection to the key server, as it is now.
    pub fetchers: watch::Receiver<Arc<Fetcher>>,
    /// Whose lists are believed.
    pub key: SnapshotPublicKey,
}

impl Lists {
    /// Runs beside the poller. It never returns; drop it to end it. Whatever is wrong with it, logins are answered.
    pub async fn run(self) {
        let (tell, list) = watch::channel(None);
        let socket = self.config.sessions_socket.clone();
        let sessions = sessions::run(socket, Arc::clone(&self.shared), list);
        tokio::join!(self.follow(tell), sessions);
    }

    async fn follow(self, tell: watch::Sender<Listed>) {
        let krl = self.config.revoked_keys.as_ref().and_then(|path| {
            KrlFile::at(path)
                .inspect_err(|err| tracing::error!(error = %err, "sshd gets no revoked keys"))
                .ok()
        });
        if krl.is_none() {
            self.sessions_end().await;
        }
        let dir = match StateDir::open(&self.config.state_dir) {
            Ok(dir) => dir,
            Err(err) => return tracing::error!(error = %err, "no list of revoked keys is held"),
        };
        let mut follower = Follower::new(Parts {
            shared: self.shared,
            fetchers: self.fetchers,
            dir,
            key: self.key,
            krl,
            wait: self.config.wait(),
            interval: self.config.poll_interval(),
        });
        let mut news = follower.subscribe();
        let forward = async {
            loop {
                tell.send_replace(news.borrow_and_update().clone());
                if news.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::join!(follower.run(), forward);
    }

    /// Waits until a snapshot says that sessions end.
    async fn sessions_end(&self) {
        let mut attempts = self.shared.attempts();
        while !self
            .shared
            .known()
            .held
            .as_deref()
            .is_some_and(Held::end_sessions)
        {
            if attempts.changed().await.is_err() {
                return;
            }
        }
    }
}
