//! Random writes to a random roster.

use keyroster_keys::{GroupName, UserName};
use keyroster_roster::{FreshnessChange, HostId, Roster, Target, UserKind, UserState};
use keyroster_store::{Enrolment, Role, StoreError};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::fixture::{Fixture, LATER};
use crate::model::*;
use crate::plan::*;

/// A write; objects are given by number, or by their place in a list.
#[derive(Debug, Clone)]
pub enum Step {
    AddUser(Option<usize>),
    SetState(usize, UserState),
    AddKey(usize),
    RevokeKey(Index),
    AddGroup,
    AddMember(usize, usize),
    RemoveMember(usize, usize),
    DeleteGroup(usize),
    AddHostGroup,
    SetBound(usize, usize),
    AddHost(usize, usize),
    RemoveHostFrom(usize, usize),
    DeleteHostGroup(usize),
    AddGrant(Wish),
    RevokeGrant(Index),
    AddEnrolmentToken(usize),
    Enrol(usize),
    RenewCertificate(usize),
    LockHost(usize),
    RemoveHost(usize),
    AddBearerToken,
}

/// Whom a write concerns, in the words of the roster.
#[derive(Debug)]
pub enum Concerned {
    Nobody,
    NewHost(HostId),
    Host(HostId),
    Target(Target),
    Group(GroupName),
    Users(Vec<UserName>),
}

pub fn step() -> impl Strategy<Value = Step> {
    let state = prop_oneof![
        3 => Just(UserState::Active),
        3 => Just(UserState::Suspended),
        1 => Just(UserState::Terminated),
    ];
    let members = || (0..GROUPS, 0..USERS);
    let hosts = || (0..HOST_GROUPS, 0..HOSTS);
    let index = any::<Index>;
    prop_oneof![
        1 => proptest::option::of(0..USERS).prop_map(Step::AddUser),
        6 => (0..USERS, state).prop_map(|(user, state)| Step::SetState(user, state)),
        4 => (0..USERS).prop_map(Step::AddKey),
        4 => index().prop_map(Step::RevokeKey),
        1 => Just(Step::AddGroup),
        4 => members().prop_map(|(group, user)| Step::AddMember(group, user)),
        4 => members().prop_map(|(group, user)| Step::RemoveMember(group, user)),
        1 => (0..GROUPS).prop_map(Step::DeleteGroup),
        1 => Just(Step::AddHostGroup),
        3 => (0..HOST_GROUPS, 0..HOST_GROUPS).prop_map(|(group, bound)| Step::SetBound(group, bound)),
        4 => hosts().prop_map(|(group, host)| Step::AddHost(group, host)),
        4 => hosts().prop_map(|(group, host)| Step::RemoveHostFrom(group, host)),
        1 => (0..HOST_GROUPS).prop_map(Step::DeleteHostGroup),
        8 => wish().prop_map(Step::AddGrant),
        4 => index().prop_map(Step::RevokeGrant),
        1 => (0..HOST_GROUPS).prop_map(Step::AddEnrolmentToken),
        2 => (0..HOST_GROUPS).prop_map(Step::Enrol),
        1 => (0..HOSTS).prop_map(Step::RenewCertificate),
        1 => (0..HOSTS).prop_map(Step::LockHost),
        1 => (0..HOSTS).prop_map(Step::RemoveHost),
        1 => Just(Step::AddBearerToken),
    ]
}

/// One of the rosters, under change.
pub struct Trial<'a> {
    pub fixture: &'a Fixture,
    roster: usize,
    /// The number of the next object that is made.
    next: usize,
    next_key: u8,
}

impl<'a> Trial<'a> {
    pub fn new(fixture: &'a Fixture, roster: usize) -> Self {
        let next_key = 100 + 30 * u8::try_from(roster).unwrap();
        Self {
            fixture,
            roster,
            next: 0,
            next_key,
        }
    }

