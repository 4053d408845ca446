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
    audit, enroll, enrolment_tokens, explain, grants, groups, host, host_groups, host_keys,
    host_reports, hosts, keys, receipts, revoked_keys, service, tokens, users,
};
use crate::limits::MAX_BODY_BYTES;
use crate::openapi::{self, Access};

/// Handlers with their paths and methods, which stand beside each handler.
macro_rules! group {
    ($($handler:path),+ $(,)?) => { OpenApiRouter::new()$(.routes(routes!($handler)))+ };
}

/// The routes, by who may take them.
#[expect(clippy::too_many_lines, reason = "every route stands in one place")]
fn routes() -> [(Access, Effect, OpenApiRouter<App>); 7] {
    let anybody = group![
        service::healthz,
        service::readyz,
        service::show_ca,
        service::show_openapi
    ];
    let enrolling = group![enroll::enroll];
    let polling = group![
        host::snapshot,
        host_keys::host_keys,
        revoked_keys::revoked_keys
    ];
    let telling = group![host::renew_certificate, host_reports::report];
    let auditors = group![
        service::metrics,
        tokens::whoami,
        tokens::list_tokens,
        users::list_users,
        users::show_user,
        keys::list_keys,
        keys::list_user_keys,
        keys::show_key,
        groups::list_groups,
        groups::show_group,
        hosts::list_hosts,
        hosts::show_host,
        host_groups::list_host_groups,
        host_groups::show_host_group,
        grants::list_grants,
        grants::show_grant,
        enrolment_tokens::list_enrolment_tokens,
        audit::list_events,
        audit::show_head,
        receipts::show_receipt,
        explain::explain,
    ];
    let officers = group![
        users::change_user,
        keys::revoke_key,
        grants::revoke_grant,
        tokens::revoke_token
    ];
    let admins = group![
        users::add_user,
        keys::add_key,
        groups::add_group,
        groups::delete_group,
        groups::add_group_member,
        groups::remove_group_member,
        hosts::remove_host,
        host_groups::add_host_group,
        host_groups::change_host_group,
        host_groups::delete_host_group,
        host_groups::add_host_to_group,
        host_groups::remove_host_from_group,
        grants::add_grant,
        enrolment_tokens::add_enrolment_token,
        tokens::add_token,
    ];
    [
        (Access::Anybody, Effect::Reads, anybody),
        (Access::EnrolmentToken, Effect::Writes, enrolling),
        (Access::HostCertificate, Effect::Reads, polling),
        (Access::HostCertificate, Effect::Writes, telling),
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
