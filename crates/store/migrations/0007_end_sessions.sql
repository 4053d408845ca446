-- Whether hosts of the host group end the sessions that were opened with a key that is revoked: 0 or 1.
alter table host_groups add column end_sessions bigint not null default 0 check (end_sessions in (0, 1));
