-- The list of revoked keys: those that were revoked, and those whose owner, or the person who answers for it, is suspended or
-- terminated. Kept with each write, so that it is read without a look at the other keys.

-- The revision with which the key came to be on the list; null while it is not.
alter table keys add column listed_revision bigint;

create index keys_by_listing on keys (listed_revision);

-- The newest revision that changed the list, and the newest that took a key off it.
alter table roster_state add column list_revision bigint not null default 0;
alter table roster_state add column delisted_revision bigint not null default 0;

update keys set listed_revision = (select revision from roster_state)
    where revoked_at is not null
        or user_name in (select u.name from users u where u.state <> 'active')
        or user_name in (select u.name from users u join users o on o.name = u.owner where o.state <> 'active');

update roster_state set list_revision = revision where exists (select 1 from keys where listed_revision is not null);
