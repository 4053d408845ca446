-- What a restore leaves behind.

-- When the roster was last restored; null if it never was.
alter table roster_state add column restored_at bigint;

-- What was ended for good in a roster whose place a restored one took, and is not in this one: keys that were revoked, and
-- users who were terminated. None of them may be added again.
create table ended_before (
    kind text not null check (kind in ('key', 'user')),
    id text not null,
    -- The revision with which this roster took note of it.
    revision bigint not null,
    primary key (kind, id)
);
