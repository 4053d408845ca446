//! Requests for a snapshot, one after the other on each of a few connections that stay open.
//!
//! Bounded: by a number of seconds, and by a number of requests. Written on the bytes of HTTP/1.1 and not with a client
//! library, because load and server share the machine, and what the load costs is taken from the server. It reads only what
//! our own servers send: a `content-length`, no chunks.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What a run of the load has seen.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Requests answered.
    pub requests: u64,
    /// Of those, answers of another status than the one that was to come.
    pub unexpected: u64,
    /// How long it ran.
    pub seconds: f64,
    /// Bytes in the body of the last answer.
    pub body_bytes: usize,
    /// Half of the answers came within this time.
    pub p50_micros: u64,
    /// All but one in a hundred came within this time.
    pub p99_micros: u64,
}

/// Runs the load that the options describe: `--url`, `--ca`, and optionally `--certificate`, `--key`, `--etag`, `--seconds`,
/// `--connections`.
pub async fn run(options: BTreeMap<String, String>) -> Result<Report, Box<dyn Error>> {
    let plan = Arc::new(Plan::read(&options)?);
    let started = Instant::now();
    let mut connections = JoinSet::new();
    for _ in 0..plan.connections {
        connections.spawn(connection(Arc::clone(&plan)));
    }
    let mut report = Report::default();
    let mut times = Vec::new();
    while let Some(done) = connections.join_next().await {
        let seen = done?.map_err(|error| format!("a connection failed: {error}"))?;
        report.unexpected += seen.unexpected;
        report.body_bytes = seen.body_bytes;
        times.extend(seen.times);
    }
    report.seconds = started.elapsed().as_secs_f64();
    report.requests = times.len() as u64;
    times.sort_unstable();
    report.p50_micros = at(&times, 0.50);
    report.p99_micros = at(&times, 0.99);
    Ok(report)
}

struct Plan {
    address: String,
    tls: TlsConnector,
    request: Vec<u8>,
    expected: &'static [u8],
    duration: Duration,
    connections: usize,
}

impl Plan {
    fn read(options: &BTreeMap<String, String>) -> Result<Self, Box<dyn Error>> {
        let url = options.get("url").ok_or("--url is needed")?;
        let address = url
            .strip_prefix("https://")
            .ok_or("--url begins with https://")?;
        let number =
            |name: &str, default: usize| options.get(name).map_or(Ok(default), |text| text.parse());
        let condition = options
            .get("etag")
            .map(|etag| format!("if-none-match: {etag}\r\n"));
        let request = format!(
            "GET /v1/host/snapshot HTTP/1.1\r\nhost: {address}\r\n{}\r\n",
            condition.as_deref().unwrap_or("")
        );
        Ok(Self {
            address: address.to_owned(),
            tls: TlsConnector::from(Arc::new(tls(options)?)),
            request: request.into_bytes(),
            expected: if condition.is_some() {
                b"HTTP/1.1 304"
            } else {
                b"HTTP/1.1 200"
            },
            duration: Duration::from_secs(number("seconds", 2)?.min(MAX_SECONDS) as u64),
            connections: number("connections", 4)?.min(MAX_CONNECTIONS),
        })
    }
}

fn tls(options: &BTreeMap<String, String>) -> Result<ClientConfig, Box<dyn Error>> {
    let ca = std::fs::read(options.get("ca").ok_or("--ca is needed")?)?;
    let mut roots = RootCertStore::empty();
    roots.add(keyroster_edge::certificate_from_pem(&ca)?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(roots);
    let mut config = match (options.get("certificate"), options.get("key")) {
        (Some(certificate), Some(key)) => {
            let chain = keyroster_edge::certificates_from_pem(&std::fs::read(certificate)?)?;
            builder.with_client_auth_cert(
                chain,
                keyroster_edge::private_key_from_pem(&std::fs::read(key)?)?,
            )?
        }
        _ => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[derive(Default)]
struct Seen {
    times: Vec<u64>,
    unexpected: u64,
    body_bytes: usize,
}

type Failed = Box<dyn Error + Send + Sync>;

async fn connection(plan: Arc<Plan>) -> Result<Seen, Failed> {
    let socket = TcpStream::connect(&plan.address).await?;
    socket.set_nodelay(true)?;
    let mut stream = plan
        .tls
        .connect(ServerName::try_from("127.0.0.1")?, socket)
        .await?;
    let mut seen = Seen::default();
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    let started = Instant::now();
    while started.elapsed() < plan.duration && seen.times.len() < MAX_REQUESTS {
        let asked = Instant::now();
        stream.write_all(&plan.request).await?;
        let head = read_answer(&mut stream, &mut buffer).await?;
        seen.times
            .push(u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX));
        seen.unexpected += u64::from(!buffer.starts_with(plan.expected));
        seen.body_bytes = buffer.len() - head;
    }
    Ok(seen)
}

/// Reads one whole answer; returns the length of its head.
async fn read_answer(
    stream: &mut TlsStream<TcpStream>,
    buffer: &mut Vec<u8>,
) -> Result<usize, Failed> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err("the server hung up".into());
        }
        let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = head + 4;
        let text =
            String::from_utf8_lossy(buffer.get(..head).unwrap_or_default()).to_ascii_lowercase();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(Ok(0), |length| length.trim().parse())?;
        while buffer.len() < head + length {
            if stream.read_buf(buffer).await? == 0 {
                return Err("the server hung up in the middle of an answer".into());
            }
        }
        return Ok(head);
    }
}

fn at(sorted: &[u64], share: f64) -> u64 {
    let last = sorted.len().saturating_sub(1);
    sorted
        .get((last as f64 * share).round() as usize)
        .copied()
        .unwrap_or(0)
}

/// The most that a run may last, whatever it is told.
const MAX_SECONDS: usize = 60;
/// The most connections.
const MAX_CONNECTIONS: usize = 64;
/// The most requests on one connection.
const MAX_REQUESTS: usize = 1_000_000;
const BUFFER_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_of_nothing_is_nothing_and_of_one_is_that_one() {
        assert_eq!((at(&[], 0.99), at(&[7], 0.5), at(&[7], 0.99)), (0, 7, 7));
    }
}
