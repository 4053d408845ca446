//! Every limit of the key server beside those of its listener ([`keyroster_edge::ServerLimits`]).
//!
//! A struct and not constants read in place, so that a test of a deadline need not wait for the real one.

use std::time::Duration;

use keyroster_edge::ServerLimits;

/// The limits of a running server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Those of the listener.
    pub listener: ServerLimits,
    /// From the end of a request's head to the end of its body.
    pub body_read: Duration,
    /// From a request's head to its answer.
    pub total: Duration,
    /// Requests worked on at one time; more are turned away.
    pub requests: usize,
    /// Snapshots rendered at one time; more wait.
    pub renderings: usize,
    /// How often the database is asked whether another server wrote.
    pub state_poll: Duration,
    /// How old the last answer to that question may be for a snapshot to be served.
    pub state_age: Duration,
    /// How long `/readyz` waits for the database.
    pub ready: Duration,
    /// How long a host may wait for a change.
    pub wait: Duration,
    /// Hosts that were woken and are answered at one time; more wait, so that a write about all of them leaves room for
    /// other requests.
    pub woken: usize,
    /// Receipts waited for at one time; more are answered at once with what is known.
    pub receipts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            listener: ServerLimits::default(),
            body_read: BODY_READ_TIMEOUT,
            total: TOTAL_TIMEOUT,
            requests: MAX_REQUESTS,
            renderings: MAX_RENDERINGS,
            state_poll: STATE_POLL_INTERVAL,
            state_age: MAX_STATE_AGE,
            ready: READY_TIMEOUT,
            wait: MAX_WAIT,
            woken: MAX_WOKEN,
            receipts: MAX_RECEIPTS,
        }
    }
}

/// Bytes of a request's body, where a route does not say otherwise.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// From the end of a request's head to the end of its body.
pub const BODY_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// From a request's head to its answer.
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(20);
/// Requests worked on at one time.
pub const MAX_REQUESTS: usize = 1024;
/// Snapshots rendered at one time: rendering is work for a processor and a connection to the database.
pub const MAX_RENDERINGS: usize = 4;
/// How often the database is asked whether another server wrote.
pub const STATE_POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How old the last answer to that question may be for a snapshot to be served.
pub const MAX_STATE_AGE: Duration = Duration::from_secs(2);
/// How long `/readyz` waits for the database.
pub const READY_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a host may wait for a change. It takes no place among the requests that are worked on, and no deadline of
/// theirs counts.
pub const MAX_WAIT: Duration = Duration::from_secs(50);
/// Hosts that were woken and are answered at one time: some milliseconds of work.
pub const MAX_WOKEN: usize = 64;
/// Receipts waited for at one time.
pub const MAX_RECEIPTS: usize = 64;
/// How long what hosts confirm is collected before it is saved for the other servers.
pub const CONFIRMATION_BATCH: Duration = Duration::from_millis(50);
/// Confirmations saved by one transaction.
pub const CONFIRMATIONS_AT_ONCE: usize = 512;
/// How often somebody who waits for a receipt looks for what other servers have heard.
pub const RECEIPT_POLL: Duration = Duration::from_millis(200);
/// How long confirmations are collected before somebody who waits for a receipt looks at them.
pub const RECEIPT_BATCH: Duration = Duration::from_millis(2);
/// The same for each host that is still out: with many hosts there is more to look at, and no less to hear.
pub const RECEIPT_BATCH_PER_HOST: Duration = Duration::from_micros(2);
/// The pause after a database did not answer a task that nobody waits for.
pub const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// How long the last confirmations may take to be saved when the server stops.
pub const LAST_SAVE_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes of rendered accounts that are kept, in all classes of hosts.
pub const MAX_CLASS_BYTES: u64 = 384 * 1024 * 1024;
/// Bytes of signed snapshots that are kept.
pub const MAX_CACHED_BYTES: u64 = 128 * 1024 * 1024;
/// How long a signed snapshot is kept that nobody asks for: a host whose answer was lost asks again within seconds, and one that has
/// it asks for what changed.
pub const SNAPSHOT_IDLE: Duration = Duration::from_secs(10);
/// Accounts that are read one by one; when more changed, all are read at once.
pub const MAX_PART_ACCOUNTS: usize = 512;
/// Accounts that are rendered where the request is answered; more are so on a thread of their own.
pub const ACCOUNTS_INLINE: usize = 32;
/// Bytes that are signed where the request is answered; more are so on a thread of their own.
pub const BYTES_INLINE: usize = 64 * 1024;
/// How often a host is looked at anew when the roster changes while it is being answered.
pub const MAX_LOOKS: usize = 8;
/// Client certificates whose names are kept, so that they are read once a certificate and not once a request.
pub const MAX_CACHED_IDENTITIES: u64 = 100_000;
/// Renewals of hosts' certificates within a second, when a new CA has come into force and all hosts renew: each is a transaction and a
/// signature, and 15,000 hosts take ten minutes.
pub const RENEWALS_PER_SECOND: u64 = 25;
/// Days before the end of the CA from which on it is said that it ends.
pub const CA_WARNING_DAYS: i64 = 365;
/// Days for which the first admin token lives, and one that `admin-token` makes.
pub const ADMIN_TOKEN_DAYS: i64 = 30;
/// The longest life of a bearer token, in days.
pub const MAX_TOKEN_DAYS: i64 = 366;
