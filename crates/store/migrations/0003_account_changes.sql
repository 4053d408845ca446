-- Which accounts changed when, and what key servers keep in memory of each host.

-- The newest revision that may have changed who may log in to an account, by the grants on a host ("host/<id>") or on a host
-- group ("host-group/<name>"), and when it was written. Rows stay when their grants go: what is gone has changed.
create table account_changes (
    scope text not null,
    account text not null,
    revision bigint not null,
    changed_at bigint not null,
    primary key (scope, account)
);

create index account_changes_by_revision on account_changes (scope, revision);

insert into account_changes (scope, account, revision, changed_at)
    select distinct coalesce('host/' || host, 'host-group/' || host_group), account,
        (select revision from roster_state where id = 1), 0
    from grants;

-- The newest revision from which on a host's accounts are told by other scopes than before.
alter table hosts add column whole_revision bigint not null default 0;

-- The newest revision that changed anything of a host that key servers keep in memory.
alter table hosts add column standing_revision bigint not null default 0;

update hosts set
    changed_revision = (select revision from roster_state where id = 1),
    whole_revision = (select revision from roster_state where id = 1),
    standing_revision = (select revision from roster_state where id = 1);

-- The newest revision that changed something of a host group that hosts are told beside their accounts.
alter table host_groups add column settings_revision bigint not null default 0;

create index hosts_by_whole on hosts (whole_revision);
create index hosts_by_standing on hosts (standing_revision);

-- The grants for one account, among all that are on a host or host group.
create index grants_on_host_account on grants (host, account, revoked_at);
create index grants_on_host_group_account on grants (host_group, account, revoked_at);
