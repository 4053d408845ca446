//! The host agent's fail rules, checked in every state that they can come to.
//!
//! `world` is what there is, `machine`, `host_steps`, `questions` and `writing` are what
//! can happen, `rules` calls the host agent's own code for
//! each decision, `claims` is what must hold, and `explore` visits every state, which `packed` keeps small. `apart` visits
//! two hosts at once, one after the other. What that proves, and what it takes for
//! granted, stands in `docs/model.md`.

#![cfg(test)]

mod apart;
mod claims;
mod clocks;
mod documents;
mod explore;
mod fail_rules;
mod host_steps;
mod machine;
mod mutants;
mod packed;
mod questions;
mod rules;
mod world;
mod writing;
