use proptest::prelude::*;

use super::*;
use crate::ForcedCommand;
use crate::testing::{Reading, any_from, any_options, from_list, options};

fn terms(texts: &[&str], command: Option<&str>) -> Terms {
    Terms {
        options: options(texts, command),
        from: None,
    }
}

fn merged(all: &[Terms]) -> Result<Terms, Conflict> {
    let parts: Vec<Part<'_>> = all.iter().map(Part::from).collect();
    let (first, rest) = parts.split_first().unwrap();
    merge(*first, rest)
}

fn merged_texts(all: &[Terms]) -> Vec<String> {
    merged(all).unwrap().options.texts()
}

#[test]
fn a_permission_is_given_only_by_all() {
    let all = [
        terms(&["agent-forwarding", "user-rc", "no-touch-required"], None),
        terms(
            &["no-pty", "user-rc", "X11-forwarding", "verify-required"],
            None,
        ),
    ];
    assert_eq!(merged_texts(&all), ["no-pty", "user-rc", "verify-required"]);
}

#[test]
fn one_command_binds_the_others_and_two_conflict() {
    let shell = terms(&[], None);
    let backup = terms(&["pty"], Some("backup"));
    let restore = terms(&["pty"], Some("restore"));
    let both = merged(&[shell, backup.clone()]).unwrap();
    assert_eq!(both.options.command().unwrap().as_str(), "backup");
    assert_eq!(merged(&[backup, restore]), Err(Conflict::Command));
}

#[test]
fn addresses_are_those_of_all_and_none_in_common_is_a_conflict() {
    let from = |texts: &[&str]| Terms {
        from: Some(from_list(texts)),
        ..terms(&[], None)
    };
    let anywhere = terms(&[], None);
    let office = from(&["10.0.0.0/8"]);
    let both = merged(&[
        anywhere,
        office.clone(),
        from(&["10.1.0.0/16", "192.0.2.0/24"]),
    ])
    .unwrap();
    assert_eq!(both.from, Some(from_list(&["10.1.0.0/16"])));
    assert_eq!(
        merged(&[office, from(&["192.0.2.0/24"])]),
        Err(Conflict::From)
    );
}

#[test]
fn a_limit_on_forwarding_binds_grants_that_have_none() {
    let free = terms(&["port-forwarding"], None);
    let limited = terms(
        &["port-forwarding", "permitopen=db:*", "permitlisten=80"],
        None,
    );
    let other = terms(&["port-forwarding", "permitopen=*:22"], None);
    assert_eq!(
        merged_texts(&[free, limited, other]),
        [
            "pty",
            "port-forwarding",
            "permitopen=db:22",
            "permitlisten=*:80"
        ]
    );
}

#[test]
fn limits_without_anything_in_common_shut_port_forwarding() {
    for option in ["permitopen", "permitlisten"] {
        let one = terms(&["port-forwarding", &format!("{option}=a:1")], None);
        let other = terms(&["port-forwarding", &format!("{option}=b:1")], None);
        let free = terms(&["port-forwarding"], None);
        assert_eq!(merged_texts(&[one, other, free]), ["pty"]);
    }
}

#[test]
fn a_limit_means_nothing_where_forwarding_is_shut() {
    let limited = terms(&["port-forwarding", "permitopen=db:22"], None);
    assert_eq!(merged_texts(&[limited, terms(&[], None)]), ["pty"]);
}

#[test]
fn variables_are_joined_and_two_values_conflict() {
    let all = [
        terms(&["environment=A=1"], None),
        terms(&["environment=B=2", "environment=A=1"], None),
    ];
    assert_eq!(
        merged_texts(&all),
        ["pty", "environment=A=1", "environment=B=2"]
    );
    let other = terms(&["environment=A=2"], None);
    assert_eq!(
        merged(&[all[0].clone(), other]),
        Err(Conflict::Environment { name: "A".into() })
    );
}

#[test]
fn one_tunnel_device_binds_the_others_and_two_conflict() {
    let one = terms(&["tunnel=1"], None);
    assert_eq!(
        merged_texts(&[terms(&[], None), one.clone()]),
        ["pty", "tunnel=1"]
    );
    assert_eq!(
        merged(&[one, terms(&["tunnel=any"], None)]),
        Err(Conflict::Tunnel)
    );
}

fn any_terms() -> impl Strategy<Value = Terms> {
    (any_options(), any_from()).prop_map(|(options, from)| Terms { options, from })
}

proptest! {
    #[test]
    fn merging_is_commutative(a in any_terms(), b in any_terms(), c in any_terms()) {
        let expected = merged(&[a.clone(), b.clone(), c.clone()]);
        prop_assert_eq!(&merged(&[c.clone(), a.clone(), b.clone()]), &expected);
        prop_assert_eq!(&merged(&[b, a, c]), &expected);
    }

    #[test]
    fn merging_is_associative(a in any_terms(), b in any_terms(), c in any_terms()) {
        let expected = merged(&[a.clone(), b.clone(), c.clone()]).ok();
        let left = merged(&[a.clone(), b.clone()]).and_then(|ab| merged(&[ab, c.clone()]));
        let right = merged(&[b, c]).and_then(|bc| merged(&[a, bc]));
        prop_assert_eq!(&left.ok(), &expected);
        prop_assert_eq!(&right.ok(), &expected);
    }

    #[test]
    fn merging_is_idempotent(a in any_terms(), b in any_terms()) {
        prop_assert_eq!(merged(&[a.clone(), a.clone()]), Ok(a.clone()));
        prop_assert_eq!(merged(&[a.clone(), b.clone(), a.clone(), b.clone()]), merged(&[a, b]));
    }

    #[test]
    fn what_is_merged_allows_nothing_that_a_part_forbids(a in any_terms(), b in any_terms()) {
        if let Ok(both) = merged(&[a.clone(), b.clone()]) {
            for part in [&a, &b] {
                prop_assert_eq!(Reading::of(&both).beyond(&Reading::of(part)), Vec::<String>::new());
                prop_assert!(part.options.environment().iter().all(|(n, v)| both.options.environment().get(n) == Some(v)));
            }
        }
    }

    #[test]
    fn what_all_parts_allow_is_still_allowed(a in any_terms(), b in any_terms()) {
        if let Ok(both) = merged(&[a.clone(), b.clone()]) {
            let shut = !both.options.allows(Permission::PortForwarding);
            let lost = Reading::of(&a).in_common(&Reading::of(&b)).beyond(&Reading::of(&both)).into_iter();
            let forwarding = |what: &String| what.starts_with("forward");
            prop_assert_eq!(lost.filter(|what| !(shut && forwarding(what))).collect::<Vec<_>>(), Vec::<String>::new());
        }
    }

    #[test]
    fn merged_options_are_written_and_read_back(a in any_terms(), b in any_terms()) {
        if let Ok(both) = merged(&[a, b]) {
            let texts = both.options.texts();
            let command = both.options.command().map(ForcedCommand::as_str);
            prop_assert_eq!(GrantOptions::parse(texts.iter().map(String::as_str), command), Ok(both.options));
        }
    }
}
