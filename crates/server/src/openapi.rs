//! The OpenAPI document, apart from its routes.

use keyroster_api::ProblemKind;
use keyroster_api::problem::{self, Problem};
use keyroster_api::token::Role;
use utoipa::OpenApi as _;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, PathItem, Ref, RefOr, Response, ResponseBuilder};

use crate::auth;

/// Who may take a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody who reaches the server.
    Anybody,
    /// Whoever has an enrolment token; it stands in the body.
    EnrolmentToken,
    /// A host, by its client certificate.
    HostCertificate,
    /// Whoever has a bearer token with at least this role.
    Bearer(Role),
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "keyroster",
        description = "The key server's HTTP interface. Every refusal is a problem (RFC 9457)."
    ),
    components(schemas(Problem))
)]
struct Head;

/// The document without routes.
#[must_use]
pub fn head() -> OpenApi {
    let mut document = Head::openapi();
    let components = document.components.get_or_insert_default();
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("krt_ and 43 characters of base64url")
        .build();
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    components.add_security_scheme(
        HOST,
        SecurityScheme::MutualTls {
            description: Some("A host's client certificate".to_owned()),
            extensions: None,
            deprecated: None,
        },
    );
    components
        .responses
        .insert(PROBLEM.to_owned(), RefOr::T(problem_response()));
    document
}

/// Writes into every route of a group who may take it, and what a refusal looks like.
pub fn stamp(document: &mut OpenApi, access: Access) {
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        let requirement: SecurityRequirement = match access {
            Access::Anybody | Access::EnrolmentToken => SecurityRequirement::default(),
            Access::HostCertificate => SecurityRequirement::new(HOST, NO_ROLES),
            Access::Bearer(role) => SecurityRequirement::new(BEARER, [auth::word(role)]),
        };
        operation.security = Some(vec![requirement]);
        let refusal = Ref::from_response_name(PROBLEM);
        operation
            .responses
            .responses
            .insert("default".to_owned(), RefOr::Ref(refusal));
    }
}

/// The document as it is served and committed.
///
/// # Errors
/// Never in practice: the document has a JSON form.
pub fn to_json(document: &OpenApi) -> Result<String, serde_json::Error> {
    document.to_pretty_json().map(|text| text + "\n")
}

fn problem_response() -> Response {
    let kinds: Vec<String> = ProblemKind::ALL
        .iter()
        .map(|kind| {
            format!(
                "- {} `{}{}`: {}",
                kind.status(),
                problem::TYPE_PREFIX,
                kind.slug(),
                kind.title()
            )
        })
        .collect();
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    ResponseBuilder::new()
        .description(format!(
            "A refusal. Its `type` is one of\n\n{}",
            kinds.join("\n")
        ))
        .content(problem::CONTENT_TYPE, content)
        .build()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let methods = [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.patch,
        &mut item.delete,
    ];
    methods.into_iter().flatten()
}

const BEARER: &str = "bearer";
const HOST: &str = "host";
const PROBLEM: &str = "Problem";
const NO_ROLES: [&str; 0] = [];
