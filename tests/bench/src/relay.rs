//! A line between a host and its key server that can be cut, as a network is and not as a process ends: nothing is refused and
//! nothing is closed, it is silent. What was open when it was cut stays silent for ever, as behind a router that has forgotten it.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// The line. It ends with the process.
#[derive(Debug, Clone)]
pub struct Relay {
    address: SocketAddr,
    /// How often it was cut or mended: it is whole while this is even.
    turns: Arc<AtomicU64>,
}

impl Relay {
    /// One to this address.
    ///
    /// # Errors
    /// When there is no port for it.
    pub fn to(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let relay = Self {
            address: listener.local_addr()?,
            turns: Arc::default(),
        };
        let turns = Arc::clone(&relay.turns);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let line = Line {
                    since: turns.load(Ordering::SeqCst),
                    turns: Arc::clone(&turns),
                };
                // Who is refused there is hung up on.
                let _ = line.open(stream, server);
            }
        });
        Ok(relay)
    }

    /// Its end on the host's side.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts it if it is whole, mends it if it is not.
    pub fn turn(&self) {
        self.turns.fetch_add(1, Ordering::SeqCst);
    }
}

/// One connection.
#[derive(Clone)]
struct Line {
    since: u64,
    turns: Arc<AtomicU64>,
}

impl Line {
    fn open(self, from: TcpStream, server: SocketAddr) -> io::Result<()> {
        let to = TcpStream::connect(server)?;
        for (reader, writer) in [(from.try_clone()?, to.try_clone()?), (to, from)] {
            let line = self.clone();
            thread::spawn(move || line.pass(reader, writer));
        }
        Ok(())
    }

    fn pass(&self, mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let count = from.read(&mut buffer)?;
            let is_whole =
                self.since.is_multiple_of(2) && self.turns.load(Ordering::SeqCst) == self.since;
            match (count, is_whole) {
                // One side has gone. The other thread has the socket of the other side open, which is not to know.
                (0, false) => return Ok(()),
                (_, false) => {}
                (0, true) => return to.shutdown(Shutdown::Write),
                (count, true) => to.write_all(buffer.get(..count).unwrap_or_default())?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// What comes back of what is sent; nothing where nothing comes within a moment.
    fn echo(stream: &mut TcpStream) -> Vec<u8> {
        let mut answer = [0; 2];
        stream.write_all(b"hi").unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        match stream.read(&mut answer) {
            Ok(count) => answer[..count].to_vec(),
            Err(_) => Vec::new(),
        }
    }

    #[test]
    fn a_line_that_was_cut_is_silent_for_ever_and_a_new_one_is_not() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Relay::to(server.local_addr().unwrap()).unwrap();
        thread::spawn(move || {
            for mut stream in server.incoming().flatten() {
                thread::spawn(move || {
                    let mut writer = stream.try_clone().unwrap();
                    io::copy(&mut stream, &mut writer)
                });
            }
        });
        let connect = || TcpStream::connect(relay.address()).unwrap();
        let mut old = connect();
        assert_eq!(echo(&mut old), b"hi");
        relay.turn();
        assert_eq!(echo(&mut old), b"");
        let mut meanwhile = connect();
        assert_eq!(echo(&mut meanwhile), b"");
        relay.turn();
        assert_eq!(echo(&mut old), b"");
        assert_eq!(echo(&mut connect()), b"hi");
    }
}
