//! The protocol between the lookup and the host agent. **This page is its specification.**
//!
//! One connection carries one request and one response and is then closed by the side that answered. The same two frames
//! travel over the host agent's Unix socket and over the standard input and output of `keyroster-agent lookup-once`, so the
//! sources `agent` and `direct` share every line of this crate.
//!
//! The protocol is binary and not text or JSON because its reader runs before anybody has logged in, once for each key that a
//! stranger offers: a handful of bounds checks is all there is to get wrong, and all there is to pay for. Nothing here does
//! I/O except [`Request::read_from`], [`Response::read_from`] and their `write_to` counterparts, which are thin: programs that
//! poll use [`frame_len`] to learn how much to wait for, then decode the slice.
//!
//! # Frame
//!
//! Integers are unsigned and big endian. Offsets are in bytes from the beginning of the frame.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | magic: `KYRQ` opens a request, `KYRS` a response |
//! | 4 | 1 | version: [`VERSION`] |
//! | 5 | 1 | request: kind; response: answer |
//! | 6 | 4 | length of the body |
//! | 10 | length | body |
//!
//! A request is at most [`REQUEST_MAX`] bytes and a response at most [`RESPONSE_MAX`], header included. A length that would
//! exceed this is refused from the header alone, before anything is read or allocated. A body that ends early and a body
//! with bytes left over are both refused.
//!
//! # Request
//!
//! | kind | meaning | body |
//! |---|---|---|
//! | 1 | `keys`: the line for the offered key | question |
//! | 2 | `principals`: the principals lines for the offered certificate | question |
//! | 3 | `status`: how the host agent is | empty |
//!
//! A question:
//!
//! | size | field | cap, constant | content |
//! |---|---|---|---|
//! | 4 | uid of the account | | |
//! | 1 + n | account | [`ACCOUNT_MAX`] | text |
//! | 1 + n | key type, as sshd's `%t` | [`KEY_TYPE_MAX`] | token |
//! | 2 + n | key in base64, as sshd's `%k` | [`KEY_BASE64_MAX`] | token |
//! | 1 + n | fingerprint, as sshd's `%f` | [`FINGERPRINT_MAX`] | token |
//!
//! Each `n` stands in front of its field, in one or two bytes, and is at least 1. *Text* is UTF-8 without control characters
//! (below 0x20, and 0x7f). A *token* is printable ASCII without blanks. The account's own rules (`AccountName`) are the host
//! agent's to apply: a name that can have no grants is answered `none`.
//!
//! A certificate is sent whole, in the key's field: its key id, serial and CA are read from it by the side that
//! decides, and so can't disagree with it.
//!
//! # Response
//!
//! | answer | meaning |
//! |---|---|
//! | 0 | `found`: one line or more |
//! | 1 | `none`: an authoritative no |
//! | 2 | `unavailable`: it could not be decided |
//!
//! | size | field | content |
//! |---|---|---|
//! | 8 | epoch | of the snapshot that decided; 0 when none is held |
//! | 8 | revision | likewise |
//! | 8 | staleness | milliseconds since the server last confirmed the snapshot; all bits set: not known |
//! | 1 | reason | see [`Reason`] |
//! | 2 | count of lines | at most [`LINES_MAX`] |
//! | 2 + n, each | line | text of 1 to [`LINE_MAX`] bytes, without a newline |
//!
//! `found` comes with at least one line, the other two with none; anything else is refused. A response to `keys` has
//! exactly one line; the lookup checks that line again before printing it. A response to `status` is `found` with lines of
//! the form `name value`, split at the first blank: readers ignore names that they do not know.
//!
//! The reason is for logs and for people. Nobody decides by it: a reader that meets an unknown one goes by the answer.
//!
//! # Versions
//!
//! The version stands at the same offset in every version there will be, and nothing is negotiated. A reader refuses a
//! version other than its own; a host agent that is sent one answers `unavailable` with [`Reason::BadRequest`] in its own version
//! and closes. Both programs come from one package, so the two meet different versions only in the moments of an
//! upgrade, in which the answer is then `unavailable` and never a wrong one. Any change to these tables raises the
//! version, except a new reason.
//!
//! # Notices
//!
//! A frame of the same form, with the magic `KYRN`, is what the host agent tells the program that ends sessions: see [`Notice`].
//!
//! # Reports
//!
//! What happened on the host and is for the key server to know lies in files: see [`Report`].
//!
//! # Who is at the other end
//!
//! Nothing in a frame authenticates anybody. Both sides ask the kernel who their peer is (`SO_PEERCRED`) and check where the
//! socket lies before they send or believe a byte.

mod bytes;
mod error;
mod frame;
mod notice;
mod reason;
mod report;
mod request;
mod response;

pub use error::{DecodeError, EncodeError, Field, ReadError};
pub use frame::{FrameKind, HEADER_LEN, NOTICE_MAX, REQUEST_MAX, RESPONSE_MAX, VERSION, frame_len};
pub use notice::{FINGERPRINT_LEN, FINGERPRINTS_MAX, Notice};
pub use reason::Reason;
pub use report::{
    REPORT_MAX, REPORTS_DIR, REPORTS_MAX, REPORTS_RUN_DIR, Report, ReportId, ReportIdError,
    ReportKind,
};
pub use request::{ACCOUNT_MAX, FINGERPRINT_MAX, KEY_BASE64_MAX, KEY_TYPE_MAX, Question, Request};
pub use response::{Answer, LINE_MAX, LINES_MAX, Response};
