-- Which snapshot keys hosts go by, while these are exchanged.

-- A host's own word on the newest set of keys that it has on disk: no change of the roster.
create table host_keys (
    host text primary key not null references hosts (id),
    serial bigint not null check (serial >= 0)
);
