use keyroster_api::signature::SEED_BYTES;

use super::*;

fn key(seed: u8) -> SnapshotKey {
    SnapshotKey::from_seed(&[seed; SEED_BYTES]).unwrap()
}

fn pin(byte: u8) -> CaPin {
    CaPin::from_bytes([byte; 32])
}

/// A chain whose newest set has these keys and CAs, the newest first.
fn told(keys: &[u8], cas: &[u8]) -> Chain {
    let line = |seed: &u8| key(*seed).public().to_openssh().unwrap();
    let cas = cas.iter().map(|ca| pin(*ca).to_string()).collect();
    let set = KeySet::new(1, 0, keys.iter().map(line).collect(), cas);
    let mut chain = Chain::default();
    chain.push(set.sign(&key(1)).unwrap(), set);
    chain
}

fn stands(chain: &Chain, signing: u8, ca: u8) -> Option<Stage> {
    stage(chain, &key(signing), &pin(ca)).ok()
}

#[test]
fn where_it_stands_is_read_off_what_is_in_force_and_what_hosts_are_told() {
    use Stage::{Announced, Settled, Switched};
    let (first, both) = (told(&[1], &[]), told(&[2, 1], &[8]));
    assert_eq!(stands(&Chain::default(), 1, 8), Some(Settled));
    assert_eq!(stands(&first, 1, 8), Some(Settled));
    assert_eq!(stands(&both, 1, 8), Some(Announced(Rotated::SnapshotKey)));
    assert_eq!(stands(&both, 2, 8), Some(Switched(Rotated::SnapshotKey)));
    let cas = told(&[1], &[9, 8]);
    assert_eq!(stands(&cas, 1, 8), Some(Announced(Rotated::Ca)));
    assert_eq!(stands(&cas, 1, 9), Some(Switched(Rotated::Ca)));
    assert_eq!(stands(&told(&[1], &[9]), 1, 9), Some(Settled));
}

#[test]
fn a_key_or_a_ca_that_hosts_were_not_told_of_is_no_state_to_go_on_from() {
    assert_eq!(stands(&told(&[2, 1], &[8]), 3, 8), None);
    assert_eq!(stands(&told(&[2], &[8]), 1, 8), None);
    assert_eq!(stands(&told(&[1], &[9, 8]), 1, 7), None);
    assert_eq!(stands(&told(&[1], &[9]), 1, 8), None);
}

#[test]
fn hosts_that_are_given_up_are_not_waited_for_and_others_are() {
    let [one, two] = ["web-1", "web-2"].map(|name| HostName::parse(name).unwrap());
    let both = vec![one.clone(), two.clone()];
    assert_eq!(
        all(both.clone(), std::slice::from_ref(&one)),
        Err(vec![two.clone()])
    );
    assert_eq!(all(both, &[two, one]), Ok(()));
    assert_eq!(all(Vec::new(), &[]), Ok(()));
}
