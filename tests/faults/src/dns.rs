//! A name server that tells what it is told to, and a host agent that has no other.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;

use keyroster_testkit::{Failure, Result};

/// What the name server does with each question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// Nothing.
    Nothing,
    /// That there is no such name.
    NoSuchName,
    /// That the name is loopback.
    Loopback,
}

/// A name server on an address of loopback of its own.
pub(crate) struct NameServer {
    address: Ipv4Addr,
}

/// The key server's name; no other name server knows it.
pub(crate) const NAME: &str = "keys.faults.example";

impl NameServer {
    /// Starts one. Its thread ends with the test program: a datagram more or less harms nobody.
    pub(crate) fn start(says: Says) -> Result<Self> {
        for third in 1..=u8::MAX {
            let address = Ipv4Addr::new(127, 53, third, 1);
            if let Ok(socket) = UdpSocket::bind((address, DNS_PORT)) {
                std::thread::spawn(move || serve(&socket, says));
                return Ok(Self { address });
            }
        }
        Err(Failure::new("no address of loopback has its port 53 free"))
    }

    /// The script after which whoever is in its mount namespace asks this name server alone.
    pub(crate) fn believed(&self, dir: &Path) -> Result<String> {
        let path = dir.join("resolv.conf");
        std::fs::write(&path, format!("nameserver {}\n", self.address))
            .map_err(|error| Failure::io("write", &path, &error))?;
        Ok(format!(
            "mount --bind \"{}\" \"$(readlink -f /etc/resolv.conf)\"",
            path.display()
        ))
    }
}

fn serve(socket: &UdpSocket, says: Says) {
    let mut packet = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut packet) {
        let question = packet.get(..length).unwrap_or_default();
        if let Some(answer) = answer(question, says) {
            let _ = socket.send_to(&answer, from);
        }
    }
}

/// RFC 1035: the question back, with flags, and with one address when it asks for one.
fn answer(question: &[u8], says: Says) -> Option<Vec<u8>> {
    let id = question.get(..2)?;
    let name_end = 12 + question.get(12..)?.iter().position(|byte| *byte == 0)?;
    let asked = question.get(12..name_end + 5)?;
    let is_a = asked.ends_with(&[0, 1, 0, 1]);
    let (rcode, answers) = match says {
        Says::Nothing => return None,
        Says::NoSuchName => (3, 0),
        Says::Loopback => (0, u8::from(is_a)),
    };
    let mut bytes = id.to_vec();
    bytes.extend([0x81, 0x80 | rcode, 0, 1, 0, answers, 0, 0, 0, 0]);
    bytes.extend(asked);
    if answers == 1 {
        bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    Some(bytes)
}

const DNS_PORT: u16 = 53;
