//! A row that somebody else changed is named, never skipped and never a crash.

use keyroster_store::{GrantFilter, Limit, Reader, StoreError};

use crate::fixture::{Fixture, LATER};
use crate::model::*;
use crate::on_both;

/// Reads everything there is, and returns what went wrong first.
async fn read_all(reader: &mut Reader) -> Result<(), StoreError> {
    reader.state().await?;
    reader.users(None, Limit::MAX).await?;
    reader.keys(None, None, Limit::MAX).await?;
    reader.groups(None, Limit::MAX).await?;
    reader.hosts(None, Limit::MAX).await?;
    reader.host_credential(&host_id(1)).await?;
    reader.host_groups(None, Limit::MAX).await?;
    reader
        .grants(&GrantFilter::default(), None, Limit::MAX)
        .await?;
    reader.enrolment_tokens(None, Limit::MAX).await?;
    reader.bearer_tokens(None, Limit::MAX).await?;
    reader.audit_events(0, Limit::MAX).await?;
    Ok(())
}

/// A column and a value that we never write there. The values pass the checks of PostgreSQL, which nobody can switch off.
const CHANGES: &[(&str, &str, &str)] = &[
    ("roster_state", "audit_hash", "'xyz'"),
    ("users", "name", "'Not A Name'"),
    ("users", "name", "'x\u{1b}[31m'"),
    ("keys", "fingerprint", "'SHA256:short'"),
    (
        "keys",
        "fingerprint",
        "'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'",
    ),
    ("keys", "algorithm", "'ssh-rsa'"),
    ("keys", "base64", "'AAAA'"),
    ("keys", "label", "'two\u{a}lines'"),
    ("keys", "user_name", "''"),
    ("groups", "name", "'-x'"),
    ("group_members", "user_name", "'-x'"),
    ("hosts", "id", "'1'"),
    ("hosts", "name", "'UPPER'"),
    ("host_groups", "grace_s", "99999999999"),
    ("host_groups", "max_staleness_s", "4000"),
    ("host_group_members", "host_group", "'-x'"),
    ("grants", "id", "'1'"),
    ("grants", "account", "'-h'"),
    ("grants", "user_name", "'-x'"),
    ("grants", "host", "'x'"),
    ("grants", "options", "'pty'"),
    ("grants", "options", "'[\"cert-authority\"]'"),
    ("grants", "options", "'[\"pty\",\"pty\"]'"),
    ("grants", "command", "'a\u{a}b'"),
    ("grants", "from_ranges", "'10.0.0.1/8'"),
    ("grants", "reason", "''"),
    ("grants", "created_by", "'-x'"),
    ("grants", "not_before", "2000000000"),
    ("enrolment_tokens", "hash", "'xyz'"),
    ("enrolment_tokens", "host_group", "'-x'"),
    ("bearer_tokens", "name", "'-x'"),
    ("audit_events", "actor", "'-x'"),
    ("audit_events", "action", "'user.vanish'"),
    ("audit_events", "object", "'\u{1b}[2J'"),
    ("audit_events", "hash", "'xyz'"),
];

/// One row in every table.
async fn with_rows(fixture: &Fixture) {
    fixture.add_person("alice").await;
    fixture.add_key("alice", 1).await;
    fixture.add_group("ops", &["alice"]).await;
    fixture.add_host_group("web").await;
    fixture.add_host(1, "web").await;
    let mut grant = grant(1, for_user("alice"), on_host(1));
    grant.until = Some(LATER);
    fixture.write().add_grant(&grant).await.unwrap();
    let role = keyroster_store::Role::Admin;
    fixture
        .write()
        .add_bearer_token(&actor("ci"), &token("b"), role, LATER)
        .await
        .unwrap();
}

on_both! {
    async fn a_value_that_we_never_write_is_named_with_its_table(fixture: Fixture) {
        with_rows(&fixture).await;
        read_all(&mut fixture.store.read().await.unwrap()).await.unwrap();
        for (table, column, value) in CHANGES {
            let only_one = if *table == "audit_events" { "where sequence = 1" } else { "" };
            fixture.tamper(&format!("create table kept as select * from {table}")).await;
            fixture.tamper(&format!("update {table} set {column} = {value} {only_one}")).await;
            let read = read_all(&mut fixture.store.read().await.unwrap()).await;
            assert!(read.is_err(), "{table}.{column} = {value} went unnoticed");
            let (kind, message) = refusal(read);
            assert_eq!(kind, "corrupt", "{table}.{column} = {value}: {message}");
            assert!(message.contains(&format!("table \"{table}\"")), "{table}.{column} = {value}: {message}");
            assert!(!message.chars().any(char::is_control), "{message:?}");
            fixture.tamper(&format!("delete from {table}; insert into {table} select * from kept; drop table kept")).await;
        }
        read_all(&mut fixture.store.read().await.unwrap()).await.unwrap();
    }

    async fn a_host_gets_no_slice_from_a_roster_with_an_unreadable_grant(fixture: Fixture) {
        with_rows(&fixture).await;
        assert!(fixture.store.host_slice(&host_id(1)).await.unwrap().is_some());
        fixture.tamper("update grants set options = '[\"nonsense\"]'").await;
        refused(fixture.store.host_slice(&host_id(1)).await, "corrupt", "table \"grants\"");
    }
}
