use proptest::prelude::*;

use super::*;
use crate::testing::{NOW, Reading, account, any_grant, any_roster, blob, grant_id, host_id};
use crate::{Effect, Terms};

/// The decision, without what names a grant.
fn outcome(resolution: &Resolution) -> Result<Terms, String> {
    match &resolution.decision {
        Decision::Allow(permit) => Ok(permit.terms().clone()),
        Decision::Deny(DenyReason::GrantDenies { .. }) => Err("a grant denies".into()),
        Decision::Deny(reason) => Err(reason.to_string()),
    }
}

proptest! {
    #[test]
    fn adding_a_denial_never_lets_anyone_in(roster in any_roster(), grant in any_grant()) {
        let mut stricter = roster.clone();
        stricter.add_grant(Grant { id: grant_id(100), effect: Effect::Deny, ..grant });
        for number in 1..=6 {
            let ask = |roster| resolve(roster, &host_id(1), &account("deploy"), blob(number).fingerprint(), NOW).decision;
            if let Decision::Deny(_) = ask(&roster) {
                prop_assert!(matches!(ask(&stricter), Decision::Deny(_)));
            }
        }
    }

    #[test]
    fn adding_a_grant_never_widens_what_is_allowed(roster in any_roster(), grant in any_grant()) {
        let mut more = roster.clone();
        more.add_grant(Grant { id: grant_id(100), ..grant });
        for number in 1..=6 {
            let ask = |roster| resolve(roster, &host_id(1), &account("deploy"), blob(number).fingerprint(), NOW).decision;
            if let (Decision::Allow(before), Decision::Allow(after)) = (ask(&roster), ask(&more)) {
                let (before, after) = (Reading::of(before.terms()), Reading::of(after.terms()));
                prop_assert_eq!(after.beyond(&before), Vec::<String>::new());
            }
        }
    }

    #[test]
    fn the_order_of_adding_changes_nothing(roster in any_roster(), shift in 1_u32..20) {
        let mut other = Roster { grants: std::collections::BTreeMap::new(), ..roster.clone() };
        for (at, grant) in (0_u32..).zip(roster.grants.values()) {
            other.add_grant(Grant { id: grant_id((at * 7 + shift) % 19), ..grant.clone() });
        }
        prop_assert_eq!(other.grants.len(), roster.grants.len());
        for number in 1..=6 {
            let ask = |roster| resolve(roster, &host_id(1), &account("deploy"), blob(number).fingerprint(), NOW);
            prop_assert_eq!(outcome(&ask(&roster)), outcome(&ask(&other)));
        }
    }
}
