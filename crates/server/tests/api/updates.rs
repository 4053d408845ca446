//! Updates: a host is told what changed, and holds by it exactly what a whole snapshot would tell it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyroster_api::digest::Tree;
use keyroster_api::freshness::FreshnessBody;
use keyroster_api::paths;
use keyroster_api::signature::{Namespace, SnapshotPublicKey};
use keyroster_api::snapshot::{self, Account, Snapshot, Tag};
use keyroster_api::update::{self, Update};
use keyroster_server::limits::Limits;
use keyroster_testkit::Postgres;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::fixture::{ED25519, Fixture, Host, Reply};

const ACCOUNTS_RENDERED: &str = "keyroster_accounts_rendered_total";
const CHANGES: &str = "keyroster_snapshot_answers_total{from=\"changes\"}";

/// A host that does as it is told, and checks what it is told.
#[derive(Default)]
struct Follower {
    tag: Option<Tag>,
    freshness: Option<FreshnessBody>,
    accounts: BTreeMap<String, Account>,
}

/// What a host was told.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Nothing,
    /// The names of the accounts.
    Changes(Vec<String>),
    Everything,
}

async fn ask(host: &Host, address: SocketAddr, held: Option<Tag>, accept: &str) -> Reply {
    let held = held.map(Tag::to_header);
    let mut headers = vec![("accept", accept)];
    headers.extend(held.as_deref().map(|tag| ("if-none-match", tag)));
    host.ask_at(address, &headers).await
}

fn both() -> String {
    format!("{}, {};q=0.9", snapshot::CONTENT_TYPE, update::CONTENT_TYPE)
}

impl Follower {
    async fn ask(&mut self, fixture: &Fixture, host: &Host) -> Kind {
        self.ask_at(fixture, host, fixture.server.address()).await
    }

    async fn ask_at(&mut self, fixture: &Fixture, host: &Host, address: SocketAddr) -> Kind {
        let mut reply = ask(host, address, self.tag, &both()).await;
        // A server that could not ask its database for a while on a busy machine decides nothing.
        while reply.status == 503 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            reply = ask(host, address, self.tag, &both()).await;
        }
        let key = std::fs::read_to_string(fixture.file("snapshot-key.pub")).unwrap();
        let key = SnapshotPublicKey::from_openssh(&key).unwrap();
        if reply.status == 304 {
            return Kind::Nothing;
        }
        let kind = if reply.headers["content-type"] == update::CONTENT_TYPE {
            let bytes = key.verify(Namespace::Update, &reply.body).unwrap();
            self.change(serde_json::from_slice(bytes).unwrap(), host)
        } else {
            let bytes = key.verify(Namespace::Snapshot, &reply.body).unwrap();
            let snapshot: Snapshot = serde_json::from_slice(bytes).unwrap();
            self.freshness = Some(snapshot.freshness);
            self.accounts = by_name(snapshot.accounts);
            Kind::Everything
        };
        assert!(Some(reply.tag()) > self.tag, "{kind:?}");
        self.tag = Some(reply.tag());
        kind
    }

    fn change(&mut self, update: Update, host: &Host) -> Kind {
        assert_eq!(update.host, host.enrolled.host_id);
        assert_eq!(update.from().ok(), self.tag);
        let names = update.accounts.iter().map(|account| account.name.clone());
        let kind = Kind::Changes(names.collect());
        for account in update.accounts {
            match account.keys.is_empty() {
                true => drop(self.accounts.remove(&account.name)),
                false => drop(self.accounts.insert(account.name.clone(), account)),
            }
        }
        let digest = Tree::of(self.accounts.values()).root().to_string();
        assert_eq!(digest, update.digest);
        self.freshness = Some(update.freshness);
        kind
    }
}

fn by_name(accounts: Vec<Account>) -> BTreeMap<String, Account> {
    let accounts = accounts.into_iter();
    accounts
        .map(|account| (account.name.clone(), account))
        .collect()
}

/// Lets alice in as somebody on `web`; the grant's id.
async fn grant(fixture: &Fixture, account: &str) -> String {
    let grant = json!({ "user": "alice", "account": account, "host_group": "web" });
    let reply = fixture.post(paths::GRANTS, grant).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()["id"].as_str().unwrap().to_owned()
}

/// A host in `web` with this many accounts for alice.
async fn host_with(fixture: &Fixture, accounts: usize) -> (Host, Vec<String>) {
    fixture.let_alice_in(ED25519).await;
    let mut grants = Vec::new();
    for number in 0..accounts {
        grants.push(grant(fixture, &format!("app{number}")).await);
    }
    (fixture.enrol("web-1", "web").await, grants)
}

