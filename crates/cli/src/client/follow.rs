//! Receipts as they grow: asked for again and again, so that whoever waits sees how many hosts have confirmed.
//!
//! A change is sent once and waited for as shortly as the key server lets; what follows only reads its receipt. So a connection that
//! breaks loses nothing, a key server that restarts is asked once more, and Ctrl-C ends the waiting and not the change.

use std::collections::BTreeMap;
use std::time::Duration;

use keyroster_api::paths::{self, fill};
use keyroster_api::receipt::Receipt;
use reqwest::Method;
use serde::Serialize;
use tokio::time::Instant;

use super::{CHANGE_HINT, Client};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::wait::{Followed, Waiting, is_settled};

impl Client {
    /// Makes a change, and waits until every host holds it or the time is up.
    pub(super) async fn change_and_follow(
        &self,
        (method, path): (Method, &str),
        body: &impl Serialize,
        waiting: &Waiting,
    ) -> Result<Followed> {
        let until = Instant::now() + waiting.patience();
        let request = self.request(method, path, &query(FIRST_STEP_S))?.json(body);
        let first = tokio::select! {
            answer = self.read(request) => answer?,
            () = interrupted() => {
                let what = "interrupted before the key server answered";
                return Err(Failure::new(Exit::TempFail, what).hint(CHANGE_HINT));
            }
        };
        Ok(self.follow(first, waiting, until).await)
    }

    /// The receipt of a write that was made before, as it is when every host holds the write or the time is up.
    pub(super) async fn follow_receipt(
        &self,
        revision: u64,
        waiting: &Waiting,
    ) -> Result<Followed> {
        let until = Instant::now() + waiting.patience();
        let first = self.receipt_within(revision, FIRST_STEP_S).await?;
        Ok(self.follow(first, waiting, until).await)
    }

    async fn follow(&self, first: Receipt, waiting: &Waiting, until: Instant) -> Followed {
        let revision = first.revision;
        let mut known = Known::new(first);
        let mut unheard = None;
        while !is_settled(&known.receipt) && Instant::now() < until {
            waiting.show(&known.receipt, Instant::now());
            let answer = tokio::select! {
                answer = self.look_again(&known.receipt, until) => answer,
                () = interrupted() => {
                    let note = format!("no longer waited for; the change holds. {}", later(revision));
                    return Followed { receipt: known.receipt, note: Some(note) };
                }
            };
            unheard = match answer {
                Ok(receipt) => {
                    known.learn(receipt);
                    None
                }
                Err(failure) => Some(failure),
            };
        }
        let note = unheard.map(|failure| {
            let what = failure.what();
            format!(
                "the change holds, but its receipt may be older than this: {what}. {}",
                later(revision)
            )
        });
        Followed {
            receipt: known.receipt,
            note,
        }
    }

    /// The next answer that tells something, or the last one in time. One that comes early and tells nothing is not asked for again
    /// at once: the key server may have no place for those who wait.
    async fn look_again(&self, known: &Receipt, until: Instant) -> Result<Receipt> {
        let step_s = step_s(known);
        let next = Instant::now() + Duration::from_secs(step_s.into());
        let answer = self.receipt_within(known.revision, step_s).await;
        if !matches!(&answer, Ok(receipt) if is_settled(receipt)) {
            tokio::time::sleep_until(next.min(until)).await;
        }
        answer
    }

    async fn receipt_within(&self, revision: u64, step_s: u32) -> Result<Receipt> {
        let path = fill(paths::RECEIPT, &[&revision.to_string()]);
        self.get_with(&path, &query(step_s)).await
    }
}

/// What is known of a receipt after several answers.
struct Known {
    receipt: Receipt,
    /// How quick each host was by the answer that knew best: the first that told of it.
    after_ms: BTreeMap<String, u64>,
}

impl Known {
    fn new(receipt: Receipt) -> Self {
        let mut known = Self {
            receipt: receipt.clone(),
            after_ms: BTreeMap::new(),
        };
        known.learn(receipt);
        known
    }

    fn learn(&mut self, mut receipt: Receipt) {
        for host in &mut receipt.confirmed {
            let known = self.after_ms.entry(host.host.clone());
            host.after_ms = *known.or_insert(host.after_ms);
        }
        self.receipt = Receipt::new(
            receipt.revision,
            receipt.confirmed,
            receipt.pending,
            receipt.each_login,
        );
    }
}

/// The question for a receipt.
fn query(step_s: u32) -> [(&'static str, String); 2] {
    [
        ("wait", String::from("confirmed")),
        ("timeout", step_s.to_string()),
    ]
}

/// How long the next answer may take: longer where it is large.
fn step_s(receipt: &Receipt) -> u32 {
    let hosts = receipt.confirmed.len() + receipt.pending.len();
    let more = u32::try_from(hosts / HOSTS_PER_STEP_S).unwrap_or(u32::MAX);
    FIRST_STEP_S.saturating_add(more).min(MAX_STEP_S)
}

fn later(revision: u64) -> String {
    format!("`keyroster audit receipt {revision} --wait` waits on")
}

/// Ends when somebody presses Ctrl-C; never where that can't be heard, and then it ends the program.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Seconds for the first answer: as short as the key server lets.
const FIRST_STEP_S: u32 = keyroster_api::receipt::MIN_TIMEOUT_S;
/// Seconds for a later one at most: well within the silence that a connection may have.
const MAX_STEP_S: u32 = 5;
/// For so many hosts an answer may take a second longer.
const HOSTS_PER_STEP_S: usize = 4000;

#[cfg(test)]
mod tests {
    use keyroster_api::receipt::ConfirmedHost;

    use super::*;

    fn receipt(hosts: &[(&str, u64)]) -> Receipt {
        let hosts = hosts.iter().map(|(name, after_ms)| ConfirmedHost {
            host: (*name).to_owned(),
            name: (*name).to_owned(),
            after_ms: *after_ms,
            confirmed_at: None,
        });
        Receipt::new(7, hosts.collect(), Vec::new(), Vec::new())
    }

    #[test]
    fn how_quick_a_host_was_is_told_by_the_first_answer_that_knew() {
        let mut known = Known::new(receipt(&[("web-1", 38)]));
        known.learn(receipt(&[("web-1", 1000), ("web-2", 2000)]));
        known.learn(receipt(&[("web-1", 0), ("web-2", 0), ("web-3", 3)]));
        let told = known.receipt;
        let hosts: Vec<_> = told.confirmed.iter().map(|host| host.after_ms).collect();
        assert_eq!((hosts, told.max_ms), (vec![3, 38, 2000], Some(2000)));
    }

    #[test]
    fn a_large_receipt_is_asked_for_less_often_and_within_the_silence_of_a_connection() {
        let of = |hosts: usize| {
            let mut large = receipt(&[("web-1", 1)]);
            large.confirmed = vec![large.confirmed[0].clone(); hosts];
            step_s(&large)
        };
        assert_eq!((of(1), of(3999), of(8000)), (1, 1, 3));
        assert_eq!(of(1_000_000), MAX_STEP_S);
        assert!(
            Duration::from_secs(MAX_STEP_S.into()) < keyroster_edge::ClientLimits::default().read
        );
    }
}
