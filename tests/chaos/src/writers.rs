//! Administrators, who add keys and revoke most of them again.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Method;
use keyroster_api::paths;
use keyroster_bench::rows::GeneratedKey;
use serde_json::json;

use crate::ledger::Fact;
use crate::random::Random;
use crate::scene::{Scene, USERS, user};

/// Writes until told to stop. Each lane has keys of its own.
pub async fn write(scene: Arc<Scene>, lane: u64) {
    let mut random = Random::of(scene.seed, 100 + lane);
    for turn in 0_u64.. {
        if scene.stop.load(Ordering::Relaxed) {
            return;
        }
        let key = turn * LANES + lane;
        add(&scene, key, &mut random).await;
        if random.below(4) > 0 {
            revoke(&scene, key, &mut random).await;
        }
        tokio::time::sleep(random.pause(5, 40)).await;
    }
}

/// Adds a key, as often as it takes until somebody says that it is there.
async fn add(scene: &Scene, key: u64, random: &mut Random) {
    let generated = GeneratedKey::number(key);
    let path = paths::fill(paths::USER_KEYS, &[&user(key % USERS)]);
    let body = json!({ "public_key": format!("ssh-ed25519 {}", generated.base64) });
    loop {
        let asked = admin(scene, random).ask(Method::POST, &path, Some(&body));
        match asked.await {
            Ok(_) => break,
            // The answer of the try before was lost, but not its work.
            Err(error) if error.to_string().contains("409") => break,
            Err(_) => pause(scene, random).await,
        }
    }
    scene.ledger.note(key, Fact::Added);
}

/// Revokes a key likewise, half of the time with a receipt.
async fn revoke(scene: &Scene, key: u64, random: &mut Random) {
    let path = paths::fill(paths::KEY_REVOKE, &[&GeneratedKey::number(key).fingerprint]);
    scene.ledger.note(key, Fact::Revoking);
    loop {
        let admin = admin(scene, random).clone();
        let done = if random.below(2) == 0 {
            let asked = admin.ask(Method::POST, &path, Some(&json!({}))).await;
            asked.map(|_| Fact::Revoked)
        } else {
            let path = format!("{path}?wait=confirmed&timeout=15");
            let asked = admin.ask(Method::POST, &path, Some(&json!({}))).await;
            asked.and_then(|body| read_receipt(&body))
        };
        match done {
            Ok(fact) => return scene.ledger.note(key, fact),
            Err(_) => pause(scene, random).await,
        }
    }
}

fn read_receipt(body: &[u8]) -> Result<Fact, Box<dyn Error + Send + Sync>> {
    let receipt: keyroster_api::receipt::Receipt = serde_json::from_slice(body)?;
    let all = receipt.pending.is_empty() && !receipt.confirmed.is_empty();
    Ok(if all { Fact::Confirmed } else { Fact::Revoked })
}

fn admin<'a>(scene: &'a Scene, random: &mut Random) -> &'a keyroster_bench::admin::Admin {
    let [first, second] = &scene.admins;
    if random.below(2) == 0 { first } else { second }
}

async fn pause(scene: &Scene, random: &mut Random) {
    scene.ledger.unanswered.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(random.pause(20, 200).min(Duration::from_secs(1))).await;
}

pub const LANES: u64 = 6;
