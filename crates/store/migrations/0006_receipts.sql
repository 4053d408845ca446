-- When each host confirmed a write, and which hosts run without the daemon.

-- The moment at which a key server first heard that the host holds the write.
alter table write_hosts add column confirmed_at bigint;

-- What a host has still to confirm, for the batch that brings its confirmation.
create index unconfirmed_writes_of_host on write_hosts (host, revision) where confirmed_at is null;

-- How the host asked when it was last answered.
alter table host_confirmations add column asks text not null default 'daemon' check (asks in ('daemon', 'each-login'));
