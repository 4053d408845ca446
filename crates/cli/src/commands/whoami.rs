//! `keyroster whoami`: whose token is used, and what it may do.

use keyroster_api::time;
use keyroster_api::token::Role;

use crate::failure::Result;
use crate::report::{People, Report};
use crate::session::Session;
use crate::table::Table;

pub(crate) async fn run(session: &Session) -> Result<Report> {
    let me = session.client()?.who_am_i().await?;
    let mut table = Table::object();
    table
        .row(["name", &me.name])
        .row(["role", role_text(me.role)])
        .row(["expires", &time::to_rfc3339(me.expires_at)]);
    Report::new(&me, People::Object(table))
}

/// A role as people and the API write it.
pub(crate) const fn role_text(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Officer => "officer",
        Role::Auditor => "auditor",
    }
}
