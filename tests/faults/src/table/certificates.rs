//! Certificates. Each server would let a stranger in, if it were believed.

use keyroster_testkit::{CertificateKind, FakeKeyServer, Result};

use crate::rules::Effect::Undecided;
use crate::stage::Stage;
use crate::table::Fault;

pub(super) fn rows() -> Vec<Fault> {
    vec![
        Fault::met_by_all("certificate expired", Undecided, |stage| {
            server(stage, CertificateKind::Expired)
        }),
        Fault::met_by_all("certificate not yet valid", Undecided, |stage| {
            server(stage, CertificateKind::NotYetValid)
        }),
        Fault::met_by_all("certificate of a wrong authority", Undecided, |stage| {
            server(stage, CertificateKind::ForeignCa)
        }),
        Fault::met_by_all("certificate for a wrong name", Undecided, |stage| {
            server(stage, CertificateKind::WrongName)
        }),
        Fault::met_by_all("certificate self-signed", Undecided, |stage| {
            server(stage, CertificateKind::SelfSigned)
        }),
        Fault::met_by_all("the host's own certificate expired", Undecided, |stage| {
            let expired = stage.world.ca.issue_to_client(CertificateKind::Expired)?;
            stage.show(&expired)?;
            let poison = stage.poison(|_| {})?;
            let server = FakeKeyServer::demanding(&stage.world.ca, poison)?;
            stage.ask_at(server.address());
            stage.keep(server);
            Ok(())
        })
        .how("the key server breaks the handshake off"),
    ]
}

fn server(stage: &mut Stage<'_>, kind: CertificateKind) -> Result {
    let poison = stage.poison(|_| {})?;
    stage.serve_with(kind, poison).map(drop)
}
