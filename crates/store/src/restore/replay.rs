//! The replay, noun by noun.

use keyroster_keys::{Fingerprint, UserName};
use keyroster_roster::{
    Actor, Effect, Grant, GrantId, GrantState, HostId, HostState, KeyState, UserState,
};
use serde_json::{Value as Json, json};

use crate::StoreError;
use crate::action::Action;
use crate::audit::Event;
use crate::error::Object;
use crate::grants::detail;
use crate::journal::{Enrolled, MembershipWord, Standing};
use crate::restore::{Ended, Redone};
use crate::write::{WriteTx, Writer};

/// A replay under way.
pub(super) struct Replay<'a> {
    writer: &'a Writer<'a>,
    pub(super) tx: WriteTx,
    revisions: Revisions,
    pub(super) done: Vec<Redone>,
    pub(super) open: Vec<String>,
    pub(super) enrolment_tokens: u64,
}

/// Whether the transaction's newest revision has an event already.
enum Revisions {
    Fresh,
    Used,
}

impl<'a> Replay<'a> {
    pub async fn begin(writer: &'a Writer<'a>) -> Result<Self, StoreError> {
        Ok(Self {
            writer,
            tx: writer.begin().await?,
            revisions: Revisions::Fresh,
            done: Vec::new(),
            open: Vec::new(),
            enrolment_tokens: 0,
        })
    }

    /// Everything. Denials stand before memberships, which depend on them.
    pub async fn all(&mut self, standing: &Standing) -> Result<(), StoreError> {
        for name in &standing.terminated {
            self.end_user(name, UserState::Terminated).await?;
        }
        for name in standing.suspended() {
            self.end_user(name, UserState::Suspended).await?;
        }
        for fingerprint in &standing.keys {
            self.revoke_key(fingerprint).await?;
        }
        for name in &standing.tokens {
            self.revoke_token(name).await?;
        }
        for id in &standing.grants {
            self.revoke_grant(id).await?;
        }
        for id in &standing.removed {
            self.remove_host(id).await?;
        }
        for (id, enrolled) in &standing.enrolled {
            self.enrol(id, enrolled, standing).await?;
        }
        for grant in standing.denials() {
            self.deny(grant).await?;
        }
        self.members(&standing.members).await?;
        self.hosts_of_groups(&standing.hosts).await
    }

    /// Begins the next thing that is done: with a revision of its own, as every event has.
    pub(super) async fn next(&mut self) -> Result<(), StoreError> {
        if let Revisions::Used = self.revisions {
            self.tx.raise_again().await?;
            self.revisions = Revisions::Fresh;
        }
        Ok(())
    }

    /// Adds the event of what was done.
    pub(super) async fn record(
        &mut self,
        action: Action,
        object: &Object,
        detail: &Json,
    ) -> Result<(), StoreError> {
        let event = Event::new(action, object, detail);
        self.revisions = Revisions::Used;
        self.tx.record(&self.writer.actor, event).await
    }

    /// The same for what was alive again.
    pub(super) async fn redone(
        &mut self,
        (action, object): (Action, Object),
        detail: &Json,
        about: String,
    ) -> Result<(), StoreError> {
        self.record(action, &object, detail).await?;
        self.done.push(Redone {
            action,
            object,
            about,
        });
        Ok(())
    }

    async fn end_user(&mut self, name: &UserName, state: UserState) -> Result<(), StoreError> {
        let Some(user) = self.tx.read.user(name).await? else {
            return match state {
                UserState::Terminated => self.remember(Ended::User, name.as_str()).await,
                UserState::Suspended | UserState::Active => Ok(()),
            };
        };
        if user.state == state || user.state == UserState::Terminated {
            return Ok(());
        }
        self.next().await?;
        self.tx.set_user_state_row(name, state).await?;
        let detail =
            json!({ "reason": REASON, "state": state.as_str(), "was": user.state.as_str() });
        let what = (Action::UserSetState, Object::User(name.clone()));
        self.redone(what, &detail, state.as_str().to_owned()).await
    }

    async fn revoke_key(&mut self, fingerprint: &Fingerprint) -> Result<(), StoreError> {
        let Some(key) = self.tx.read.key(fingerprint).await? else {
            return self.remember(Ended::Key, &fingerprint.to_string()).await;
        };
        if let KeyState::Revoked { .. } = key.state {
            return Ok(());
        }
        self.next().await?;
        self.tx.revoke_key_row(fingerprint, &key.user).await?;
        let detail = json!({ "reason": REASON, "user": key.user.as_str() });
        let what = (Action::KeyRevoke, Object::Key(*fingerprint));
        self.redone(what, &detail, format!("a key of {}", key.user))
            .await
    }

