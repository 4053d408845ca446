//! What the fake key server does with a request: a closed list of ways to be wrong.

use std::io::{self, Write};

use crate::poll::POLL_INTERVAL;

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
    /// 200, and one byte of the body at a time, with a rest between them, for ever.
    Dripping,
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
            Self::Html => {
                let headers = ["content-type: text/html".to_owned()];
                answer(
                    stream,
                    200,
                    &headers,
                    b"<!doctype html><title>Welcome</title><h1>Please accept our terms</h1>",
                )
            }
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
            Self::Dripping => drip(stream, stopped),
            Self::Silent => {
                hold(stopped);
                Ok(())
            }
            Self::HangUp => Ok(()),
            Self::Garbage => stream.write_all(b"\0\x01\x02 not HTTP at all \xff\xfe\r\n\r\n"),
        }
    }
}

fn answer(stream: &mut impl Write, status: u16, headers: &[String], body: &[u8]) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status} Fake\r\n")?;
    for header in headers {
        write!(stream, "{header}\r\n")?;
    }
    write!(
        stream,
        "content-length: {}\r\nconnection: close\r\n\r\n",
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

fn drip(stream: &mut impl Write, stopped: &dyn Fn() -> bool) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")?;
    while !stopped() {
        stream.write_all(b"-")?;
        stream.flush()?;
        rest();
    }
    Ok(())
}

fn hold(stopped: &dyn Fn() -> bool) {
    while !stopped() {
        rest();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a slow server is slow by waiting; it ends with its fixture"
)]
fn rest() {
    std::thread::sleep(POLL_INTERVAL * 10);
}

fn chunk_of_zeros() -> Vec<u8> {
    let mut chunk = format!("{BLOCK_BYTES:x}\r\n").into_bytes();
    chunk.resize(chunk.len() + BLOCK_BYTES, 0);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// What is announced as the length of a body that no host may accept.
const TEN_GIBIBYTES: u64 = 10 << 30;
/// How much is written at a time.
const BLOCK_BYTES: usize = 16 << 10;
