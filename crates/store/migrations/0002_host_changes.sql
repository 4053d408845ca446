-- Which hosts a write concerns, and what hosts have confirmed.

-- The newest revision that may have changed what this host answers.
alter table hosts add column changed_revision bigint not null default 0;

create index hosts_by_change on hosts (changed_revision);

-- The hosts that a write took something away on, for the receipt of that write.
create table write_hosts (
    revision bigint not null,
    host text not null references hosts (id),
    written_at bigint not null,
    primary key (revision, host)
);

-- What was the bound on staleness of a host until this revision changed it. All three are null for a host that was in no
-- host group then.
create table past_freshness (
    host text not null references hosts (id),
    revision bigint not null,
    max_staleness_s bigint,
    grace_s bigint,
    mode text,
    primary key (host, revision)
);

create table host_confirmations (
    host text not null primary key references hosts (id),
    epoch bigint not null check (epoch >= 1),
    revision bigint not null check (revision >= 0),
    confirmed_at bigint not null
);

create index services_of_owner on users (owner);

create index audit_events_of_object on audit_events (object, action, revision);
