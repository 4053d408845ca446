//! The steps, for the CA.
//!
//! Its certificate decides which CA is in force, and is exchanged in one step; the key server takes the key that belongs to it,
//! whichever of the two places it lies in. So a crash between certificate and key leaves a key server that starts.

use keyroster_edge::CaPin;
use keyroster_keys::{Fingerprint, HostName};
use keyroster_store::{Rotated, RotationVerb};

use super::{Means, Rotation, RotationError, all, data_dir, held, read_public, read_secret};
use crate::ca::{Ca, Crosses};
use crate::credentials::Credential;
use crate::random::random_bytes;

impl Rotation<'_> {
    pub(super) async fn announce_ca(&mut self, means: Means<'_>) -> Result<(), RotationError> {
        let pem = read_public(&self.dir.ca())?;
        let key = held(Credential::CaKey, read_secret(&self.dir.ca_key()))?;
        let old = Ca::load(&pem, &key)?;
        let (new, new_key) = Ca::create(means.now, random_bytes(means.random)?)?;
        let serials = [random_bytes(means.random)?, random_bytes(means.random)?];
        let crosses = Crosses::create(&old, &new, means.now, serials)?;
        let step = (Rotated::Ca, RotationVerb::Announce);
        self.tell(means, step, fingerprint(new.pin()), &[]).await?;
        let cas = [new.pin(), old.pin()].map(|pin| pin.to_string());
        let set = self.set(means.now, &[&self.signing], cas.into())?;
        self.chain.push(set.sign(&self.signing)?, set);
        // The CA before the word of it: one that nobody was told of is made anew.
        data_dir::replace(&self.dir.next_ca_key(), &new_key)?;
        data_dir::replace_public(&self.dir.next_ca(), new.pem())?;
        data_dir::replace_public(&self.dir.ca_crosses(), &crosses.to_pem())?;
        Ok(self.chain.save(self.dir)?)
    }

    pub(super) async fn switch_ca(
        &mut self,
        abandoned: &[HostName],
        means: Means<'_>,
    ) -> Result<(), RotationError> {
        let newest = self.newest_ca()?;
        let key = held(Credential::CaKey, read_secret(&self.dir.next_ca_key()))?;
        let next = Ca::load(&read_public(&self.dir.next_ca())?, &key)?;
        if next.pin() != newest {
            return Err(RotationError::UnknownCa);
        }
        let step = (Rotated::Ca, RotationVerb::Switch);
        self.tell(means, step, fingerprint(newest), abandoned)
            .await?;
        data_dir::exchange(&self.dir.next_ca(), &self.dir.ca())?;
        self.ca = newest;
        self.put_keys_in_place()
    }

    pub(super) async fn finish_ca(
        &mut self,
        abandoned: &[HostName],
        means: Means<'_>,
    ) -> Result<(), RotationError> {
        all(self.of_older_ca(means.store).await?, abandoned).map_err(RotationError::OfOldCa)?;
        let step = (Rotated::Ca, RotationVerb::Finish);
        self.tell(means, step, fingerprint(self.ca), abandoned)
            .await?;
        // `switch` may have been interrupted: what is removed is the old one's key and no other.
        self.put_keys_in_place()?;
        let set = self.set(means.now, &[&self.signing], vec![self.ca.to_string()])?;
        self.chain.push(set.sign(&self.signing)?, set);
        // There is no way back from here: the old key goes first, so that it is not left behind.
        data_dir::remove(&self.dir.next_ca_key())?;
        self.chain.save(self.dir)?;
        data_dir::remove(&self.dir.next_ca())?;
        Ok(data_dir::remove(&self.dir.ca_crosses())?)
    }

    /// Sees to it that the key in force lies where it belongs.
    fn put_keys_in_place(&self) -> Result<(), RotationError> {
        let pem = read_public(&self.dir.ca())?;
        let key = held(Credential::CaKey, read_secret(&self.dir.ca_key()))?;
        if Ca::load(&pem, &key).is_ok() {
            return Ok(());
        }
        let next = held(Credential::CaKey, read_secret(&self.dir.next_ca_key()))?;
        Ca::load(&pem, &next)?;
        Ok(data_dir::exchange(
            &self.dir.next_ca_key(),
            &self.dir.ca_key(),
        )?)
    }
}

fn fingerprint(ca: CaPin) -> Fingerprint {
    Fingerprint::from_digest(*ca.as_bytes())
}
