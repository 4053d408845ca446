//! Lists are paged by cursor.

use std::collections::BTreeSet;

use keyroster_api::paths;
use serde_json::json;

use crate::fixture::Fixture;

/// All names of a list, page by page.
async fn walk(fixture: &Fixture, path: &str, limit: u32) -> (Vec<String>, usize) {
    let (mut names, mut pages, mut cursor) = (Vec::new(), 0, None::<String>);
    loop {
        let query = cursor
            .as_ref()
            .map(|cursor| format!("&cursor={cursor}"))
            .unwrap_or_default();
        let page = fixture
            .get(&format!("{path}?limit={limit}{query}"))
            .await
            .json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit as usize);
        names.extend(
            items
                .iter()
                .map(|item| item["name"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return (names, pages),
        }
    }
}

#[tokio::test]
async fn a_list_read_page_by_page_has_every_item_once_and_in_order() {
    let fixture = Fixture::start().await;
    let expected: Vec<String> = (0..7).map(|number| format!("user-{number}")).collect();
    for name in &expected {
        fixture.add_user(name).await;
    }
    for (limit, pages) in [(1, 7), (3, 3), (7, 1), (1000, 1)] {
        assert_eq!(
            walk(&fixture, paths::USERS, limit).await,
            (expected.clone(), pages),
            "{limit}"
        );
    }
}

#[tokio::test]
async fn what_is_added_meanwhile_neither_repeats_nor_hides_an_item() {
    let fixture = Fixture::start().await;
    for name in ["b", "d", "f"] {
        assert_eq!(
            fixture
                .post(paths::GROUPS, json!({ "name": name }))
                .await
                .status,
            201
        );
    }
    let first = fixture.get("/v1/groups?limit=2").await.json();
    for name in ["a", "c", "e"] {
        assert_eq!(
            fixture
                .post(paths::GROUPS, json!({ "name": name }))
                .await
                .status,
            201
        );
    }
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = fixture
        .get(&format!("/v1/groups?limit=9&cursor={cursor}"))
        .await
        .json();
    let names: Vec<&str> = [&first, &second]
        .into_iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|group| group["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["b", "d", "e", "f"]);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}

#[tokio::test]
async fn a_cursor_of_one_list_is_refused_by_another() {
    let fixture = Fixture::start().await;
    for name in ["a@x", "b@x"] {
        fixture.add_user(name).await;
    }
    let page = fixture.get("/v1/users?limit=1").await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    for path in [
        paths::GROUPS,
        paths::KEYS,
        paths::GRANTS,
        paths::HOSTS,
        paths::AUDIT_EVENTS,
    ] {
        assert_eq!(
            fixture
                .get(&format!("{path}?cursor={cursor}"))
                .await
                .problem(),
            "invalid-value",
            "{path}"
        );
    }
}
