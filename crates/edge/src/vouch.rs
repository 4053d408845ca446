//! Whether a CA that is known vouches for its successor.
//!
//! RFC 4210, section 4.4: a CA whose key changes issues, with the old key, a certificate for the new one. Whoever knows the old CA
//! finds the new one with it, and needs to believe nobody else: not the connection that the certificates came over, and not the
//! proxy that may stand in it.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::time::ASN1Time;

/// Whether one of the certificates between says so: issued by `known`, for the key and the name of `next`, both of them a CA, and
/// valid at the moment.
#[must_use]
pub fn vouches(
    known: &CertificateDer<'_>,
    next: &CertificateDer<'_>,
    between: &[CertificateDer<'_>],
    now: Duration,
) -> bool {
    let (Some(known), Some(next)) = (parse(known), parse(next)) else {
        return false;
    };
    let Some(now) = moment(now) else {
        return false;
    };
    is_ca(&next)
        && between.iter().filter_map(parse).any(|link| {
            link.public_key().raw == next.public_key().raw
                && link.subject().as_raw() == next.subject().as_raw()
                && link.issuer().as_raw() == known.subject().as_raw()
                && is_ca(&link)
                && link.validity().is_valid_at(now)
                && link.verify_signature(Some(known.public_key())).is_ok()
        })
}

/// Whether a certificate is a CA's own, by its own word.
#[must_use]
pub fn is_self_issued(certificate: &CertificateDer<'_>) -> bool {
    parse(certificate).is_some_and(|it| is_ca(&it) && it.verify_signature(None).is_ok())
}

/// The identifier of the key that a certificate is for.
#[must_use]
pub fn key_id(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    use x509_parser::extensions::ParsedExtension::SubjectKeyIdentifier;
    let parsed = parse(certificate)?;
    parsed
        .extensions()
        .iter()
        .find_map(|it| match it.parsed_extension() {
            SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        })
}

/// The identifier of the key that a certificate was issued with.
#[must_use]
pub fn issuer_key_id(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    use x509_parser::extensions::ParsedExtension::AuthorityKeyIdentifier;
    let parsed = parse(certificate)?;
    parsed
        .extensions()
        .iter()
        .find_map(|it| match it.parsed_extension() {
            AuthorityKeyIdentifier(id) => Some(id.key_identifier.as_ref()?.0.to_vec()),
            _ => None,
        })
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    let (rest, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
    rest.is_empty().then_some(parsed)
}

fn is_ca(certificate: &X509Certificate<'_>) -> bool {
    let constraints = certificate.basic_constraints().ok().flatten();
    constraints.is_some_and(|constraints| constraints.value.ca)
}

fn moment(now: Duration) -> Option<ASN1Time> {
    let seconds = UnixTime::since_unix_epoch(now).as_secs();
    ASN1Time::from_timestamp(i64::try_from(seconds).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestCa, Validity};

    const NOW: Duration = Duration::from_secs(1_795_251_600);

    #[test]
    fn a_ca_vouches_for_the_one_whose_key_and_name_it_signed_and_for_no_other() {
        let [old, new, other] = ["ca", "ca", "ca"].map(TestCa::new);
        let link = old.cross("ca", &new);
        let says = |known: &TestCa, next: &TestCa, link: &CertificateDer<'_>| {
            vouches(known.der(), next.der(), std::slice::from_ref(link), NOW)
        };
        assert!(says(&old, &new, &link));
        assert!(!says(&old, &other, &link));
        assert!(!says(&other, &new, &link));
        // The other way round it is another statement.
        assert!(!says(&new, &old, &link));
        assert!(!says(&old, &new, &other.cross("ca", &new)));
        assert!(!says(&old, &new, &old.cross("another name", &new)));
        assert!(!says(&old, &new, new.der()));
        assert!(!vouches(old.der(), new.der(), &[], NOW));
    }

    #[test]
    fn an_old_word_and_a_certificate_that_is_no_cas_vouch_for_nobody() {
        let [old, new] = ["ca", "ca"].map(TestCa::new);
        let past = old.cross_valid("ca", &new, Validity::Past);
        assert!(!vouches(old.der(), new.der(), &[past], NOW));
        let link = old.cross("ca", &new);
        let leaf = old.issue(&["localhost"]);
        assert!(!vouches(
            old.der(),
            &leaf.chain[0],
            std::slice::from_ref(&link),
            NOW
        ));
        assert!(!vouches(
            &CertificateDer::from(vec![1]),
            new.der(),
            &[link],
            NOW
        ));
    }

    #[test]
    fn only_a_cas_own_certificate_is_self_issued() {
        let [old, new] = ["ca", "ca"].map(TestCa::new);
        assert!(is_self_issued(old.der()));
        assert!(!is_self_issued(&old.cross("ca", &new)));
        assert!(!is_self_issued(&old.issue(&["localhost"]).chain[0]));
    }
}
