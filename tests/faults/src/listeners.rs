//! Faults below HTTP: sockets that refuse, swallow or stall.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyroster_testkit::{Failure, Result};
use rustix::net::{AddressFamily, SocketAddrV4, SocketType};

/// An address of loopback at which nobody listens.
pub(crate) fn nobody() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(no_listener)?;
    listener.local_addr().map_err(no_listener)
}

/// A socket whose queue is full, so that the kernel drops whoever wants to connect: as behind a firewall that says nothing.
pub(crate) struct BlackHole {
    pub(crate) address: SocketAddr,
    _socket: rustix::fd::OwnedFd,
    _queue: Vec<TcpStream>,
}

impl BlackHole {
    pub(crate) fn open() -> Result<Self> {
        let failed = |error: rustix::io::Errno| no_listener(error.into());
        let socket =
            rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).map_err(failed)?;
        let any = SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0);
        rustix::net::bind(&socket, &any).map_err(failed)?;
        rustix::net::listen(&socket, 0).map_err(failed)?;
        let name = rustix::net::getsockname(&socket).map_err(failed)?;
        let address = SocketAddrV4::try_from(name).map_err(failed)?;
        let address = SocketAddr::V4(address);
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, FULL_AFTER) {
            queue.push(stream);
        }
        Ok(Self {
            address,
            _socket: socket,
            _queue: queue,
        })
    }
}

/// A listener with a thread for each connection; dropped, it accepts no more.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Listener {
    /// Treats each connection as `treat` says. The flag is up when it should end.
    pub(crate) fn start(
        treat: impl Fn(TcpStream, &AtomicBool) + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(no_listener)?;
        let address = listener.local_addr().map_err(no_listener)?;
        let stopped = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stopped);
        let treat = Arc::new(treat);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if flag.load(Ordering::Relaxed) {
                    return;
                }
                let (treat, flag) = (Arc::clone(&treat), Arc::clone(&flag));
                std::thread::spawn(move || treat(stream, &flag));
            }
        });
        Ok(Self { address, stopped })
    }

    /// Accepts, reads what comes, and says nothing.
    pub(crate) fn silent() -> Result<Self> {
        Self::start(|mut stream, _| {
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        })
    }

    /// Stands before the server at `behind` and lets this many bytes of its through; then says no more, or hangs up.
    pub(crate) fn before(behind: SocketAddr, bytes: u64, then: Then) -> Result<Self> {
        Self::start(move |client, _| {
            let _ = pass(client, behind, bytes, then);
        })
    }
}

/// What happens once enough bytes have passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Stall,
    HangUp,
}

fn pass(mut client: TcpStream, behind: SocketAddr, bytes: u64, then: Then) -> std::io::Result<()> {
    let mut server = TcpStream::connect(behind)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let mut left = bytes;
    let mut buffer = [0; 64];
    while left > 0 {
        let wanted = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let space = buffer.get_mut(..wanted).unwrap_or_default();
        let got = server.read(space)?;
        if got == 0 {
            break;
        }
        client.write_all(buffer.get(..got).unwrap_or_default())?;
        left -= got as u64;
    }
    if then == Then::HangUp {
        return client.shutdown(Shutdown::Both);
    }
    // The client ends it; what the server still says is swallowed.
    std::io::copy(&mut server, &mut std::io::sink()).map(drop)
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what map_err gives is taken")]
fn no_listener(error: std::io::Error) -> Failure {
    Failure::new(format!("cannot listen on loopback: {error}"))
}

/// A connection to loopback that takes longer is not going to be made.
const FULL_AFTER: Duration = Duration::from_millis(200);