    /// Takes a step, and tells whom it concerns.
    pub async fn take(&mut self, step: &Step, before: &Roster) -> Result<Concerned, StoreError> {
        self.next += 1;
        match step {
            Step::AddUser(_) | Step::SetState(..) | Step::AddKey(_) | Step::RevokeKey(_) => {
                self.take_with_users(step, before).await
            }
            Step::AddGroup
            | Step::AddMember(..)
            | Step::RemoveMember(..)
            | Step::DeleteGroup(_) => self.take_with_groups(step).await,
            Step::AddHostGroup
            | Step::SetBound(..)
            | Step::AddHost(..)
            | Step::RemoveHostFrom(..)
            | Step::DeleteHostGroup(_) => self.take_with_host_groups(step).await,
            Step::AddGrant(_) | Step::RevokeGrant(_) => self.take_with_grants(step, before).await,
            _ => self.take_with_hosts(step).await,
        }
    }

    async fn take_with_users(
        &mut self,
        step: &Step,
        before: &Roster,
    ) -> Result<Concerned, StoreError> {
        let write = self.fixture.write();
        match step {
            Step::AddUser(None) => write.add_user(&person(&self.fresh())).await?,
            Step::AddUser(Some(owner)) => {
                let service = service(&self.fresh(), self.user(*owner).as_str());
                write.add_user(&service).await?
            }
            Step::SetState(user, state) => {
                let user = self.user(*user);
                let _ = write.set_user_state(&user, *state, None).await?;
                return Ok(Concerned::Users(with_services(before, user)));
            }
            Step::AddKey(user) => {
                let user = self.user(*user);
                self.next_key += 1;
                write.add_key(&key(user.as_str(), self.next_key)).await?;
                return Ok(Concerned::Users(vec![user]));
            }
            Step::RevokeKey(index) => {
                let key = index
                    .get(&before.keys.values().collect::<Vec<_>>())
                    .to_owned();
                let _ = write.revoke_key(&key.fingerprint, None).await?;
                return Ok(Concerned::Users(vec![key.user.clone()]));
            }
            other => unreachable!("{other:?}"),
        };
        Ok(Concerned::Nobody)
    }

    async fn take_with_groups(&self, step: &Step) -> Result<Concerned, StoreError> {
        let write = self.fixture.write();
        let group = match step {
            Step::AddGroup => {
                write.add_group(&group_name(&self.fresh())).await?;
                return Ok(Concerned::Nobody);
            }
            Step::AddMember(group, user) => {
                let _ = write
                    .add_group_member(&self.group(*group), &self.user(*user))
                    .await?;
                group
            }
            Step::RemoveMember(group, user) => {
                let _ = write
                    .remove_group_member(&self.group(*group), &self.user(*user))
                    .await?;
                group
            }
            Step::DeleteGroup(group) => {
                write.delete_group(&self.group(*group)).await?;
                group
            }
            other => unreachable!("{other:?}"),
        };
        Ok(Concerned::Group(self.group(*group)))
    }

    async fn take_with_host_groups(&self, step: &Step) -> Result<Concerned, StoreError> {
        let write = self.fixture.write();
        let host = match step {
            Step::AddHostGroup => {
                write.add_host_group(&host_group(&self.fresh())).await?;
                return Ok(Concerned::Nobody);
            }
            Step::SetBound(group, bound) => {
                let bound = freshness(*bound);
                let change = FreshnessChange::new(
                    Some(bound.max_staleness_s()),
                    Some(bound.grace_s()),
                    Some(bound.mode()),
                );
                let group = self.hosts(*group);
                let _ = write.set_host_group(&group, change.unwrap()).await?;
                return Ok(Concerned::Target(Target::HostGroup(group)));
            }
            Step::AddHost(group, host) => {
                let _ = write
                    .add_host_to_group(&self.hosts(*group), &self.host(*host))
                    .await?;
                host
            }
            Step::RemoveHostFrom(group, host) => {
                let _ = write
                    .remove_host_from_group(&self.hosts(*group), &self.host(*host))
                    .await?;
                host
            }
            Step::DeleteHostGroup(group) => {
                write.delete_host_group(&self.hosts(*group)).await?;
                return Ok(Concerned::Target(Target::HostGroup(self.hosts(*group))));
            }
            other => unreachable!("{other:?}"),
        };
        Ok(Concerned::Host(self.host(*host)))
    }

