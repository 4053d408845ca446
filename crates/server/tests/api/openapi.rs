//! The OpenAPI document: of the very routes that are served, and committed as it is.

use std::collections::BTreeSet;

use axum::http::Method;
use keyroster_api::{ProblemKind, paths};
use keyroster_server::{openapi, router};
use serde_json::Value;

use crate::fixture::Fixture;

fn document() -> Value {
    serde_json::from_str(&openapi::to_json(&router::document()).unwrap()).unwrap()
}

#[test]
fn the_committed_document_is_what_the_code_says() {
    let committed = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/openapi.json"
    ))
    .unwrap();
    let current = openapi::to_json(&router::document()).unwrap();
    assert!(
        committed == current,
        "docs/openapi.json is out of date: `keyroster-server openapi > docs/openapi.json`"
    );
}

#[tokio::test]
async fn the_served_document_is_the_same() {
    let fixture = Fixture::start().await;
    let reply = fixture
        .call(Method::GET, paths::OPENAPI, None, Value::Null)
        .await;
    assert_eq!(reply.body, openapi::to_json(&router::document()).unwrap());
}

#[test]
fn every_path_of_the_api_is_in_the_document() {
    let source = include_str!("../../../api/src/paths.rs");
    let told: BTreeSet<String> = document()["paths"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    let constants = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub const "));
    let known: BTreeSet<String> = constants
        .filter_map(|line| line.split('"').nth(1))
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(told, known);
}

#[test]
fn every_operation_says_who_may_call_it_and_what_a_refusal_is() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(operation["security"].is_array(), "{place}");
            assert_eq!(
                operation["responses"]["default"]["$ref"], "#/components/responses/Problem",
                "{place}"
            );
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{place}"
            );
            assert!(
                !operation["summary"].as_str().unwrap_or_default().is_empty(),
                "{place}"
            );
        }
    }
}

#[test]
fn every_place_of_a_path_is_described_and_every_reference_leads_somewhere() {
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let parameters = operation["parameters"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            for place in path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            {
                assert!(
                    parameters
                        .iter()
                        .any(|it| it["name"] == place && it["in"] == "path"),
                    "{path}: {place}"
                );
            }
        }
    }
    for reference in references(&document) {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn every_kind_of_problem_is_in_the_document() {
    let text = document()["components"]["responses"]["Problem"]["description"]
        .as_str()
        .unwrap()
        .to_owned();
    for kind in ProblemKind::ALL {
        assert!(
            text.contains(&format!("urn:keyroster:problem:{}`", kind.slug())),
            "{}",
            kind.slug()
        );
    }
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(name, value)| match (name.as_str(), value) {
                ("$ref", Value::String(text)) => vec![text.clone()],
                _ => references(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
