use std::fs;
use std::path::Path;

use keyroster_api::key_set::KeySet;
use keyroster_api::signature::{SEED_BYTES, SnapshotKey};

use super::*;
use crate::ca::CA_DAYS;
use crate::data_dir::{write_public, write_secret};

const NOW: Timestamp = Timestamp::from_unix(1_795_251_600);

/// A data directory in the middle of an exchange, and its two CAs.
struct Exchange {
    root: tempfile::TempDir,
    old: Ca,
    new: Ca,
}

fn ca() -> (Ca, Zeroizing<String>) {
    Ca::create(NOW, [7; SERIAL_BYTES]).unwrap()
}

fn dir(root: &Path) -> DataDir {
    DataDir::at(root)
}

/// A chain that names these CAs.
fn told(cas: &[&Ca]) -> Chain {
    let key = SnapshotKey::from_seed(&[1; SEED_BYTES]).unwrap();
    let cas = cas.iter().map(|ca| ca.pin().to_string()).collect();
    let set = KeySet::new(1, 0, vec![key.public().to_openssh().unwrap()], cas);
    let mut chain = Chain::default();
    chain.push(set.sign(&key).unwrap(), set);
    chain
}

impl Exchange {
    /// As the first step leaves it.
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let ((old, old_key), (new, new_key)) = (ca(), ca());
        let files = dir(root.path());
        write_public(&files.ca(), old.pem()).unwrap();
        write_secret(&files.ca_key(), &old_key).unwrap();
        write_public(&files.next_ca(), new.pem()).unwrap();
        write_secret(&files.next_ca_key(), &new_key).unwrap();
        let crosses = Crosses::create(&old, &new, NOW, [[1; SERIAL_BYTES], [2; SERIAL_BYTES]]);
        write_public(&files.ca_crosses(), &crosses.unwrap().to_pem()).unwrap();
        Self { root, old, new }
    }

    fn swap(
        &self,
        one: impl Fn(&DataDir) -> std::path::PathBuf,
        other: impl Fn(&DataDir) -> std::path::PathBuf,
    ) {
        let files = dir(self.root.path());
        crate::data_dir::exchange(&one(&files), &other(&files)).unwrap();
    }

    fn load(&self, chain: &Chain) -> Result<Authorities, AuthoritiesError> {
        Authorities::load(&dir(self.root.path()), &Credentials::at(None), chain)
    }
}

#[test]
fn before_and_after_the_change_both_are_believed_and_the_newest_is_pinned() {
    let exchange = Exchange::new();
    let chain = told(&[&exchange.new, &exchange.old]);
    let before = exchange.load(&chain).unwrap();
    assert_eq!(before.in_force().pin(), exchange.old.pin());
    assert!(!before.replaces());
    exchange.swap(DataDir::next_ca, DataDir::ca);
    exchange.swap(DataDir::next_ca_key, DataDir::ca_key);
    let after = exchange.load(&chain).unwrap();
    assert_eq!(after.in_force().pin(), exchange.new.pin());
    assert!(after.replaces());
    for authorities in [&before, &after] {
        assert_eq!(authorities.newest(), exchange.new.pin());
        let both = [&exchange.new, &exchange.old].map(|ca| ca.certificate().clone());
        assert_eq!(authorities.trusted(), both);
        let leaf = authorities
            .issue_server(&["localhost".to_owned()], NOW, [3; SERIAL_BYTES])
            .unwrap();
        // Leaf, the other CA's word for the one in force, both CAs.
        assert_eq!(leaf.chain.len(), 4);
    }
}

#[test]
fn a_crash_between_certificate_and_key_leaves_a_server_that_starts() {
    let exchange = Exchange::new();
    let chain = told(&[&exchange.new, &exchange.old]);
    exchange.swap(DataDir::next_ca, DataDir::ca);
    let loaded = exchange.load(&chain).unwrap();
    assert_eq!(loaded.in_force().pin(), exchange.new.pin());
}

#[test]
fn a_ca_that_hosts_were_not_told_of_and_half_an_exchange_are_refused() {
    let exchange = Exchange::new();
    let ((stranger, _), files) = (ca(), dir(exchange.root.path()));
    let unknown = exchange.load(&told(&[&stranger]));
    assert!(matches!(unknown, Err(AuthoritiesError::Unknown)));
    let strangers = exchange.load(&told(&[&stranger, &exchange.old]));
    assert!(matches!(strangers, Err(AuthoritiesError::Strangers)));
    fs::remove_file(files.ca_crosses()).unwrap();
    let both = told(&[&exchange.new, &exchange.old]);
    assert!(matches!(
        exchange.load(&both),
        Err(AuthoritiesError::File(_))
    ));
    // What an interrupted first step left behind is nobody's.
    let alone = exchange.load(&Chain::default()).unwrap();
    assert_eq!(alone.trusted(), [exchange.old.certificate().clone()]);
    assert_eq!(alone.newest(), exchange.old.pin());
}

#[test]
fn who_issued_a_hosts_certificate_is_seen_by_its_key() {
    let exchange = Exchange::new();
    let authorities = exchange
        .load(&told(&[&exchange.new, &exchange.old]))
        .unwrap();
    let key = |ca: &Ca| {
        let leaf = ca.issue_server(&["localhost".to_owned()], NOW, [3; SERIAL_BYTES]);
        keyroster_edge::issuer_key_id(&leaf.unwrap().chain[0]).unwrap()
    };
    let issuer = |ca: &Ca| authorities.issuer(Some(&key(ca)));
    assert_eq!(issuer(&exchange.old), IssuedBy::InForce);
    assert_eq!(issuer(&exchange.new), IssuedBy::Other);
    assert!(authorities.is_newest(IssuedBy::Other));
    assert!(!authorities.is_newest(IssuedBy::InForce));
}

#[test]
fn a_ca_is_spoken_of_a_year_before_its_end() {
    let authorities = Authorities::alone(ca().0);
    let after = |days: i64| NOW.saturating_add(days * SECONDS_PER_DAY);
    let life = i64::try_from(CA_DAYS).unwrap();
    assert_eq!(authorities.days_left(NOW), Some(life));
    assert_eq!(authorities.ends_soon(after(life - CA_WARNING_DAYS)), None);
    let late = authorities.ends_soon(after(life - CA_WARNING_DAYS + 1));
    assert_eq!(late, Some(CA_WARNING_DAYS - 1));
    assert_eq!(authorities.ends_soon(after(life + 1)), Some(-1));
}
