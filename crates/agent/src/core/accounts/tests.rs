use keyroster_api::digest::Tree;
use proptest::prelude::*;

use super::*;
use crate::testing::{any_account, snapshot};

/// By name, as a snapshot has them.
type Model = BTreeMap<String, Account>;

fn sorted(accounts: &Accounts) -> Vec<Account> {
    let mut all: Vec<_> = accounts.iter().map(Result::unwrap).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// A few names, so that changes meet; the keys distinct and in order.
fn account() -> impl Strategy<Value = Account> {
    (any_account(), 0..12_u8).prop_map(|(mut account, number)| {
        account.name = format!("user{number}");
        account
            .keys
            .sort_by(|a, b| (&a.algorithm, &a.blob).cmp(&(&b.algorithm, &b.blob)));
        account
            .keys
            .dedup_by(|a, b| (&a.algorithm, &a.blob) == (&b.algorithm, &b.blob));
        account
    })
}

fn by_name(accounts: Vec<Account>) -> Model {
    accounts
        .into_iter()
        .map(|account| (account.name.clone(), account))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn accounts_after_changes_are_the_accounts_of_a_snapshot_read_anew(
        before in proptest::collection::vec(account(), 0..12),
        changes in proptest::collection::vec(proptest::collection::vec(account(), 0..4), 0..6),
    ) {
        let mut model = by_name(before);
        model.retain(|_, account| !account.keys.is_empty());
        let mut accounts = Accounts::of(model.values().cloned()).unwrap();
        for change in changes {
            let change = by_name(change);
            let old = (accounts.clone(), sorted(&accounts));
            accounts = accounts.with(change.values().cloned().collect()).unwrap();
            prop_assert_eq!(sorted(&old.0), old.1, "what is read meanwhile stays");
            model.extend(change);
            model.retain(|_, account| !account.keys.is_empty());
        }
        let expected: Vec<_> = model.into_values().collect();
        prop_assert_eq!(accounts.len(), expected.len());
        prop_assert_eq!(accounts.digest(), Tree::of(&expected).root());
        for account in &expected {
            for key in &account.keys {
                let found = accounts.key(&account.name, &key.algorithm, &key.blob);
                prop_assert_eq!(found, Ok(Some(key.clone())));
            }
        }
        prop_assert_eq!(sorted(&accounts), expected);
    }
}

#[test]
fn an_account_that_is_not_there_has_no_keys() {
    let accounts = Accounts::of(snapshot(1, 1).accounts).unwrap();
    assert_eq!(accounts.key("root", "ssh-ed25519", "AAAA"), Ok(None));
    let gone = Account {
        name: "deploy".to_owned(),
        keys: Vec::new(),
    };
    let after = accounts.with(vec![gone]).unwrap();
    assert!(after.is_empty() && !accounts.is_empty());
}

#[test]
fn a_change_that_names_an_account_or_a_key_twice_is_refused() {
    let accounts = Accounts::default();
    let account = snapshot(1, 1).accounts.remove(0);
    let twice = vec![account.clone(), account.clone()];
    assert_eq!(accounts.with(twice).unwrap_err(), Unusable::AccountTwice);
    let mut keys = account;
    keys.keys.push(keys.keys[0].clone());
    assert_eq!(accounts.with(vec![keys]).unwrap_err(), Unusable::KeyTwice);
}
