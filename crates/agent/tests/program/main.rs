//! The program itself, against a key server that does as it is told.

mod daemon;
mod lookup_once;
mod support;
mod updates;