    async fn take_with_grants(
        &self,
        step: &Step,
        before: &Roster,
    ) -> Result<Concerned, StoreError> {
        let write = self.fixture.write();
        let target = match step {
            Step::AddGrant(wish) => {
                let grant = wish.grant(self.roster, FIRST_GRANT + self.next);
                write.add_grant(&grant).await?;
                grant.target
            }
            Step::RevokeGrant(index) => {
                let grant = index
                    .get(&before.grants.values().collect::<Vec<_>>())
                    .to_owned();
                let _ = write.revoke_grant(&grant.id, None).await?;
                grant.target.clone()
            }
            other => unreachable!("{other:?}"),
        };
        Ok(Concerned::Target(target))
    }

    async fn take_with_hosts(&self, step: &Step) -> Result<Concerned, StoreError> {
        let write = self.fixture.write();
        match step {
            Step::Enrol(group) => {
                let (hash, id) = (token(&self.fresh()), self.host(HOSTS + self.next));
                write
                    .add_enrolment_token(&hash, &self.hosts(*group), LATER)
                    .await?;
                let enrolment = write
                    .enrol_host(&hash, &id, &host_name(&self.fresh()))
                    .await?;
                assert!(matches!(enrolment, Enrolment::Enrolled { .. }));
                return Ok(Concerned::NewHost(id));
            }
            Step::LockHost(host) => {
                let _ = write
                    .show_certificate(&self.host(*host), NEVER_ISSUED)
                    .await?;
                return Ok(Concerned::Host(self.host(*host)));
            }
            Step::RemoveHost(host) => {
                let _ = write.remove_host(&self.host(*host)).await?;
                return Ok(Concerned::Host(self.host(*host)));
            }
            Step::AddEnrolmentToken(group) => {
                let group = self.hosts(*group);
                write
                    .add_enrolment_token(&token(&self.fresh()), &group, LATER)
                    .await?;
            }
            Step::RenewCertificate(host) => {
                let _ = write.renew_certificate(&self.host(*host), 1).await?;
            }
            Step::AddBearerToken => {
                let (name, hash) = (actor(&self.fresh()), token(&self.fresh()));
                write
                    .add_bearer_token(&name, &hash, Role::Auditor, LATER)
                    .await?;
            }
            other => unreachable!("{other:?}"),
        }
        Ok(Concerned::Nobody)
    }

    fn fresh(&self) -> String {
        name(self.roster, "fresh", self.next)
    }

    fn user(&self, number: usize) -> UserName {
        user_name(&name(self.roster, "user", number))
    }

    fn group(&self, number: usize) -> GroupName {
        group_name(&name(self.roster, "group", number))
    }

    fn hosts(&self, number: usize) -> GroupName {
        group_name(&name(self.roster, "hosts", number))
    }

    fn host(&self, number: usize) -> HostId {
        host_id(host_number(self.roster, number))
    }
}

/// A user and the services that the user owns.
fn with_services(roster: &Roster, user: UserName) -> Vec<UserName> {
    let owned = roster.users.values().filter(|one| match &one.kind {
        UserKind::Person => false,
        UserKind::Service { owner } => *owner == user,
    });
    owned
        .map(|service| service.name.clone())
        .chain([user.clone()])
        .collect()
}

/// The number of the first grant that no plan has given out.
const FIRST_GRANT: usize = 1_000;

/// A generation that no certificate has.
const NEVER_ISSUED: u64 = 1_000;
