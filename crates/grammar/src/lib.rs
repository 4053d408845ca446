//! Lines of `authorized_keys` and of principals, as sshd reads them, as a typed tree.
//!
//! A crate of its own, on `std` alone, because the program that sshd runs at every login links it: that program and the
//! key server must not have two opinions of what a line means. `ssh-key` has a parser for such lines too; it takes a line
//! feed inside a comment, which prints as a second key, and refuses much that sshd takes.
//!
//! The modules follow the units of the text, smallest first: [`value`], [`options`], [`key`], [`line`](mod@line). Each
//! refusal has a reason and a place. What sshd really does with each form is held by the compliance tests in
//! `tests/openssh`.
//!
//! ```
//! use keyroster_grammar::parse_line;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let line = b"pty,restrict,command=\"id\" ssh-ed25519 \
//!     AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB a\x1bb";
//! let key = parse_line(line)?.ok_or("a blank line")?;
//! assert!(!key.options.permissions.pty);
//! assert!(key.render()?.starts_with("restrict,command=\"id\" ssh-ed25519 AAAA"));
//! assert!(key.render()?.ends_with(" a_b"));
//! # Ok(())
//! # }
//! ```

pub mod algorithm;
pub mod base64;
pub mod comment;
pub mod error;
pub mod expiry;
pub mod from;
pub mod key;
pub mod line;
pub mod options;
pub mod permit;
pub mod principals;
pub mod provider;
pub mod value;

mod address;
mod cursor;
mod number;
mod options_parse;

pub use algorithm::Algorithm;
pub use comment::{Comment, CommentError};
pub use error::{KeyReason, LineError, LineReason, OptionError, OptionReason, RenderError};
pub use expiry::CivilTime;
pub use from::FromPatterns;
pub use key::LineKey;
pub use line::{AuthorizedKey, MAX_LINE_BYTES, parse_line};
pub use options::{EnvironmentSetting, KeyOptions, Permissions, Tunnel};
pub use permit::{Permit, Port};
pub use principals::{AuthorizedPrincipal, Principal, parse_principal_line};
pub use value::OptionValue;