async fn revoke(fixture: &Fixture, grant: &str) {
    let path = paths::fill(paths::GRANT_REVOKE, &[grant]);
    assert_eq!(fixture.post(&path, Value::Null).await.status, 200);
}

#[tokio::test]
async fn a_change_of_one_account_among_many_reads_and_sends_that_account_alone() {
    let fixture = Fixture::start().await;
    let (host, grants) = host_with(&fixture, 40).await;
    let mut follower = Follower::default();
    assert_eq!(follower.ask(&fixture, &host).await, Kind::Everything);
    let rendered = fixture.metric(ACCOUNTS_RENDERED).await;
    revoke(&fixture, &grants[7]).await;
    let told = follower.ask(&fixture, &host).await;
    assert_eq!(told, Kind::Changes(vec!["app7".to_owned()]));
    assert_eq!(fixture.metric(ACCOUNTS_RENDERED).await, rendered + 1);
    assert_eq!(follower.accounts.len(), 40);
    let back = grant(&fixture, "app7").await;
    assert_eq!(
        follower.ask(&fixture, &host).await,
        Kind::Changes(vec!["app7".to_owned()])
    );
    revoke(&fixture, &back).await;
    assert_eq!(fixture.metric(CHANGES).await, 2);
}

#[tokio::test]
async fn a_host_that_is_behind_and_a_server_that_just_began_need_no_more_than_what_changed() {
    let fixture = Fixture::start().await;
    let (host, grants) = host_with(&fixture, 10).await;
    let mut follower = Follower::default();
    assert_eq!(follower.ask(&fixture, &host).await, Kind::Everything);
    for grant in &grants[..3] {
        revoke(&fixture, grant).await;
        fixture.clock.advance(100);
    }
    let fixture = fixture.restart().await;
    let host = host.at(fixture.server.address());
    assert_eq!(
        follower.ask(&fixture, &host).await,
        Kind::Changes(["app0", "app1", "app2"].map(str::to_owned).into())
    );
    assert_eq!(follower.ask(&fixture, &host).await, Kind::Nothing);
}

#[tokio::test]
async fn who_does_not_read_updates_gets_everything() {
    let fixture = Fixture::start().await;
    let (host, grants) = host_with(&fixture, 10).await;
    let mut follower = Follower::default();
    assert_eq!(follower.ask(&fixture, &host).await, Kind::Everything);
    revoke(&fixture, &grants[0]).await;
    for accept in [
        "*/*",
        snapshot::CONTENT_TYPE,
        "application/vnd.keyroster.updates",
    ] {
        let told = ask(&host, fixture.server.address(), follower.tag, accept).await;
        assert_eq!(
            told.headers["content-type"],
            snapshot::CONTENT_TYPE,
            "{accept}"
        );
        assert_eq!(told.snapshot()["accounts"].as_array().unwrap().len(), 10);
    }
}

#[tokio::test]
async fn what_no_account_tells_is_told_as_a_whole() {
    let fixture = Fixture::start().await;
    let (host, _) = host_with(&fixture, 3).await;
    let mut follower = Follower::default();
    assert_eq!(follower.ask(&fixture, &host).await, Kind::Everything);
    fixture.add_host_group("db").await;
    let place = "/v1/host-groups/db/hosts/web-1";
    for method in [Method::PUT, Method::DELETE] {
        assert_eq!(fixture.admin(method, place, Value::Null).await.status, 200);
        assert_eq!(follower.ask(&fixture, &host).await, Kind::Everything);
    }
    for tag in ["\"1.99999\"", "\"2.1\""] {
        follower.tag = Some(Tag::from_header(tag).unwrap());
        let told = ask(&host, fixture.server.address(), follower.tag, &both()).await;
        assert_eq!(told.headers["content-type"], snapshot::CONTENT_TYPE);
    }
}

#[tokio::test]
async fn an_update_that_would_be_larger_than_everything_is_told_as_everything() {
    let fixture = Fixture::start().await;
    let (host, _) = host_with(&fixture, 20).await;
    let mut follower = Follower::default();
    assert_eq!(follower.ask(&fixture, &host).await, Kind::Everything);
    let alice = fixture.admin(
        Method::PATCH,
        "/v1/users/alice",
        json!({ "state": "suspended" }),
    );
    assert_eq!(alice.await.status, 200);
    assert_eq!(follower.ask(&fixture, &host).await, Kind::Everything);
    assert_eq!(follower.accounts, BTreeMap::new());
}

