-- The same text for SQLite and PostgreSQL: text and bigint only, times in seconds since the Unix epoch, ids as text.
-- Users, keys and hosts are never deleted, so that grants and audit events keep their meaning; groups and host groups may
-- be, and take their memberships and grants with them.

create table roster_state (
    id bigint not null primary key check (id = 1),
    epoch bigint not null check (epoch >= 1),
    revision bigint not null check (revision >= 0),
    audit_sequence bigint not null check (audit_sequence >= 0),
    audit_hash text not null
);

create table users (
    name text not null primary key,
    kind text not null check (kind in ('person', 'service')),
    owner text references users (name),
    state text not null check (state in ('active', 'suspended', 'terminated')),
    created_at bigint not null,
    check ((kind = 'service') = (owner is not null))
);

create table keys (
    fingerprint text not null primary key,
    user_name text not null references users (name),
    algorithm text not null,
    base64 text not null,
    label text not null,
    added_at bigint not null,
    expires_at bigint,
    revoked_at bigint
);

create index keys_of_user on keys (user_name, fingerprint);

create table groups (
    name text not null primary key
);

create table group_members (
    group_name text not null references groups (name) on delete cascade,
    user_name text not null references users (name),
    primary key (group_name, user_name)
);

create index groups_of_user on group_members (user_name);

create table hosts (
    id text not null primary key,
    name text not null,
    state text not null check (state in ('active', 'removed')),
    enrolled_at bigint not null,
    removed_at bigint,
    generation bigint not null check (generation >= 1),
    issued_generation bigint not null,
    previous_generation bigint,
    rotated_at bigint,
    check ((state = 'removed') = (removed_at is not null)),
    check (issued_generation >= generation),
    check ((previous_generation is null) = (rotated_at is null))
);

create unique index active_host_of_name on hosts (name) where state = 'active';

create table host_groups (
    name text not null primary key,
    max_staleness_s bigint not null check (max_staleness_s >= 1),
    grace_s bigint not null check (grace_s >= 0),
    mode text not null check (mode in ('grace', 'strict'))
);

create table host_group_members (
    host_group text not null references host_groups (name) on delete cascade,
    host text not null references hosts (id),
    primary key (host_group, host)
);

create index host_groups_of_host on host_group_members (host, host_group);

create table grants (
    id text not null primary key,
    effect text not null check (effect in ('allow', 'deny')),
    user_name text references users (name),
    group_name text references groups (name) on delete cascade,
    account text not null,
    host text references hosts (id),
    host_group text references host_groups (name) on delete cascade,
    options text not null,
    command text,
    from_ranges text,
    not_before bigint,
    ends_at bigint,
    reason text,
    created_by text not null,
    created_at bigint not null,
    revoked_at bigint,
    check ((user_name is null) <> (group_name is null)),
    check ((host is null) <> (host_group is null))
);

create index grants_on_host on grants (host, revoked_at);
create index grants_on_host_group on grants (host_group, revoked_at);
create index grants_for_user on grants (user_name);
create index grants_for_group on grants (group_name);

-- Burnt before the host that it enrols is written, in one transaction: hence the deferred reference.
create table enrolment_tokens (
    hash text not null primary key,
    host_group text not null references host_groups (name) on delete cascade,
    created_by text not null,
    created_at bigint not null,
    expires_at bigint not null,
    used_at bigint,
    used_by text references hosts (id) deferrable initially deferred,
    refused_at bigint,
    check ((used_at is null) = (used_by is null))
);

create index enrolment_tokens_of_host_group on enrolment_tokens (host_group);

create table bearer_tokens (
    name text not null primary key,
    hash text not null unique,
    role text not null check (role in ('admin', 'officer', 'auditor')),
    created_by text not null,
    created_at bigint not null,
    expires_at bigint not null,
    revoked_at bigint
);

create table audit_events (
    sequence bigint not null primary key check (sequence >= 1),
    revision bigint not null unique,
    occurred_at bigint not null,
    actor text not null,
    action text not null,
    object text not null,
    detail text not null,
    previous_hash text not null,
    hash text not null
);
