//! Certificates of generated hosts, from the key server's own CA.

use std::error::Error;
use std::path::Path;

use keyroster_api::signature::SnapshotPublicKey;
use keyroster_roster::Timestamp;
use keyroster_server::ca::Ca;
use keyroster_server::certificate_request::CertificateRequest;
use keyroster_server::data_dir::DataDir;
use keyroster_server::host_identity::HostIdentity;
use rcgen::{CertificateParams, KeyPair};
use zeroize::Zeroizing;

use crate::rows::host_id;

/// Issues certificates. All hosts have one key, which spares a run the making of thousands.
pub struct Credentials {
    ca: Ca,
    request: CertificateRequest,
    /// The hosts' private key, PEM.
    pub key: Zeroizing<String>,
    /// The key that snapshots are signed with.
    pub snapshot_key: SnapshotPublicKey,
}

impl Credentials {
    /// Reads the CA of the key server with this data directory.
    pub fn of(data: &Path) -> Result<Self, Box<dyn Error>> {
        let data = DataDir::open(data)?;
        let read = |path| std::fs::read_to_string(path);
        let ca = Ca::load(&read(data.ca())?, &Zeroizing::new(read(data.ca_key())?))?;
        let key = KeyPair::generate()?;
        let request = CertificateParams::default()
            .serialize_request(&key)?
            .pem()?;
        Ok(Self {
            ca,
            request: CertificateRequest::parse(&request)?,
            key: Zeroizing::new(key.serialize_pem()),
            snapshot_key: SnapshotPublicKey::from_openssh(&read(data.snapshot_key_public())?)?,
        })
    }

    /// The CA's certificate, PEM.
    pub fn ca(&self) -> &str {
        self.ca.pem()
    }

    /// The certificate of the host of this number, PEM.
    pub fn certificate(&self, number: u64, now_s: i64) -> Result<String, Box<dyn Error>> {
        let identity = HostIdentity {
            host: host_id(number)?,
            generation: 1,
        };
        let mut serial = [0; 16];
        for (byte, of_number) in serial.iter_mut().zip(number.to_be_bytes()) {
            *byte = of_number;
        }
        let now = Timestamp::from_unix(now_s);
        Ok(self.ca.issue_host(&self.request, &identity, now, serial)?)
    }
}