#[tokio::test]
async fn a_write_that_concerns_a_host_and_changes_none_of_its_answers_leaves_it_its_entity_tag() {
    let fixture = Fixture::start().await;
    let (host, _) = host_with(&fixture, 3).await;
    let mut follower = Follower::default();
    assert_eq!(follower.ask(&fixture, &host).await, Kind::Everything);
    fixture.add_user("bob").await;
    let keyless = json!({ "user": "bob", "account": "app1", "host_group": "web" });
    assert_eq!(fixture.post(paths::GRANTS, keyless).await.status, 201);
    assert_eq!(follower.ask(&fixture, &host).await, Kind::Nothing);
    let bounds = json!({ "freshness": { "max_staleness_s": 7 } });
    assert_eq!(
        fixture
            .admin(Method::PATCH, "/v1/host-groups/web", bounds)
            .await
            .status,
        200
    );
    assert_eq!(follower.ask(&fixture, &host).await, Kind::Changes(vec![]));
    assert_eq!(follower.freshness.unwrap().max_staleness_s, 7);
}

#[tokio::test]
async fn key_servers_give_the_same_content_the_same_entity_tag() {
    let fixture = Fixture::start().await;
    let (host, _) = host_with(&fixture, 3).await;
    let first = host.poll(None).await;
    fixture.add_user("bob").await;
    let beside = fixture.beside().await;
    let other = host.poll_at(beside.address(), None).await;
    assert_eq!(other.etag(), first.etag());
    assert_eq!(other.snapshot()["accounts"], first.snapshot()["accounts"]);
    assert_eq!(
        host.poll_at(beside.address(), Some(first.etag()))
            .await
            .status,
        304
    );
    let _ = beside.stop().await;
}

/// A write, or the passing of time; what it is about is given by number.
#[derive(Debug, Clone)]
enum Step {
    Grant {
        user: u8,
        account: u8,
        own: bool,
        deny: bool,
        begins: Option<i64>,
        ends: Option<i64>,
    },
    RevokeGrant(usize),
    SetState(u8, &'static str),
    AddKey(u8, u8),
    RevokeKey(usize),
    Place(Method),
    Bound(u32),
    Pass(i64),
    /// The other server begins anew.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let moment = || proptest::option::of(-50..200_i64);
    prop_oneof![
        8 => (0..3_u8, 0..4_u8, any::<bool>(), proptest::bool::weighted(0.1), moment(), moment()).prop_map(
            |(user, account, own, deny, begins, ends)| Step::Grant { user, account, own, deny, begins, ends }),
        4 => any::<usize>().prop_map(Step::RevokeGrant),
        2 => (0..3_u8, prop_oneof![Just("active"), Just("suspended")]).prop_map(|(user, state)| Step::SetState(user, state)),
        3 => (0..3_u8, any::<u8>()).prop_map(|(user, key)| Step::AddKey(user, key)),
        2 => any::<usize>().prop_map(Step::RevokeKey),
        1 => prop_oneof![Just(Method::PUT), Just(Method::DELETE)].prop_map(Step::Place),
        1 => (1..60_u32).prop_map(Step::Bound),
        3 => (1..80_i64).prop_map(Step::Pass),
        1 => Just(Step::Restart),
    ]
}

fn public_key(number: u8) -> String {
    let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
    blob.extend([number; 32]);
    format!("ssh-ed25519 {}", STANDARD.encode(blob))
}

#[derive(Default)]
struct Written {
    grants: Vec<String>,
    keys: Vec<String>,
}

impl Written {
    /// Some writes can't be made, since what they are about is not there; these change nothing.
    async fn take(&mut self, fixture: &Fixture, step: Step) {
        let patch = |path: String, body: Value| async move {
            let _ = fixture.admin(Method::PATCH, &path, body).await;
        };
        match step {
            Step::Grant { .. } => self.grant(fixture, step).await,
            Step::RevokeGrant(number) if !self.grants.is_empty() => {
                let grant = &self.grants[number % self.grants.len()];
                revoke(fixture, grant).await;
            }
            Step::SetState(user, state) => {
                patch(format!("/v1/users/user{user}"), json!({ "state": state })).await;
            }
            Step::AddKey(user, number) => self.add_key(fixture, user, number).await,
            Step::RevokeKey(number) if !self.keys.is_empty() => {
                let key = &self.keys[number % self.keys.len()];
                let path = paths::fill(paths::KEY_REVOKE, &[key]);
                let _ = fixture.post(&path, Value::Null).await;
            }
            Step::Place(method) => {
                let place = "/v1/host-groups/db/hosts/web-1";
                let _ = fixture.admin(method, place, Value::Null).await;
            }
            Step::Bound(seconds) => {
                let bounds = json!({ "freshness": { "max_staleness_s": seconds } });
                patch("/v1/host-groups/web".to_owned(), bounds).await;
            }
            Step::Pass(seconds) => fixture.clock.advance(seconds),
            Step::RevokeGrant(_) | Step::RevokeKey(_) | Step::Restart => {}
        }
    }

