//! Lists come in pages that neither repeat nor miss anything.

use std::collections::BTreeSet;

use keyroster_store::{GrantFilter, Limit};

use crate::fixture::Fixture;
use crate::model::*;
use crate::on_both;

const TWO: u32 = 2;

/// Reads a whole list in pages of two, and adds something between pages.
macro_rules! read_all {
    ($fixture:ident, $verb:ident($($filter:expr)?), $key:expr, $between:expr) => {{
        let mut keys = Vec::new();
        let mut after = None;
        for page_number in 0.. {
            let mut reader = $fixture.store.read().await.unwrap();
            let page = reader.$verb($($filter,)? after.as_ref(), Limit::new(TWO).unwrap()).await.unwrap();
            drop(reader);
            assert!(page.items.len() <= 2);
            keys.extend(page.items.iter().map($key));
            match page.next {
                None => break,
                next => after = next,
            }
            $between(page_number).await;
        }
        keys
    }};
}

on_both! {
    async fn users_added_between_pages_neither_repeat_nor_hide_others(fixture: Fixture) {
        let there: BTreeSet<_> = ["b", "d", "f", "h", "k"].map(user_name).into();
        for name in &there {
            fixture.add_person(name.as_str()).await;
        }
        let added = ["a", "e1", "z"];
        let listed = read_all!(fixture, users(), |user| user.name.clone(), async |page: usize| {
            if let Some(name) = added.get(page) {
                fixture.add_person(name).await;
            }
        });
        assert_eq!(listed.iter().collect::<BTreeSet<_>>().len(), listed.len(), "nothing twice");
        let seen: BTreeSet<_> = listed.into_iter().collect();
        assert!(there.is_subset(&seen), "{seen:?}");
    }

    async fn every_list_is_whole_in_pages_as_in_one(fixture: Fixture) {
        fixture.add_host_group("web").await;
        for number in 1..=5_u8 {
            let name = format!("n{number}");
            fixture.add_person(&name).await;
            fixture.add_key(&name, number).await;
            fixture.add_key("n1", 100 + number).await;
            fixture.add_group(&name, &["n1", &name]).await;
            fixture.add_host_group(&name).await;
            fixture.add_host(number.into(), &name).await;
            let _ = fixture.write().add_host_to_group(&group_name("web"), &host_id(number.into())).await.unwrap();
            fixture.add_grant(number.into(), for_user(&name), on_host(number.into())).await;
        }
        let all = GrantFilter::default();
        let n1 = user_name("n1");
        let nothing = async |_: usize| {};
        let mut reader = fixture.store.read().await.unwrap();
        let max = Limit::MAX;
        let users = read_all!(fixture, users(), Clone::clone, nothing);
        assert_eq!(users, reader.users(None, max).await.unwrap().items);
        let keys = read_all!(fixture, keys(None), Clone::clone, nothing);
        assert_eq!(keys, reader.keys(None, None, max).await.unwrap().items);
        assert_eq!(keys.len(), 10);
        let keys = read_all!(fixture, keys(Some(&n1)), Clone::clone, nothing);
        assert_eq!(keys, reader.keys(Some(&n1), None, max).await.unwrap().items);
        assert_eq!(keys.len(), 6);
        let groups = read_all!(fixture, groups(), Clone::clone, nothing);
        assert_eq!(groups, reader.groups(None, max).await.unwrap().items);
        assert!(groups.iter().all(|group| group.members.contains(&n1)));
        let hosts = read_all!(fixture, hosts(), Clone::clone, nothing);
        assert_eq!(hosts, reader.hosts(None, max).await.unwrap().items);
        assert!(hosts.iter().all(|host| host.groups.len() == 2), "{hosts:?}");
        let host_groups = read_all!(fixture, host_groups(), Clone::clone, nothing);
        assert_eq!(host_groups, reader.host_groups(None, max).await.unwrap().items);
        let grants = read_all!(fixture, grants(&all), Clone::clone, nothing);
        assert_eq!(grants, reader.grants(&all, None, max).await.unwrap().items);
        let tokens = read_all!(fixture, enrolment_tokens(), Clone::clone, nothing);
        assert_eq!(tokens, reader.enrolment_tokens(None, max).await.unwrap().items);
        assert_eq!(tokens.len(), 5);
    }
}
