use std::collections::BTreeSet;
use std::fmt;

use crate::ModelError;

/// One `host:port` of a `permitopen` or `permitlisten`: each side is one literal or any.
///
/// sshd compares the host as text, byte for byte, with no pattern but a lone `*`; so do we.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Forward {
    /// The host; `None` is any.
    host: Option<Box<str>>,
    /// The port; `None` is any.
    port: Option<u16>,
}

impl Forward {
    /// Reads `host:port`, `[ipv6]:port`; `*` stands for any host or any port.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let refused = || ModelError::Option {
            option: text.into(),
            rule: "write host:port with one literal host and one port, or * in place of either",
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
        let host = match host.strip_prefix('[').map(|inner| inner.strip_suffix(']')) {
            Some(Some(address)) if is_literal_host(address, true) => Some(address.into()),
            None if host == ANY => None,
            None if is_literal_host(host, false) => Some(host.into()),
            _ => return Err(refused()),
        };
        let port = match port {
            ANY => None,
            digits => Some(port_number(digits).ok_or_else(refused)?),
        };
        Ok(Self { host, port })
    }

    /// Reads what `permitlisten` takes besides: a port alone, on any address.
    pub fn parse_listen(text: &str) -> Result<Self, ModelError> {
        match port_number(text) {
            Some(port) => Ok(Self {
                host: None,
                port: Some(port),
            }),
            None => Self::parse(text),
        }
    }

    /// The host, `None` for any.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The port, `None` for any.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether a forwarding to (or a listener on) exactly this host and port is within the rule.
    pub fn covers(&self, host: &str, port: u16) -> bool {
        self.host().is_none_or(|own| own == host) && self.port.is_none_or(|own| own == port)
    }

    fn intersect(&self, other: &Self) -> Option<Self> {
        Some(Self {
            host: narrower(&self.host, &other.host)?,
            port: narrower(&self.port, &other.port)?,
        })
    }
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host() {
            None => f.write_str(ANY)?,
            Some(address) if address.contains(':') => write!(f, "[{address}]")?,
            Some(host) => f.write_str(host)?,
        }
        match self.port {
            None => write!(f, ":{ANY}"),
            Some(port) => write!(f, ":{port}"),
        }
    }
}

/// What a forwarding is limited to: sorted, none inside another, never empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForwardList(Vec<Forward>);

impl ForwardList {
    /// Takes up to [`MAX_FORWARDS`] limits; `None` of none.
    pub fn new(forwards: Vec<Forward>) -> Result<Option<Self>, ModelError> {
        if forwards.len() > MAX_FORWARDS {
            return Err(ModelError::TooMany {
                what: "list of forwardings",
                count: forwards.len(),
                max: MAX_FORWARDS,
            });
        }
        Ok(Self::widest(forwards.into_iter().collect()))
    }

    /// The limits, in order.
    pub fn forwards(&self) -> &[Forward] {
        &self.0
    }

    /// Whether exactly this host and port is within one of the limits.
    pub fn covers(&self, host: &str, port: u16) -> bool {
        self.0.iter().any(|forward| forward.covers(host, port))
    }

    /// What is within both lists; `None` where nothing is. `host:*` and `*:22` meet in `host:22`.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        Self::widest(
            self.0
                .iter()
                .flat_map(|a| other.0.iter().filter_map(|b| a.intersect(b)))
                .collect(),
        )
    }

    /// Keeps the limits that lie in no other. What a limit lies in is found by name, so that a long list stays cheap.
    fn widest(forwards: BTreeSet<Forward>) -> Option<Self> {
        let inside_another = |forward: &Forward| {
            let wider = |host: bool, port: bool| Forward {
                host: forward.host.clone().filter(|_| !host),
                port: forward.port.filter(|_| !port),
            };
            [wider(true, false), wider(false, true), wider(true, true)]
                .iter()
                .any(|wide| wide != forward && forwards.contains(wide))
        };
        let kept: Vec<Forward> = forwards
            .iter()
            .filter(|forward| !inside_another(forward))
            .cloned()
            .collect();
        (!kept.is_empty()).then_some(Self(kept))
    }
}

