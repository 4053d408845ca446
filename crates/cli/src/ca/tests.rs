use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use super::*;

const NOW: Duration = Duration::from_secs(1_795_251_600);

struct Ca {
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

impl Ca {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        Self {
            der: params().self_signed(&key).unwrap().der().clone(),
            issuer: Issuer::new(params(), key),
        }
    }

    /// Its word for another.
    fn names(&self, other: &Self) -> CertificateDer<'static> {
        let named = params().signed_by(other.issuer.key(), &self.issuer);
        named.unwrap().der().clone()
    }
}

fn known(cas: &[&Ca]) -> Cas {
    Cas(cas.iter().map(|ca| ca.der.clone()).collect())
}

/// What a key server hands out that exchanges the old one for the new one.
fn exchange(old: &Ca, new: &Ca) -> Vec<CertificateDer<'static>> {
    vec![
        new.der.clone(),
        old.der.clone(),
        old.names(new),
        new.names(old),
    ]
}

#[test]
fn certificates_survive_their_pem() {
    let [one, two] = [7_u8, 8].map(|byte| CertificateDer::from(vec![byte; 100]));
    let cas = Cas(vec![one, two]);
    assert_eq!(Cas::from_pem(&cas.to_pem()).unwrap(), cas);
    let read = Cas::from_pem(&format!("subject: CN=x\n{}", cas.to_pem())).unwrap();
    assert_eq!(read.to_pem(), cas.to_pem());
}

#[test]
fn a_new_ca_is_learned_from_the_one_that_is_known_and_forgotten_with_the_end_of_the_exchange() {
    let [old, new] = [Ca::new(), Ca::new()];
    let offered = exchange(&old, &new);
    assert_eq!(
        known(&[&old]).follow(&offered, NOW),
        Succession::Learned(known(&[&new, &old]))
    );
    assert_eq!(
        known(&[&new, &old]).follow(&offered, NOW),
        Succession::Unchanged
    );
    assert_eq!(known(&[&new]).follow(&offered, NOW), Succession::Unchanged);
    assert_eq!(
        known(&[&new, &old]).follow(std::slice::from_ref(&new.der), NOW),
        Succession::Alone(known(&[&new]))
    );
}

#[test]
fn whoever_has_the_key_of_the_old_ca_leads_nobody_away_who_knows_the_new_one() {
    let [old, new, thief] = [Ca::new(), Ca::new(), Ca::new()];
    for known in [known(&[&new, &old]), known(&[&new])] {
        let led = known.follow(&exchange(&old, &thief), NOW);
        assert_eq!(led, Succession::Stranger);
    }
    assert_eq!(
        known(&[&new, &old]).follow(std::slice::from_ref(&old.der), NOW),
        Succession::Unchanged
    );
}

#[test]
fn a_ca_for_which_nobody_vouches_is_a_stranger_and_what_makes_no_sense_is_nothing() {
    let [old, new] = [Ca::new(), Ca::new()];
    let unvouched = [new.der.clone(), old.der.clone()];
    assert_eq!(known(&[&old]).follow(&unvouched, NOW), Succession::Stranger);
    // For the wrong one of two.
    let backwards = [new.der.clone(), new.names(&old)];
    assert_eq!(known(&[&old]).follow(&backwards, NOW), Succession::Stranger);
    for nonsense in [vec![], vec![CertificateDer::from(vec![1])]] {
        assert_eq!(known(&[&old]).follow(&nonsense, NOW), Succession::Unchanged);
    }
}
