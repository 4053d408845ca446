//! Short ways to say what a test is about.

use keyroster_keys::line::base64;
use keyroster_keys::{AccountName, GroupName, HostName, KeyBlob, UserName};
use keyroster_roster::{
    Actor, Effect, Freshness, Grant, GrantId, GrantOptions, GrantState, HostGroup, HostId, Key,
    KeyState, Label, Reason, Subject, Target, User, UserKind, UserState,
};
use keyroster_store::{Enrolment, RosterState, StoreError, TokenHash};

use crate::fixture::{Fixture, LATER, NOW};

pub fn user_name(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

pub fn group_name(name: &str) -> GroupName {
    GroupName::parse(name).unwrap()
}

pub fn host_name(name: &str) -> HostName {
    HostName::parse(name).unwrap()
}

pub fn account(name: &str) -> AccountName {
    AccountName::parse(name).unwrap()
}

pub fn actor(name: &str) -> Actor {
    Actor::parse(name).unwrap()
}

pub fn reason(text: &str) -> Reason {
    Reason::parse(text).unwrap()
}

pub fn host_id(number: u64) -> HostId {
    HostId::parse(&format!("01939e8a-7c3f-7b1e-9d55-{number:012x}")).unwrap()
}

pub fn grant_id(number: u64) -> GrantId {
    GrantId::parse(&format!("01939e8a-7c3f-7b1e-8a00-{number:012x}")).unwrap()
}

pub fn token(secret: &str) -> TokenHash {
    TokenHash::of(secret.as_bytes())
}

pub fn person(name: &str) -> User {
    User {
        name: user_name(name),
        kind: UserKind::Person,
        state: UserState::Active,
        created_at: NOW,
    }
}

pub fn service(name: &str, owner: &str) -> User {
    User {
        kind: UserKind::Service {
            owner: user_name(owner),
        },
        ..person(name)
    }
}

/// An Ed25519 key whose every byte is the number.
pub fn blob(number: u8) -> KeyBlob {
    let name = b"ssh-ed25519";
    let mut bytes = vec![0, 0, 0, 11];
    bytes.extend(name);
    bytes.extend([0, 0, 0, 32]);
    bytes.extend([number; 32]);
    KeyBlob::parse("ssh-ed25519", &base64::encode(&bytes)).unwrap()
}

pub fn key(user: &str, number: u8) -> Key {
    let blob = blob(number);
    Key {
        fingerprint: *blob.fingerprint(),
        user: user_name(user),
        blob,
        label: Label::parse("clé d'alice").unwrap(),
        added_at: NOW,
        expires_at: Some(LATER),
        state: KeyState::Active,
    }
}

pub fn host_group(name: &str) -> HostGroup {
    HostGroup {
        name: group_name(name),
        freshness: Freshness::default(),
        end_sessions: false,
    }
}

/// An allowance for a user to log in as `deploy`.
pub fn grant(number: u64, subject: Subject, target: Target) -> Grant {
    Grant {
        id: grant_id(number),
        effect: Effect::Allow,
        subject,
        account: account("deploy"),
        target,
        options: GrantOptions::default(),
        from: None,
        not_before: None,
        until: None,
        reason: None,
        created_by: actor("admin"),
        created_at: NOW,
        state: GrantState::Active,
    }
}

pub fn for_user(name: &str) -> Subject {
    Subject::User(user_name(name))
}

pub fn for_group(name: &str) -> Subject {
    Subject::Group(group_name(name))
}

pub fn on_host(number: u64) -> Target {
    Target::Host(host_id(number))
}

pub fn on_host_group(name: &str) -> Target {
    Target::HostGroup(group_name(name))
}

impl Fixture {
    pub async fn add_person(&self, name: &str) {
        self.write().add_user(&person(name)).await.unwrap();
    }

    pub async fn add_key(&self, user: &str, number: u8) {
        self.write().add_key(&key(user, number)).await.unwrap();
    }

    pub async fn add_group(&self, name: &str, members: &[&str]) {
        self.write().add_group(&group_name(name)).await.unwrap();
        for member in members {
            let added = self
                .write()
                .add_group_member(&group_name(name), &user_name(member))
                .await;
            let _ = added.unwrap();
        }
    }

    pub async fn add_host_group(&self, name: &str) {
        self.write()
            .add_host_group(&host_group(name))
            .await
            .unwrap();
    }

    pub async fn add_grant(&self, number: u64, subject: Subject, target: Target) {
        self.write()
            .add_grant(&grant(number, subject, target))
            .await
            .unwrap();
    }

    /// Enrols `host-<number>` into a host group that is there.
    pub async fn add_host(&self, number: u64, host_group: &str) -> RosterState {
        let hash = token(&format!("token of host {number}"));
        self.write()
            .add_enrolment_token(&hash, &group_name(host_group), LATER)
            .await
            .unwrap();
        let name = host_name(&format!("host-{number}"));
        match self
            .write()
            .enrol_host(&hash, &host_id(number), &name)
            .await
            .unwrap()
        {
            Enrolment::Enrolled { state, .. } => state,
            Enrolment::Refused(refusal) => panic!("{refusal:?}"),
        }
    }
}

/// Which refusal an error is, in one word, and its message.
pub fn refusal<T: std::fmt::Debug>(result: Result<T, StoreError>) -> (&'static str, String) {
    let error = result.unwrap_err();
    let kind = match &error {
        StoreError::NotFound { .. } => "not found",
        StoreError::AlreadyExists { .. } => "already exists",
        StoreError::KeyOfAnotherUser { .. } => "key of another user",
        StoreError::Conflict { .. } => "conflict",
        StoreError::Unavailable { .. } => "unavailable",
        StoreError::Corrupt { .. } => "corrupt",
        StoreError::SchemaTooNew { .. } => "schema too new",
        StoreError::Schema { .. } => "schema",
        StoreError::Location(_) => "location",
        _ => "internal",
    };
    (kind, error.to_string())
}

/// Expects a refusal of this kind that names this object.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>, kind: &str, object: &str) {
    let (found, message) = refusal(result);
    assert_eq!(found, kind, "{message}");
    assert!(
        message.contains(object),
        "\"{message}\" does not name {object}"
    );
}
