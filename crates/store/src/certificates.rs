//! Which of its client certificates a host may use.
//!
//! Certificates of a host are numbered: the generation stands in each, and no number is given out twice. A renewal issues
//! the next one, but what the host has stays good until it *uses* the new one: a host that loses power between asking
//! and storing must not lock itself out. From that use on, the old one is a copy in somebody's hand: its use locks the
//! host. Only for [`OVERLAP_S`] seconds it is still let in, because a lookup may have read the files of the host a moment
//! before the host agent exchanged them.
//!
//! A roster that was restored may have forgotten certificates that it issued. Such a one is signed all the same, and the host is not
//! to blame: it is taken, once it is clear that it was issued before the restore.

use keyroster_roster::{HostId, HostState, Timestamp};
use serde_json::json;
use sqlx::FromRow;

use crate::StoreError;
use crate::action::Action;
use crate::audit::Event;
use crate::concerned::Marked;
use crate::db::{Record, statements, values};
use crate::error::{Object, corrupt};
use crate::read::{Reader, Row, moment};
use crate::state::RosterState;
use crate::write::{WriteTx, Writer};

/// What the store knows of a host's certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostCredential {
    state: HostState,
    generation: u64,
    issued: u64,
    previous: Option<(u64, Timestamp)>,
    restored_at: Option<Timestamp>,
}

/// How a certificate stands that a host has shown.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shown {
    /// It is the host's: let it in.
    Current,
    /// It was issued to take the place of the current one and is used for the first time: call
    /// [`Writer::show_certificate`], then let it in.
    Next,
    /// Its place was taken moments ago: let it in, but issue nothing to it.
    Overlapping,
    /// The roster was restored then, and does not know it: if it was issued before, call [`Writer::adopt_certificate`], and let
    /// it in; else treat it as superseded.
    Ahead {
        /// When the roster was restored.
        restored_at: Timestamp,
    },
    /// Its place was taken: call [`Writer::show_certificate`], which locks the host, and refuse it.
    Superseded,
    /// The host is removed: refuse it.
    HostRemoved,
}

/// What became of a certificate that was shown.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// It is good, and has been.
    Good,
    /// It is good, and has taken the place of the one before.
    Rotated(RosterState),
    /// Somebody has a copy of an old one: the host is removed and must be enrolled again.
    Locked(RosterState),
    /// The host is removed, or never was there.
    HostGone,
}

/// What became of a wish for a new certificate.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// Issue one with this generation.
    Issue {
        /// The number that the certificate carries.
        generation: u64,
        /// Where the roster stands.
        state: RosterState,
    },
    /// Somebody has a copy of an old one: the host is removed and must be enrolled again.
    Locked(RosterState),
    /// The host is removed, or never was there.
    HostGone,
}

impl HostCredential {
    /// How the certificate of this generation stands.
    pub fn judge(&self, shown: u64, now: Timestamp) -> Shown {
        if self.state == HostState::Removed {
            return Shown::HostRemoved;
        }
        let overlaps = |(generation, until): (u64, Timestamp)| shown == generation && now < until;
        if shown == self.generation {
            Shown::Current
        } else if shown == self.issued {
            Shown::Next
        } else if self.previous.is_some_and(overlaps) {
            Shown::Overlapping
        } else {
            match self.restored_at.filter(|_| shown > self.issued) {
                Some(restored_at) => Shown::Ahead { restored_at },
                None => Shown::Superseded,
            }
        }
    }
}

statements! {
    GET = "select h.id, h.state, h.generation, h.issued_generation, h.previous_generation, h.rotated_at, s.restored_at \
        from hosts h cross join roster_state s where h.id = $1 and s.id = 1";
    ROTATE = "update hosts set generation = $2, previous_generation = $3, rotated_at = $4, standing_revision = $5 \
        where id = $1 and generation = $3";
    ADOPT = "update hosts set generation = $2, issued_generation = $2, previous_generation = $3, rotated_at = $4, \
        standing_revision = $5 where id = $1";
    ISSUE = "update hosts set issued_generation = $2, standing_revision = $3 where id = $1";
}

