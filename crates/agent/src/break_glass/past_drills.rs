//! When the way in was last proved, and how well: a small file in root's own state.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use keyroster_keys::AccountName;
use serde::{Deserialize, Serialize};

use crate::state::StateDir;

/// A drill of an account's way in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PastDrill {
    /// When, in seconds since the Unix epoch.
    pub at_s: i64,
    /// What it proved.
    pub proof: Proof,
    /// The key that logged in.
    pub key: Option<String>,
}

/// What a drill proved.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// A key logged in by the account's file.
    Login,
    /// Everything but the signature: there was no private key at hand.
    AllButSignature,
}

impl PastDrill {
    /// Whole days since then.
    #[must_use]
    pub fn days_ago(&self, now_s: i64) -> i64 {
        now_s.saturating_sub(self.at_s).div_euclid(DAY_S)
    }

    /// Whether it is recent enough to rely on: what is not tried does not work on the day on which it is needed.
    #[must_use]
    pub fn counts_at(&self, now_s: i64) -> bool {
        (0..=COUNTS_DAYS).contains(&self.days_ago(now_s))
    }
}

/// The last drill of each account; none of those that never had one.
///
/// # Errors
/// When the file can't be read, or is not what was written.
pub fn read(state: &Path) -> io::Result<BTreeMap<String, PastDrill>> {
    match fs::read(state.join(FILE)) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(err) => Err(err),
    }
}

/// Notes drills. The directory is made if it is missing.
///
/// # Errors
/// When that can't be written.
pub fn note(state: &Path, drills: &[(AccountName, PastDrill)]) -> io::Result<()> {
    let dir = StateDir::create(state).map_err(io::Error::other)?;
    // One that can't be read says nothing any more.
    let mut all = read(state).unwrap_or_default();
    all.extend(
        drills
            .iter()
            .map(|(account, drill)| (account.to_string(), drill.clone())),
    );
    let bytes = serde_json::to_vec(&all)?;
    dir.write(FILE, &bytes).map_err(io::Error::other)
}

const FILE: &str = "break-glass-drills";
const DAY_S: i64 = 24 * 60 * 60;
/// Days for which a drill counts.
const COUNTS_DAYS: i64 = 90;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_drill_of_each_account_is_remembered() {
        let scratch = tempfile::tempdir().unwrap();
        let state = scratch.path().join("state");
        assert_eq!(read(&state).unwrap().len(), 0);
        let drill = |at_s, proof| PastDrill {
            at_s,
            proof,
            key: None,
        };
        let [root, deploy] = ["root", "deploy"].map(|name| AccountName::parse(name).unwrap());
        note(
            &state,
            &[
                (root.clone(), drill(1, Proof::Login)),
                (deploy, drill(2, Proof::Login)),
            ],
        )
        .unwrap();
        note(&state, &[(root, drill(3, Proof::AllButSignature))]).unwrap();
        let all = read(&state).unwrap();
        assert_eq!(all.get("root"), Some(&drill(3, Proof::AllButSignature)));
        assert_eq!(all.get("deploy"), Some(&drill(2, Proof::Login)));
    }
}
