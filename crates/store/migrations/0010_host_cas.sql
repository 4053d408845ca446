-- Of which CA the certificate is that a host uses, while CAs are exchanged.

-- The serial of the set that made that CA known to hosts; 0 is the CA of the beginning.
alter table host_keys add column ca_serial bigint not null default 0 check (ca_serial >= 0);
