use keyroster_roster::HostId;
use x509_parser::prelude::X509Certificate;

use super::*;

const NOW: Timestamp = Timestamp::from_unix(1_795_251_600);
const ID: &str = "01939e8a-7c3f-7b1e-9d55-0123456789ab";

fn ca() -> (Ca, Zeroizing<String>) {
    Ca::create(NOW, [7; SERIAL_BYTES]).unwrap()
}

fn identity() -> HostIdentity {
    HostIdentity {
        host: HostId::parse(ID).unwrap(),
        generation: 1,
    }
}

/// A certificate for a request that asks for much more than a host may have.
fn issued_to_a_greedy_host(ca: &Ca) -> Vec<u8> {
    let mut params = CertificateParams::new(vec!["keys.example.com".to_owned()]).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "another host");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let pem = params
        .serialize_request(&KeyPair::generate().unwrap())
        .unwrap()
        .pem()
        .unwrap();
    let request = CertificateRequest::parse(&pem).unwrap();
    let pem = ca
        .issue_host(&request, &identity(), NOW, [9; SERIAL_BYTES])
        .unwrap();
    keyroster_edge::certificate_from_pem(pem.as_bytes())
        .unwrap()
        .to_vec()
}

fn read(der: &[u8]) -> X509Certificate<'_> {
    x509_parser::parse_x509_certificate(der).unwrap().1
}

#[test]
fn a_ca_survives_its_files() {
    let (ca, key) = ca();
    assert_eq!(Ca::load(ca.pem(), &key).unwrap().pin(), ca.pin());
}

#[test]
fn a_key_of_another_ca_is_refused() {
    let ((one, _), (_, two)) = (ca(), ca());
    assert!(matches!(Ca::load(one.pem(), &two), Err(CaError::Mismatch)));
    assert!(matches!(
        Ca::load(one.pem(), "nonsense"),
        Err(CaError::Unreadable)
    ));
}

#[test]
fn a_request_decides_the_key_of_a_hosts_certificate_and_nothing_else() {
    let (ca, _) = ca();
    let der = issued_to_a_greedy_host(&ca);
    assert_eq!(HostIdentity::from_certificate(&der), Ok(identity()));
    let certificate = read(&der);
    assert!(!certificate.is_ca());
    assert!(
        !certificate
            .key_usage()
            .unwrap()
            .unwrap()
            .value
            .key_cert_sign()
    );
    let names = &certificate
        .subject_alternative_name()
        .unwrap()
        .unwrap()
        .value
        .general_names;
    assert_eq!(names.len(), 2, "{names:?}");
    let usage = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
}

#[test]
fn a_hosts_certificate_ends_after_its_days_and_begins_a_little_early() {
    let (ca, _) = ca();
    let der = issued_to_a_greedy_host(&ca);
    let validity = read(&der).validity().clone();
    assert_eq!(validity.not_after.timestamp() - NOW.as_unix(), 90 * 86_400);
    assert_eq!(NOW.as_unix() - validity.not_before.timestamp(), 3600);
}

#[test]
fn the_ca_vouches_for_no_other_ca() {
    let (ca, _) = ca();
    let constraints = read(ca.certificate())
        .basic_constraints()
        .unwrap()
        .unwrap()
        .value
        .clone();
    assert_eq!(
        (constraints.ca, constraints.path_len_constraint),
        (true, Some(0))
    );
}

#[test]
fn the_servers_chain_ends_with_the_ca_that_first_contact_pins() {
    let (ca, _) = ca();
    let leaf = ca
        .issue_server(
            &["localhost".to_owned(), "127.0.0.1".to_owned()],
            NOW,
            [8; SERIAL_BYTES],
        )
        .unwrap();
    assert_eq!(leaf.chain.last(), Some(ca.certificate()));
    let certificate = read(&leaf.chain[0]);
    let usage = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && !usage.client_auth);
}

#[test]
fn a_serial_number_is_positive_and_never_zero() {
    for bytes in [[0; SERIAL_BYTES], [0xff; SERIAL_BYTES]] {
        let serial = serial_number(bytes).to_bytes();
        assert!(serial[0] & 0x80 == 0 && serial[0] != 0);
    }
}
