-- What hosts say happened on them. The id is the host's own: a report that comes again is known by it.
create table host_reports (
    host text not null references hosts (id),
    id text not null,
    kind text not null check (kind in ('break-glass', 'drill')),
    account text not null,
    fingerprint text not null,
    -- By the host's clock, which may be wrong.
    host_time bigint not null,
    -- By the key server's.
    received_at bigint not null,
    -- The revision of its audit event.
    revision bigint not null,
    primary key (host, id)
);

create index host_reports_by_time on host_reports (host, received_at);
create index host_reports_by_kind on host_reports (host, kind, revision);
