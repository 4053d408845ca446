//! Paths of the API: routes for the key server, and built paths for its clients.
//!
//! Whatever stands in a segment is percent-encoded here and nowhere else, so that a name can never become two segments.

/// Users.
pub const USERS: &str = "/v1/users";
/// One user.
pub const USER: &str = "/v1/users/{name}";
/// The keys of one user.
pub const USER_KEYS: &str = "/v1/users/{name}/keys";
/// Keys.
pub const KEYS: &str = "/v1/keys";
/// One key.
pub const KEY: &str = "/v1/keys/{fingerprint}";
/// Revocation of one key.
pub const KEY_REVOKE: &str = "/v1/keys/{fingerprint}/revoke";
/// Groups of users.
pub const GROUPS: &str = "/v1/groups";
/// One group of users.
pub const GROUP: &str = "/v1/groups/{name}";
/// One member of a group: PUT adds, DELETE removes.
pub const GROUP_MEMBER: &str = "/v1/groups/{name}/members/{user}";
/// Hosts.
pub const HOSTS: &str = "/v1/hosts";
/// One host, by name or id: GET shows, DELETE removes.
pub const HOST: &str = "/v1/hosts/{host}";
/// Host groups.
pub const HOST_GROUPS: &str = "/v1/host-groups";
/// One host group.
pub const HOST_GROUP: &str = "/v1/host-groups/{name}";
/// One host of a host group: PUT adds, DELETE removes.
pub const HOST_GROUP_HOST: &str = "/v1/host-groups/{name}/hosts/{host}";
/// Grants.
pub const GRANTS: &str = "/v1/grants";
/// One grant.
pub const GRANT: &str = "/v1/grants/{id}";
/// Revocation of one grant.
pub const GRANT_REVOKE: &str = "/v1/grants/{id}/revoke";
/// Enrolment tokens.
pub const ENROLMENT_TOKENS: &str = "/v1/enrolment-tokens";
/// Bearer tokens.
pub const TOKENS: &str = "/v1/tokens";
/// Revocation of one bearer token.
pub const TOKEN_REVOKE: &str = "/v1/tokens/{name}/revoke";
/// Who the bearer is.
pub const WHOAMI: &str = "/v1/whoami";
/// The decision for an account on a host, with reasons.
pub const EXPLAIN: &str = "/v1/explain";
/// The receipt of the write that made a revision.
pub const RECEIPT: &str = "/v1/receipts/{revision}";
/// Audit events.
pub const AUDIT_EVENTS: &str = "/v1/audit/events";
/// The end of the audit log's chain.
pub const AUDIT_HEAD: &str = "/v1/audit/head";
/// The certificate of the key server's CA, in PEM; needs no credential.
pub const CA: &str = "/v1/ca";
/// Enrolment of a host; the enrolment token is the credential.
pub const ENROLL: &str = "/v1/enroll";
/// The calling host's snapshot.
pub const HOST_SNAPSHOT: &str = "/v1/host/snapshot";
/// The revoked keys, for every host alike.
pub const HOST_REVOKED_KEYS: &str = "/v1/host/revoked-keys";
/// The snapshot keys that the calling host is to go by: the signed documents that tell it.
pub const HOST_KEYS: &str = "/v1/host/keys";
/// A new client certificate for the calling host.
pub const HOST_CERTIFICATE: &str = "/v1/host/certificate";
/// What happened on the calling host.
pub const HOST_REPORTS: &str = "/v1/host/reports";
/// The OpenAPI document.
pub const OPENAPI: &str = "/v1/openapi.json";
/// Alive: the process answers.
pub const HEALTHZ: &str = "/healthz";
/// Ready: the database answers.
pub const READYZ: &str = "/readyz";
/// Prometheus metrics.
pub const METRICS: &str = "/metrics";

/// Puts `segments` into the `{…}` places of `route`, each percent-encoded into one segment.
///
/// A place without a segment stays as it is, and a segment without a place is dropped; both are mistakes of the caller that
/// its first test shows.
#[must_use]
pub fn fill(route: &str, segments: &[&str]) -> String {
    let mut given = segments.iter();
    let mut path = String::with_capacity(route.len() + 32);
    for part in route.split('/').skip(1) {
        path.push('/');
        match (part.starts_with('{'), given.as_slice().first()) {
            (true, Some(segment)) => {
                given.next();
                encode_segment(segment, &mut path);
            }
            _ => path.push_str(part),
        }
    }
    path
}

/// Percent-encodes everything but RFC 3986's unreserved characters; a lone `.` or `..` is encoded too, since clients and
/// proxies remove such segments before they are sent.
fn encode_segment(segment: &str, path: &mut String) {
    let dots = segment.bytes().all(|byte| byte == b'.');
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'~')
            || (byte == b'.' && !dots)
        {
            path.push(char::from(byte));
        } else {
            path.push('%');
            path.push(hex_digit(byte >> 4));
            path.push(hex_digit(byte & 0x0f));
        }
    }
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_becomes_one_segment() {
        assert_eq!(
            fill(KEY_REVOKE, &["SHA256:a/b+c"]),
            "/v1/keys/SHA256%3Aa%2Fb%2Bc/revoke"
        );
    }

    #[test]
    fn no_name_leaves_its_segment() {
        for name in [
            "../../etc/x",
            "a%2fb",
            "..",
            ".",
            "a/b",
            "a?b",
            "a#b",
            "DOM\\bob",
            "%s%n",
            "-h",
            "ä\n",
        ] {
            let path = fill(USER, &[name]);
            assert_eq!(path.split('/').count(), 4, "{path}");
            assert!(
                path.is_ascii() && !path.contains(['?', '#', '\\', '\n']),
                "{path}"
            );
            assert!(!path.ends_with("/.") && !path.ends_with("/.."), "{path}");
        }
    }

    #[test]
    fn two_places_are_filled_in_order() {
        assert_eq!(
            fill(GROUP_MEMBER, &["ops", "alice"]),
            "/v1/groups/ops/members/alice"
        );
    }
}
