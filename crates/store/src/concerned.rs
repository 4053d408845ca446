//! Which hosts a write concerns: those whose answers it may change.
//!
//! Each carries the newest revision that concerned it, so that a key server wakes these hosts and no others. A host may be
//! marked without need, which costs it a look in vain; one that is left out would go on with what was taken away. So nothing
//! here looks at times, states or effects: a grant that is not revoked may matter, whether it allows or denies.
//!
//! Beside the hosts stand the accounts: for each host or host group that such a grant is on, the newest revision that
//! concerned the grant's account. A host is so told what changed instead of everything, at the cost of a row for a grant and
//! not of one for a host. What no account tells, such as a host's move to another host group, marks the host as a whole.
//!
//! A verb can't be committed without saying which hosts it concerns.

use keyroster_keys::{AccountName, GroupName, UserName};
use keyroster_roster::{HostId, Target};

use crate::StoreError;
use crate::confirmations::RECEIPT_S;
use crate::db::{Statement, statements, values};
use crate::write::WriteTx;

/// The hosts that a write concerns.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Concerned<'a> {
    /// This one, as a whole.
    Host(&'a HostId),
    /// Those in a host group, each as a whole.
    HostGroup(&'a GroupName),
    /// Those in a host group, by its settings and by no account.
    Settings(&'a GroupName),
    /// Those that a grant for this account is on.
    Grant(&'a Target, &'a AccountName),
    /// Those that grants for a group are on.
    Group(&'a GroupName),
    /// Those that grants for a user are on, or for a group that the user is in.
    User(&'a UserName),
    /// The same for a user and for the services that the user owns.
    UserAndServices(&'a UserName),
}

/// Whether a write can end an answer that a host gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    /// It can: a receipt will tell which hosts have taken note. A further allowance can too, for grants are merged.
    TakeAway,
    /// It can't.
    OnlyGive,
}

/// Proof that a verb has said which hosts it concerns.
#[must_use]
#[derive(Debug)]
pub(crate) struct Marked(());

impl Marked {
    /// It concerns no host.
    pub const NO_HOST: Self = Self(());
}

/// Marks the hosts that the condition is true for.
macro_rules! mark {
    ($condition:expr) => {
        concat!(
            "update hosts set changed_revision = $1, standing_revision = $1 where state = 'active' and ",
            $condition
        )
    };
}

/// The same, each as a whole.
macro_rules! mark_whole {
    ($condition:expr) => {
        concat!(
            "update hosts set changed_revision = $1, standing_revision = $1, whole_revision = $1 \
             where state = 'active' and ",
            $condition
        )
    };
}

/// Marks the accounts that some grants are for, given by a query of their `host`, `host_group` and `account`.
macro_rules! touch {
    ($grants:expr) => {
        concat!(
            "insert into account_changes (scope, account, revision, changed_at) \
             select distinct coalesce('host/' || t.host, 'host-group/' || t.host_group), t.account, \
                cast($1 as bigint), cast($3 as bigint) from (",
            $grants,
            ") t where true on conflict (scope, account) do update set \
                revision = excluded.revision, changed_at = excluded.changed_at"
        )
    };
}

/// Marks the hosts that some grants are on, given by a query of the same.
macro_rules! mark_targets {
    ($grants:expr) => {
        concat!(
            "with granted as (", $grants, ") ",
            mark!(
                "id in (select host from granted where host is not null \
                 union select m.host from host_group_members m \
                    where m.host_group in (select host_group from granted where host_group is not null))"
            )
        )
    };
}

/// The grants for users, and for the groups that they are in, given by a query of their names.
macro_rules! grants_for {
    ($users:expr) => {
        concat!(
            "select g.host, g.host_group, g.account from grants g \
                where g.revoked_at is null and g.user_name in (", $users, ") \
             union all select g.host, g.host_group, g.account from grants g where g.revoked_at is null and g.group_name in \
                (select n.group_name from group_members n where n.user_name in (", $users, "))"
        )
    };
}

/// The grants for the group `$2`.
macro_rules! grants_for_group {
    () => {
        "select g.host, g.host_group, g.account from grants g where g.revoked_at is null and g.group_name = $2"
    };
}

/// The user `$2`, and the services that the user owns.
macro_rules! user_and_services {
    () => {
        "select u.name from users u where u.name = $2 union select u.name from users u where u.owner = $2"
    };
}

/// Keeps the bound on staleness of the hosts that the condition is true for.
macro_rules! keep_freshness {
    ($condition:expr) => {
        concat!(
            "insert into past_freshness (host, revision, max_staleness_s, grace_s, mode) \
             select h.id, cast($1 as bigint), min(g.max_staleness_s), min(g.grace_s), max(g.mode) from hosts h \
             left join host_group_members m on m.host = h.id left join host_groups g on g.name = m.host_group where ",
            $condition,
            " group by h.id"
        )
    };
}

statements! {
    MARK_HOST = mark!("id = $2");
    MARK_HOST_WHOLE = mark_whole!("id = $2");
    MARK_HOST_GROUP = mark!("id in (select m.host from host_group_members m where m.host_group = $2)");
    MARK_HOST_GROUP_WHOLE =
        mark_whole!("id in (select m.host from host_group_members m where m.host_group = $2)");
    MARK_GROUP = mark_targets!(grants_for_group!());
    MARK_USER = mark_targets!(grants_for!("$2"));
    MARK_USER_AND_SERVICES = mark_targets!(grants_for!(user_and_services!()));
    TOUCH_ACCOUNT = "insert into account_changes (scope, account, revision, changed_at) values ($2, $4, $1, $3) \
        on conflict (scope, account) do update set revision = excluded.revision, changed_at = excluded.changed_at";
    TOUCH_SETTINGS = "update host_groups set settings_revision = $1 where name = $2";
    TOUCH_GROUP = touch!(grants_for_group!());
    TOUCH_USER = touch!(grants_for!("$2"));
    TOUCH_USER_AND_SERVICES = touch!(grants_for!(user_and_services!()));
    RECORD = "insert into write_hosts (revision, host, written_at) \
        select cast($1 as bigint), h.id, cast($2 as bigint) from hosts h where h.changed_revision = $1";
    // One write's records go for each that come, so there never are more than there once had to be.
    FORGET = "delete from write_hosts where revision = (select min(revision) from write_hosts) and written_at < $1";
    KEEP_FRESHNESS_OF_HOST = keep_freshness!("h.id = $2");
    KEEP_FRESHNESS_OF_GROUP =
        keep_freshness!("h.id in (select x.host from host_group_members x where x.host_group = $2)");
}

impl WriteTx {
    /// Marks the hosts that a write concerns. Before what they are found by is deleted.
    pub(crate) async fn mark(
        &mut self,
        concerned: Concerned<'_>,
        does: Does,
    ) -> Result<Marked, StoreError> {
        let revision = self.revision().as_i64();
        let (statement, by) = concerned.found_by();
        self.execute(statement, values![revision, by]).await?;
        self.touch(concerned).await?;
        if does == Does::TakeAway {
            let forgotten = self.now.saturating_add(-RECEIPT_S);
            self.execute(FORGET, values![forgotten]).await?;
            self.execute(RECORD, values![revision, self.now]).await?;
        }
        Ok(Marked(()))
    }

    /// Marks the accounts that a write concerns, or the settings.
    async fn touch(&mut self, concerned: Concerned<'_>) -> Result<(), StoreError> {
        let revision = self.revision().as_i64();
        let (statement, name) = match concerned {
            Concerned::Host(_) | Concerned::HostGroup(_) => return Ok(()),
            Concerned::Settings(name) => {
                let values = values![revision, name];
                return self.execute(TOUCH_SETTINGS, values).await.map(drop);
            }
            Concerned::Grant(target, account) => {
                let scope = scope_of(target);
                let values = values![revision, &scope, self.now, account];
                return self.execute(TOUCH_ACCOUNT, values).await.map(drop);
            }
            Concerned::Group(name) => (TOUCH_GROUP, name.as_str()),
            Concerned::User(name) => (TOUCH_USER, name.as_str()),
            Concerned::UserAndServices(name) => (TOUCH_USER_AND_SERVICES, name.as_str()),
        };
        let values = values![revision, name, self.now];
        self.execute(statement, values).await.map(drop)
    }

    /// Keeps the bound on staleness of a host. Before the host is put into a host group, or taken out of one.
    pub(crate) async fn keep_freshness_of_host(&mut self, host: &HostId) -> Result<(), StoreError> {
        let values = values![self.revision().as_i64(), host];
        self.execute(KEEP_FRESHNESS_OF_HOST, values).await.map(drop)
    }

    /// The same for all hosts in a host group. Before the host group is changed or deleted.
    pub(crate) async fn keep_freshness_of_group(
        &mut self,
        name: &GroupName,
    ) -> Result<(), StoreError> {
        let values = values![self.revision().as_i64(), name];
        self.execute(KEEP_FRESHNESS_OF_GROUP, values)
            .await
            .map(drop)
    }
}

impl<'a> Concerned<'a> {
    /// The statement that marks them, and what it looks for.
    fn found_by(self) -> (Statement, &'a str) {
        match self {
            Self::Host(id) => (MARK_HOST_WHOLE, id.as_str()),
            Self::HostGroup(name) => (MARK_HOST_GROUP_WHOLE, name.as_str()),
            Self::Grant(Target::Host(id), _) => (MARK_HOST, id.as_str()),
            Self::Settings(name) | Self::Grant(Target::HostGroup(name), _) => {
                (MARK_HOST_GROUP, name.as_str())
            }
            Self::Group(name) => (MARK_GROUP, name.as_str()),
            Self::User(name) => (MARK_USER, name.as_str()),
            Self::UserAndServices(name) => (MARK_USER_AND_SERVICES, name.as_str()),
        }
    }
}

/// Where the accounts of a target's grants are written down.
fn scope_of(target: &Target) -> String {
    match target {
        Target::Host(id) => format!("host/{id}"),
        Target::HostGroup(name) => format!("host-group/{name}"),
    }
}
