//! The steps, for the snapshot key.

use keyroster_api::signature::{SEED_BYTES, SnapshotKey, SnapshotPublicKey};
use keyroster_keys::{Fingerprint, HostName};
use keyroster_store::{Rotated, RotationVerb};
use zeroize::Zeroizing;

use super::{Means, Rotation, RotationError, data_dir, held, read_secret};
use crate::credentials::Credential;
use crate::random::random_bytes;

impl Rotation<'_> {
    pub(super) async fn announce_snapshot_key(
        &mut self,
        means: Means<'_>,
    ) -> Result<(), RotationError> {
        let seed = Zeroizing::new(random_bytes::<SEED_BYTES>(means.random)?);
        let next = SnapshotKey::from_seed(&seed)?;
        let step = (Rotated::SnapshotKey, RotationVerb::Announce);
        self.tell(means, step, fingerprint(&next.public())?, &[])
            .await?;
        let cas = self.chain.cas().to_vec();
        let set = self.set(means.now, &[&next, &self.signing], cas)?;
        for key in [&self.signing, &next] {
            self.chain.push(set.sign(key)?, set.clone());
        }
        // The key before the word of it: a key that nobody was told of is made anew.
        data_dir::replace(&self.dir.next_snapshot_key(), &next.to_openssh()?)?;
        Ok(self.chain.save(self.dir)?)
    }

    pub(super) async fn switch_snapshot_key(
        &mut self,
        abandoned: &[HostName],
        means: Means<'_>,
    ) -> Result<(), RotationError> {
        let key = read_secret(&self.dir.next_snapshot_key());
        let next = SnapshotKey::from_openssh(&held(Credential::SnapshotKey, key)?)?;
        if self.chain.keys()?.map(|keys| keys.newest()) != Some(next.public()) {
            return Err(RotationError::UnknownKey);
        }
        let step = (Rotated::SnapshotKey, RotationVerb::Switch);
        self.tell(means, step, fingerprint(&next.public())?, abandoned)
            .await?;
        // In one step: at no moment is there no key to sign with.
        data_dir::exchange(&self.dir.next_snapshot_key(), &self.dir.snapshot_key())?;
        self.signing = next;
        self.write_public()
    }

    pub(super) async fn finish_snapshot_key(
        &mut self,
        abandoned: &[HostName],
        means: Means<'_>,
    ) -> Result<(), RotationError> {
        let step = (Rotated::SnapshotKey, RotationVerb::Finish);
        let new = fingerprint(&self.signing.public())?;
        self.tell(means, step, new, abandoned).await?;
        let set = self.set(means.now, &[&self.signing], self.chain.cas().to_vec())?;
        self.chain.push(set.sign(&self.signing)?, set);
        // There is no way back from here: the old key goes first, so that it is not left behind.
        data_dir::remove(&self.dir.next_snapshot_key())?;
        self.write_public()?;
        Ok(self.chain.save(self.dir)?)
    }

    fn write_public(&self) -> Result<(), RotationError> {
        let line = format!("{}\n", self.signing.public().to_openssh()?);
        let path = self.dir.snapshot_key_public();
        Ok(data_dir::replace_public(&path, &line)?)
    }
}

fn fingerprint(key: &SnapshotPublicKey) -> Result<Fingerprint, RotationError> {
    Ok(Fingerprint::from_digest(key.pin()?))
}