impl Reader {
    /// What a host's certificates are judged by.
    pub async fn host_credential(
        &mut self,
        host: &HostId,
    ) -> Result<Option<HostCredential>, StoreError> {
        self.tx.first::<CredentialRow>(GET, values![host]).await
    }
}

impl Writer<'_> {
    /// Takes note that a host has shown a certificate.
    pub async fn show_certificate(
        &self,
        host: &HostId,
        generation: u64,
    ) -> Result<Showing, StoreError> {
        let mut tx = self.begin().await?;
        let Some(credential) = tx.read.host_credential(host).await? else {
            return Ok(Showing::HostGone);
        };
        match credential.judge(generation, self.now) {
            Shown::HostRemoved => Ok(Showing::HostGone),
            Shown::Current | Shown::Overlapping => Ok(Showing::Good),
            Shown::Superseded | Shown::Ahead { .. } => {
                self.lock(tx, host, generation).await.map(Showing::Locked)
            }
            Shown::Next => {
                tx.rotate(host, &credential, self.now).await?;
                let object = Object::Host(host.clone());
                let detail = json!({ "generation": generation });
                let event = Event::new(Action::HostRotateCertificate, &object, &detail);
                self.commit(tx, event, Marked::NO_HOST)
                    .await
                    .map(Showing::Rotated)
            }
        }
    }

    /// Takes a host's certificate that the restored roster does not know. The caller has seen that it was issued before the restore.
    pub async fn adopt_certificate(
        &self,
        host: &HostId,
        generation: u64,
    ) -> Result<Showing, StoreError> {
        let mut tx = self.begin().await?;
        let credential = tx.read.host_credential(host).await?;
        let judged =
            credential.map(|credential| (credential.judge(generation, self.now), credential));
        let Some((Shown::Ahead { .. }, known)) = judged else {
            // Somebody was quicker.
            drop(tx);
            return self.show_certificate(host, generation).await;
        };
        let numbers = (generation.cast_signed(), known.generation.cast_signed());
        let revision = tx.revision().as_i64();
        let values = values![host, numbers.0, numbers.1, self.now, revision];
        tx.execute(ADOPT, values).await?;
        let detail = json!({ "generation": generation, "known": known.issued });
        let event = Event::new(
            Action::HostAdoptCertificate,
            &Object::Host(host.clone()),
            &detail,
        );
        let state = self.commit(tx, event, Marked::NO_HOST).await?;
        Ok(Showing::Rotated(state))
    }

    /// Gives a host the number of its next certificate. Sign it after this has returned: a number without a certificate
    /// does no harm.
    pub async fn renew_certificate(
        &self,
        host: &HostId,
        generation: u64,
    ) -> Result<Renewal, StoreError> {
        let mut tx = self.begin().await?;
        let Some(credential) = tx.read.host_credential(host).await? else {
            return Ok(Renewal::HostGone);
        };
        match credential.judge(generation, self.now) {
            Shown::HostRemoved => return Ok(Renewal::HostGone),
            Shown::Overlapping | Shown::Superseded | Shown::Ahead { .. } => {
                return self.lock(tx, host, generation).await.map(Renewal::Locked);
            }
            Shown::Next => tx.rotate(host, &credential, self.now).await?,
            Shown::Current => {}
        }
        let issued = credential.issued.saturating_add(1);
        let revision = tx.revision().as_i64();
        tx.execute(ISSUE, values![host, issued.cast_signed(), revision])
            .await?;
        let detail = json!({ "generation": issued, "shown": generation });
        let event = Event::new(
            Action::HostRenewCertificate,
            &Object::Host(host.clone()),
            &detail,
        );
        let state = self.commit(tx, event, Marked::NO_HOST).await?;
        Ok(Renewal::Issue {
            generation: issued,
            state,
        })
    }

    async fn lock(
        &self,
        mut tx: WriteTx,
        host: &HostId,
        generation: u64,
    ) -> Result<RosterState, StoreError> {
        let marked = tx.remove_host_row(host).await?;
        let detail = json!({ "shown": generation });
        self.commit(
            tx,
            Event::new(Action::HostLock, &Object::Host(host.clone()), &detail),
            marked,
        )
        .await
    }
}

