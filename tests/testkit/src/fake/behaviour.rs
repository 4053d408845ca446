//! What the fake key server does with a request: a closed list of ways to be wrong.

use std::io::{self, Write};
use std::time::Duration;

use crate::fake::Voucher;

/// What is done with each request.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// A whole answer, as a sound server would send it: status, further header lines, body.
    Answer {
        /// Such as 200 or 503.
        status: u16,
        /// `name: value` lines.
        headers: Vec<String>,
        /// The body; its length is announced.
        body: Vec<u8>,
    },
    /// 200 with a web page, as a captive portal or a proxy would send.
    Html,
    /// 302 to this URL.
    Redirect(String),
    /// 200, chunked, and no end: zeros as fast as they are read.
    Endless,
    /// 200 with a `content-length` of ten gibibytes, and then zeros as fast as they are read.
    TenGibibytes,
    /// 200 with these bytes, but twice as many announced; then the connection is closed.
    Truncated(Vec<u8>),
    /// Header lines without end.
    EndlessHeaders,
    /// 200, and one byte of the body a second, for ever.
    Dripping,
    /// 200, and then one byte of a header line a second, for ever.
    DrippingHeaders,
    /// The same as [`Behaviour::Answer`] with status 200, and then the connection stays open and whatever comes on it is
    /// swallowed: as when a router forgot it while it was idle.
    HalfOpen {
        /// `name: value` lines.
        headers: Vec<String>,
        /// The body.
        body: Vec<u8>,
    },
    /// This, with a heartbeat for the question among its headers if it is a whole answer.
    Vouched(Box<Self>, Voucher),
    /// The request is read, and nothing follows.
    Silent,
    /// The request is read, and the connection is closed.
    HangUp,
    /// Bytes that are no HTTP.
    Garbage,
}

impl Behaviour {
    /// An answer of this status with nothing in it.
    pub fn status(status: u16) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// An answer of this status with a `application/problem+json` body.
    pub fn problem(status: u16, json: &str) -> Self {
        let headers = vec!["content-type: application/problem+json".to_owned()];
        Self::Answer {
            status,
            headers,
            body: json.as_bytes().to_vec(),
        }
    }

    /// The same, with a heartbeat for each question.
    #[must_use]
    pub fn vouched(self, voucher: Voucher) -> Self {
        Self::Vouched(Box::new(self), voucher)
    }

    /// What is done with the request that has this head: heartbeats answer one question each.
    pub(crate) fn to(self, head: &str) -> Self {
        let Self::Vouched(behaviour, voucher) = self else {
            return self;
        };
        let mut behaviour = behaviour.to(head);
        if let Self::Answer { headers, .. } | Self::HalfOpen { headers, .. } = &mut behaviour {
            headers.extend(voucher.header(head));
        }
        behaviour
    }

    /// Writes the answer. An error means that the client has gone, which ends every endless one.
    pub(crate) fn perform(
        &self,
        stream: &mut impl Write,
        stopped: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        match self {
            Self::Answer {
                status,
                headers,
                body,
            } => answer(stream, *status, headers, body),
            Self::Html => answer(stream, 200, &["content-type: text/html".to_owned()], PORTAL),
            Self::Redirect(url) => answer(stream, 302, &[format!("location: {url}")], b""),
            Self::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
                repeat(stream, &chunk_of_zeros(), stopped)
            }
            Self::TenGibibytes => {
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-length: {TEN_GIBIBYTES}\r\n\r\n"
                )?;
                repeat(stream, &[0; BLOCK_BYTES], stopped)
            }
            Self::Truncated(bytes) => {
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                    bytes.len() * 2 + 1
                )?;
                stream.write_all(bytes)
            }
            Self::EndlessHeaders => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
                repeat(stream, b"x-and-another: header line of no use\r\n", stopped)
            }
            Self::Dripping => drip(stream, "content-length: 1000000\r\n\r\n", stopped),
            Self::DrippingHeaders => drip(stream, "x-slow: ", stopped),
            Self::HalfOpen { headers, body } => {
                whole(stream, (200, "keep-alive"), headers, body)?;
                hold(stopped)
            }
            Self::Vouched(behaviour, _) => behaviour.perform(stream, stopped),
            Self::Silent => hold(stopped),
            Self::HangUp => Ok(()),
            Self::Garbage => stream.write_all(b"\0\x01\x02 not HTTP at all \xff\xfe\r\n\r\n"),
        }
    }
}

fn answer(stream: &mut impl Write, status: u16, headers: &[String], body: &[u8]) -> io::Result<()> {
    whole(stream, (status, "close"), headers, body)
}

fn whole(
    stream: &mut impl Write,
    (status, connection): (u16, &str),
    headers: &[String],
    body: &[u8],
) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status} Fake\r\n")?;
    for header in headers {
        write!(stream, "{header}\r\n")?;
    }
    write!(
        stream,
        "content-length: {}\r\nconnection: {connection}\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)?;
    stream.flush()
}

fn repeat(stream: &mut impl Write, block: &[u8], stopped: &dyn Fn() -> bool) -> io::Result<()> {
    while !stopped() {
        stream.write_all(block)?;
    }
    Ok(())
}

fn drip(stream: &mut impl Write, start: &str, stopped: &dyn Fn() -> bool) -> io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\n{start}")?;
    while !stopped() {
        stream.write_all(b"-")?;
        stream.flush()?;
        for _ in 0..RESTS_A_DROP {
            if !stopped() {
                rest();
            }
        }
    }
    Ok(())
}

fn hold(stopped: &dyn Fn() -> bool) -> io::Result<()> {
    while !stopped() {
        rest();
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a slow server is slow by waiting; it ends with its fixture"
)]
fn rest() {
    std::thread::sleep(REST);
}

fn chunk_of_zeros() -> Vec<u8> {
    let mut chunk = format!("{BLOCK_BYTES:x}\r\n").into_bytes();
    chunk.resize(chunk.len() + BLOCK_BYTES, 0);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// What a captive portal says.
const PORTAL: &[u8] = b"<!doctype html><title>Welcome</title><h1>Please accept our terms</h1>";
/// What is announced as the length of a body that no host may accept.
const TEN_GIBIBYTES: u64 = 10 << 30;
/// How long a slow server rests before it looks whether it is to end.
const REST: Duration = Duration::from_millis(50);
/// How often it rests after each byte: a second in all.
const RESTS_A_DROP: u32 = 20;
/// How much is written at a time.
const BLOCK_BYTES: usize = 16 << 10;
