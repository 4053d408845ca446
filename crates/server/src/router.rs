//! Every route, and who may take it.
//!
//! One function on one screen. A route stands in the group of those who may take it; the group puts the check in front of it
//! and the words about it into the OpenAPI document, so that no route is without a check and none is missing there.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use keyroster_api::token::Role;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth;
use crate::guard;
use crate::handlers::{
    audit, enroll, enrolment_tokens, explain, grants, groups, host, host_groups, hosts, keys,
    service, tokens, users,
};
use crate::limits::MAX_BODY_BYTES;
use crate::openapi::{self, Access};

/// The routes, by who may take them.
fn routes() -> [(Access, Effect, OpenApiRouter<App>); 7] {
    let anybody = OpenApiRouter::new()
        .routes(routes!(service::healthz))
        .routes(routes!(service::readyz))
        .routes(routes!(service::show_ca))
        .routes(routes!(service::show_openapi));
    let enrolling = OpenApiRouter::new().routes(routes!(enroll::enroll));
    let polling = OpenApiRouter::new().routes(routes!(host::snapshot));
    let renewing = OpenApiRouter::new().routes(routes!(host::renew_certificate));
    let auditors = OpenApiRouter::new()
        .routes(routes!(service::metrics))
        .routes(routes!(tokens::whoami))
        .routes(routes!(tokens::list_tokens))
        .routes(routes!(users::list_users))
        .routes(routes!(users::show_user))
        .routes(routes!(keys::list_keys))
        .routes(routes!(keys::list_user_keys))
        .routes(routes!(keys::show_key))
        .routes(routes!(groups::list_groups))
        .routes(routes!(groups::show_group))
        .routes(routes!(hosts::list_hosts))
        .routes(routes!(hosts::show_host))
        .routes(routes!(host_groups::list_host_groups))
        .routes(routes!(host_groups::show_host_group))
        .routes(routes!(grants::list_grants))
        .routes(routes!(grants::show_grant))
        .routes(routes!(enrolment_tokens::list_enrolment_tokens))
        .routes(routes!(audit::list_events))
        .routes(routes!(audit::show_head))
        .routes(routes!(explain::explain));
    let officers = OpenApiRouter::new()
        .routes(routes!(users::change_user))
        .routes(routes!(keys::revoke_key))
        .routes(routes!(grants::revoke_grant))
        .routes(routes!(tokens::revoke_token));
    let admins = OpenApiRouter::new()
        .routes(routes!(users::add_user))
        .routes(routes!(keys::add_key))
        .routes(routes!(groups::add_group))
        .routes(routes!(groups::delete_group))
        .routes(routes!(
            groups::add_group_member,
            groups::remove_group_member
        ))
        .routes(routes!(hosts::remove_host))
        .routes(routes!(host_groups::add_host_group))
        .routes(routes!(host_groups::delete_host_group))
        .routes(routes!(
            host_groups::add_host_to_group,
            host_groups::remove_host_from_group
        ))
        .routes(routes!(grants::add_grant))
        .routes(routes!(enrolment_tokens::add_enrolment_token))
        .routes(routes!(tokens::add_token));
    [
        (Access::Anybody, Effect::Reads, anybody),
        (Access::EnrolmentToken, Effect::Writes, enrolling),
        (Access::HostCertificate, Effect::Reads, polling),
        (Access::HostCertificate, Effect::Writes, renewing),
        (Access::Bearer(Role::Auditor), Effect::Reads, auditors),
        (Access::Bearer(Role::Officer), Effect::Writes, officers),
        (Access::Bearer(Role::Admin), Effect::Writes, admins),
    ]
}

/// Whether a route changes the roster.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Reads,
    Writes,
}

/// The whole service.
pub fn router(app: &App) -> Router {
    let mut router = Router::new();
    for (access, effect, group) in routes() {
        let (mut group, _) = group.split_for_parts();
        if effect == Effect::Writes {
            group = group.route_layer(from_fn_with_state(app.clone(), auth::publish));
        }
        // The one added last stands in front: who it is comes before anything else. Hosts and enrolment tokens are read
        // by the handlers, which can do nothing without what is in them.
        if let Access::Bearer(role) = access {
            group = group.route_layer(from_fn_with_state((app.clone(), role), auth::require));
        }
        router = router.merge(group);
    }
    router
        .fallback(guard::no_such_path)
        .method_not_allowed_fallback(guard::not_this_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(app.clone(), guard::guard))
        .with_state(app.clone())
}

/// The OpenAPI document of the same routes.
#[must_use]
pub fn document() -> OpenApi {
    let mut document = openapi::head();
    for (access, _, group) in routes() {
        let (_, mut part) = group.split_for_parts();
        openapi::stamp(&mut part, access);
        document.merge(part);
    }
    document
}