impl WriteTx {
    async fn rotate(
        &mut self,
        host: &HostId,
        credential: &HostCredential,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (next, current) = (
            credential.issued.cast_signed(),
            credential.generation.cast_signed(),
        );
        let revision = self.revision().as_i64();
        match self
            .execute(ROTATE, values![host, next, current, now, revision])
            .await?
        {
            1 => Ok(()),
            _ => Err(corrupt(
                CredentialRow::TABLE,
                host.as_str(),
                "its generation changed in the middle of a write",
            )),
        }
    }
}

#[derive(FromRow)]
pub(crate) struct CredentialRow {
    pub id: String,
    pub state: String,
    generation: i64,
    issued_generation: i64,
    previous_generation: Option<i64>,
    rotated_at: Option<i64>,
    restored_at: Option<i64>,
}

impl Record for CredentialRow {
    const TABLE: &'static str = "hosts";
    type Item = HostCredential;

    fn parse(self) -> Result<HostCredential, StoreError> {
        let row = Row::new(Self::TABLE, &self.id);
        let previous = self.previous_generation.map(u64::try_from).transpose();
        let overlap_end = moment(self.rotated_at).map(|rotated| rotated.saturating_add(OVERLAP_S));
        Ok(HostCredential {
            state: row.word("state", &self.state, &crate::hosts::STATES)?,
            generation: row.value("generation", u64::try_from(self.generation))?,
            issued: row.value("issued_generation", u64::try_from(self.issued_generation))?,
            previous: row.value("previous_generation", previous)?.zip(overlap_end),
            restored_at: moment(self.restored_at),
        })
    }
}

/// Seconds for which the certificate before is let in after the first use of its successor.
pub const OVERLAP_S: i64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_000);

    fn credential() -> HostCredential {
        let previous = Some((4, NOW.saturating_add(OVERLAP_S)));
        HostCredential {
            state: HostState::Active,
            generation: 7,
            issued: 9,
            previous,
            restored_at: None,
        }
    }

    #[test]
    fn only_the_current_and_the_newest_certificate_stand() {
        assert_eq!(credential().judge(7, NOW), Shown::Current);
        assert_eq!(credential().judge(9, NOW), Shown::Next);
        for other in [0, 1, 3, 5, 6, 8, 10, u64::MAX] {
            assert_eq!(credential().judge(other, NOW), Shown::Superseded, "{other}");
        }
    }

    #[test]
    fn the_certificate_before_is_let_in_until_its_overlap_ends() {
        assert_eq!(
            credential().judge(4, NOW.saturating_add(OVERLAP_S - 1)),
            Shown::Overlapping
        );
        assert_eq!(
            credential().judge(4, NOW.saturating_add(OVERLAP_S)),
            Shown::Superseded
        );
    }

    #[test]
    fn a_number_above_all_that_were_issued_is_ahead_of_a_restored_roster_and_of_no_other() {
        let restored = HostCredential {
            restored_at: Some(NOW),
            ..credential()
        };
        assert_eq!(restored.judge(10, NOW), Shown::Ahead { restored_at: NOW });
        assert_eq!(restored.judge(8, NOW), Shown::Superseded);
        assert_eq!(credential().judge(10, NOW), Shown::Superseded);
    }

    #[test]
    fn a_removed_host_has_no_good_certificate() {
        let removed = HostCredential {
            state: HostState::Removed,
            ..credential()
        };
        for generation in [4, 7, 9, 10] {
            assert_eq!(removed.judge(generation, NOW), Shown::HostRemoved);
        }
    }
}
