//! Every verb against a real key server: what it says when it succeeds and when it is refused, as people and as programs see it.

mod audit;
mod configuration;
mod explain;
mod grants;
mod groups;
mod hosts;
mod keys;
mod login;
mod output;
mod prompt;
mod receipts;
mod refusals;
mod terminal;
mod tokens;
mod users;
mod waiting;