    async fn grant(&mut self, fixture: &Fixture, step: Step) {
        let Step::Grant {
            user,
            account,
            own,
            deny,
            begins,
            ends,
        } = step
        else {
            return;
        };
        let at = |seconds| keyroster_api::time::to_rfc3339(fixture.now().saturating_add(seconds));
        let mut body = json!({ "user": format!("user{user}"), "account": format!("app{account}") });
        body[if own { "host" } else { "host_group" }] = json!(if own { "web-1" } else { "web" });
        body["effect"] = json!(if deny { "deny" } else { "allow" });
        body["not_before"] = json!(begins.map(at));
        body["until"] = json!(ends.map(at));
        let reply = fixture.post(paths::GRANTS, body).await;
        if reply.status == 201 {
            let id = reply.json()["id"].as_str().unwrap().to_owned();
            self.grants.push(id);
        }
    }

    async fn add_key(&mut self, fixture: &Fixture, user: u8, number: u8) {
        let path = paths::fill(paths::USER_KEYS, &[&format!("user{user}")]);
        let key = json!({ "public_key": public_key(number) });
        let reply = fixture.post(&path, key).await;
        if reply.status == 201 {
            let id = reply.json()["fingerprint"].as_str().unwrap().to_owned();
            self.keys.push(id);
        }
    }
}

/// Follows random writes by updates, now at one server and now at another that began in the middle.
async fn follow(fixture: Fixture, steps: usize) {
    let mut runner = TestRunner::deterministic();
    for group in ["web", "db"] {
        fixture.add_host_group(group).await;
    }
    for user in 0..3 {
        fixture.add_user(&format!("user{user}")).await;
    }
    let hosts = [
        fixture.enrol("web-1", "web").await,
        fixture.enrol("web-2", "web").await,
    ];
    let mut followers = [Follower::default(), Follower::default()];
    let quick = Limits {
        state_poll: Duration::from_millis(10),
        ..Limits::default()
    };
    let mut beside = fixture.beside_with(quick).await;
    let (mut written, mut changes) = (Written::default(), 0);
    for number in 0..steps {
        let step = step().new_tree(&mut runner).unwrap().current();
        if matches!(step, Step::Restart) {
            let fresh = fixture.beside_with(quick).await;
            let _ = std::mem::replace(&mut beside, fresh).stop().await;
        }
        written.take(&fixture, step.clone()).await;
        let other = number % 3 == 1;
        let address = if other {
            beside.address()
        } else {
            fixture.server.address()
        };
        fixture
            .until_known_at(address, fixture.revision().await)
            .await;
        for (host, follower) in hosts.iter().zip(&mut followers) {
            let told = follower.ask_at(&fixture, host, address).await;
            changes += usize::from(matches!(told, Kind::Changes(_)));
            let mut fresh = Follower::default();
            assert_eq!(
                fresh.ask_at(&fixture, host, address).await,
                Kind::Everything
            );
            assert_eq!(follower.accounts, fresh.accounts, "{step:?}, {told:?}");
            assert_eq!(follower.freshness, fresh.freshness, "{step:?}, {told:?}");
        }
    }
    let _ = beside.stop().await;
    assert!(changes > steps / 8, "too little was tried: {changes}");
}

#[tokio::test]
async fn a_host_that_follows_by_updates_holds_what_a_whole_snapshot_tells() {
    follow(Fixture::start().await, 60).await;
}

#[tokio::test]
async fn a_host_that_follows_by_updates_holds_what_a_whole_snapshot_tells_on_postgresql() {
    let postgres = Postgres::start().unwrap();
    let database = postgres.fresh_database().unwrap();
    follow(
        Fixture::start_on(Some(database), Limits::default()).await,
        60,
    )
    .await;
}