/// The narrower of two sides of which `None` is any; `None` where they exclude each other.
fn narrower<T: Clone + PartialEq>(a: &Option<T>, b: &Option<T>) -> Option<Option<T>> {
    match (a, b) {
        (Some(a), Some(b)) => (a == b).then(|| Some(a.clone())),
        (side, None) | (None, side) => Some(side.clone()),
    }
}

fn is_literal_host(host: &str, in_brackets: bool) -> bool {
    let allowed = |b: u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-') || (in_brackets && b == b':')
    };
    (1..=MAX_FORWARD_HOST_BYTES).contains(&host.len())
        && host.bytes().all(allowed)
        && !host.starts_with('-')
}

/// Reads a port other than 0 without sign or leading zero: sshd would take names of services too, from a file on the host.
fn port_number(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| plain)
}

/// Limits in one grant's list.
pub const MAX_FORWARDS: usize = 64;

/// Bytes of a host in a limit.
pub const MAX_FORWARD_HOST_BYTES: usize = 253;

const ANY: &str = "*";

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> ForwardList {
        let forwards = texts
            .iter()
            .map(|text| Forward::parse(text).unwrap())
            .collect();
        ForwardList::new(forwards).unwrap().unwrap()
    }

    fn texts(list: &ForwardList) -> Vec<String> {
        list.forwards().iter().map(Forward::to_string).collect()
    }

    #[test]
    fn a_limit_is_read_and_written_in_one_form() {
        for (text, canonical) in [
            ("db:5432", "db:5432"),
            ("db.example.com:*", "db.example.com:*"),
            ("*:22", "*:22"),
            ("[::1]:22", "[::1]:22"),
            ("[db]:22", "db:22"),
            ("192.0.2.1:65535", "192.0.2.1:65535"),
        ] {
            assert_eq!(Forward::parse(text).unwrap().to_string(), canonical);
        }
        assert_eq!(Forward::parse_listen("8080").unwrap().to_string(), "*:8080");
        assert_eq!(
            Forward::parse_listen("localhost:8080").unwrap().to_string(),
            "localhost:8080"
        );
    }

    #[test]
    fn a_limit_that_sshd_would_read_otherwise_is_refused() {
        for text in [
            "db", "db:", ":22", "db:0", "db:65536", "db:+1", "db:022", "db:ssh", "*.db:22",
            "::1:22", "[::1:22", "a,b:1", "a b:1", "-a:1",
        ] {
            assert!(Forward::parse(text).is_err(), "{text:?}");
        }
        assert!(Forward::parse("8080").is_err());
        assert!(Forward::parse_listen("0").is_err());
    }

    #[test]
    fn limits_inside_others_are_left_off() {
        assert_eq!(
            texts(&list(&["db:22", "db:*", "web:80", "*:80", "db:22"])),
            ["*:80", "db:*"]
        );
        assert_eq!(texts(&list(&["db:22", "*:*", "web:*"])), ["*:*"]);
    }

    #[test]
    fn two_lists_meet_in_what_both_cover() {
        assert_eq!(
            texts(
                &list(&["db:*"])
                    .intersect(&list(&["*:22", "web:80"]))
                    .unwrap()
            ),
            ["db:22"]
        );
        assert_eq!(
            texts(&list(&["db:22"]).intersect(&list(&["db:*"])).unwrap()),
            ["db:22"]
        );
        assert_eq!(list(&["db:22"]).intersect(&list(&["db:23", "DB:22"])), None);
    }

    #[test]
    fn a_list_holds_at_most_the_limit() {
        let forward = Forward::parse("db:1").unwrap();
        assert!(ForwardList::new(vec![forward.clone(); MAX_FORWARDS]).is_ok());
        assert!(ForwardList::new(vec![forward; MAX_FORWARDS + 1]).is_err());
        assert_eq!(ForwardList::new(vec![]), Ok(None));
    }
}
