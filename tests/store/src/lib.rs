//! The store's conformance suite: every test runs on SQLite and on PostgreSQL.
//!
//! A test is written once, over a `fixture::Fixture`, and `on_both` makes two of it. There is no way to write one for a
//! single database but in the open, in `sqlite_only`, and there is no switch that leaves PostgreSQL out.

#![cfg(test)]

mod audit;
mod bearer_tokens;
mod certificates;
mod changes;
mod concerned;
mod concurrency;
mod corruption;
mod enrolment;
mod fixture;
mod grants;
mod groups;
mod host_groups;
mod host_keys;
mod host_reports;
mod hosts;
mod journal;
mod keys;
mod model;
mod opening;
mod paging;
mod plan;
mod receipts;
mod restore;
mod restore_groups;
mod revoked_keys;
mod slices;
mod sqlite_only;
mod step;
mod users;
mod writes;

/// Makes two tests of each function: one on each database.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($fixture:ident: $type:ty) $body:block)+) => {
        $(async fn $name($fixture: $type) $body)+

        mod sqlite {
            $($(#[$meta])* #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name($crate::fixture::Fixture::sqlite().await).await;
            })+
        }

        mod postgres {
            $($(#[$meta])* #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name($crate::fixture::Fixture::postgres().await).await;
            })+
        }
    };
}
use on_both;