    async fn revoke_token(&mut self, name: &Actor) -> Result<(), StoreError> {
        let token = self.tx.read.bearer_token(name).await?;
        if token.is_none_or(|token| token.revoked_at.is_some()) {
            return Ok(());
        }
        self.next().await?;
        self.tx.revoke_token_row(name).await?;
        let what = (Action::BearerTokenRevoke, Object::BearerToken(name.clone()));
        self.redone(what, &json!({}), String::new()).await
    }

    /// A denial that was revoked stays: its end would let somebody in.
    async fn revoke_grant(&mut self, id: &GrantId) -> Result<(), StoreError> {
        let grant = self.tx.read.grant(id).await?;
        let alive =
            |grant: &Grant| grant.state == GrantState::Active && grant.effect == Effect::Allow;
        let Some(grant) = grant.filter(alive) else {
            return Ok(());
        };
        self.next().await?;
        self.tx.revoke_grant_row(id).await?;
        let detail = json!({ "effect": grant.effect.as_str(), "reason": REASON });
        let what = (Action::GrantRevoke, Object::Grant(id.clone()));
        self.redone(what, &detail, format!("for account {}", grant.account))
            .await
    }

    async fn remove_host(&mut self, id: &HostId) -> Result<(), StoreError> {
        let host = self.tx.read.host(id).await?;
        let Some(host) = host.filter(|host| host.state == HostState::Active) else {
            return Ok(());
        };
        self.next().await?;
        let _marked = self.tx.remove_host_row(id).await?;
        let detail = json!({ "name": host.name.as_str(), "reason": REASON });
        let what = (Action::HostRemove, Object::Host(id.clone()));
        self.redone(what, &detail, host.name.to_string()).await
    }

    /// A host that was enrolled after the backup: its certificate is good for years, so the roster must know it again, or must
    /// know that it is out.
    async fn enrol(
        &mut self,
        id: &HostId,
        enrolled: &Enrolled,
        standing: &Standing,
    ) -> Result<(), StoreError> {
        if self.tx.read.host(id).await?.is_some() {
            return Ok(());
        }
        let name = &enrolled.name;
        let is_out = standing.removed.contains(id);
        if !is_out && self.tx.read.host_named(name).await?.is_some() {
            self.open.push(format!(
                "host \"{id}\" is not enrolled again: \"{name}\" is another host's name"
            ));
            return Ok(());
        }
        self.next().await?;
        if is_out {
            self.tx.add_removed_host_row(id, name).await?;
            let detail = json!({ "name": name.as_str(), "reason": REASON });
            let what = (Action::HostRemove, Object::Host(id.clone()));
            return self.redone(what, &detail, name.to_string()).await;
        }
        let _marked = self.tx.add_host_row(id, name).await?;
        let group = &enrolled.host_group;
        let word = standing.hosts.word(group, id);
        let is_there = self.tx.read.host_group(group).await?.is_some();
        if is_there && word != MembershipWord::Out {
            self.tx.add_to_host_group(group, id).await?;
        } else {
            self.open.push(format!(
                "host \"{name}\" is enrolled again, but in no host group"
            ));
        }
        let detail =
            json!({ "host_group": group.as_str(), "name": name.as_str(), "reason": REASON });
        let what = (Action::HostEnrol, Object::Host(id.clone()));
        self.redone(what, &detail, name.to_string()).await
    }

    async fn deny(&mut self, grant: &Grant) -> Result<(), StoreError> {
        let is_over = grant.until.is_some_and(|until| until <= self.tx.now);
        if is_over || self.tx.read.grant(&grant.id).await?.is_some() {
            return Ok(());
        }
        match self.tx.check_ends(grant).await {
            Ok(()) => {}
            // Whoever is terminated, and what is removed, needs no denial.
            Err(StoreError::Conflict { .. }) => return Ok(()),
            Err(StoreError::NotFound { object }) => {
                self.open.push(format!(
                    "the denial \"{}\" is not put back: there is no {object}",
                    grant.id
                ));
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        self.next().await?;
        self.tx.insert(grant).await?;
        let what = (Action::GrantAdd, Object::Grant(grant.id.clone()));
        self.redone(
            what,
            &detail(grant),
            format!("denies account {}", grant.account),
        )
        .await
    }
}

/// Why, in the audit log.
pub(super) const REASON: &str = "replayed from the revocation journal";
