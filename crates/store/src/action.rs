//! What an audit event says was done. Stored as text and hashed: a word that was used is never given another meaning.

/// Something that changes the roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A user was added.
    UserAdd,
    /// A user's state was changed.
    UserSetState,
    /// A key was added.
    KeyAdd,
    /// A key was revoked.
    KeyRevoke,
    /// A group was added.
    GroupAdd,
    /// A user was put into a group.
    GroupAddMember,
    /// A user was taken out of a group.
    GroupRemoveMember,
    /// A group was deleted, with its grants.
    GroupDelete,
    /// A host was enrolled.
    HostEnrol,
    /// A host was removed.
    HostRemove,
    /// A host was removed because somebody used a certificate that another had taken the place of.
    HostLock,
    /// A host was given a certificate to take the place of its own.
    HostRenewCertificate,
    /// A host used its new certificate, which ended the one before.
    HostRotateCertificate,
    /// A host's certificate was taken that a restored roster knew nothing of.
    HostAdoptCertificate,
    /// A host group was added.
    HostGroupAdd,
    /// What holds in a host group was changed.
    HostGroupSet,
    /// A host was put into a host group.
    HostGroupAddHost,
    /// A host was taken out of a host group.
    HostGroupRemoveHost,
    /// A host group was deleted, with its grants.
    HostGroupDelete,
    /// A grant was added.
    GrantAdd,
    /// A grant was revoked.
    GrantRevoke,
    /// An enrolment token was made.
    EnrolmentTokenAdd,
    /// An enrolment token was shown again after it was used, or after it had expired.
    EnrolmentTokenRefuse,
    /// A bearer token was made.
    BearerTokenAdd,
    /// A bearer token was revoked.
    BearerTokenRevoke,
    /// A host told that a break-glass key opened a session on it.
    BreakGlassUse,
    /// A host told that its break-glass way in was tried.
    BreakGlassDrill,
    /// The roster was restored from a backup, and its epoch raised.
    RosterRestore,
    /// A new snapshot key was made, and hosts are told of it.
    SnapshotKeyAnnounce,
    /// The new snapshot key signs.
    SnapshotKeySwitch,
    /// Hosts are told to believe the new snapshot key alone.
    SnapshotKeyFinish,
    /// A new CA was made, and hosts are told of it.
    CaAnnounce,
    /// The new CA issues certificates.
    CaSwitch,
    /// Hosts are told to believe the new CA alone.
    CaFinish,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 34] = [
        Self::UserAdd,
        Self::UserSetState,
        Self::KeyAdd,
        Self::KeyRevoke,
        Self::GroupAdd,
        Self::GroupAddMember,
        Self::GroupRemoveMember,
        Self::GroupDelete,
        Self::HostEnrol,
        Self::HostRemove,
        Self::HostLock,
        Self::HostRenewCertificate,
        Self::HostRotateCertificate,
        Self::HostAdoptCertificate,
        Self::HostGroupAdd,
        Self::HostGroupSet,
        Self::HostGroupAddHost,
        Self::HostGroupRemoveHost,
        Self::HostGroupDelete,
        Self::GrantAdd,
        Self::GrantRevoke,
        Self::EnrolmentTokenAdd,
        Self::EnrolmentTokenRefuse,
        Self::BearerTokenAdd,
        Self::BearerTokenRevoke,
        Self::BreakGlassUse,
        Self::BreakGlassDrill,
        Self::RosterRestore,
        Self::SnapshotKeyAnnounce,
        Self::SnapshotKeySwitch,
        Self::SnapshotKeyFinish,
        Self::CaAnnounce,
        Self::CaSwitch,
        Self::CaFinish,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserAdd => "user.add",
            Self::UserSetState => "user.set-state",
            Self::KeyAdd => "key.add",
            Self::KeyRevoke => "key.revoke",
            Self::GroupAdd => "group.add",
            Self::GroupAddMember => "group.add-member",
            Self::GroupRemoveMember => "group.remove-member",
            Self::GroupDelete => "group.delete",
            Self::HostEnrol => "host.enrol",
            Self::HostRemove => "host.remove",
            Self::HostLock => "host.lock",
            Self::HostRenewCertificate => "host.renew-certificate",
            Self::HostRotateCertificate => "host.rotate-certificate",
            Self::HostAdoptCertificate => "host.adopt-certificate",
            Self::HostGroupAdd => "host-group.add",
            Self::HostGroupSet => "host-group.set",
            Self::HostGroupAddHost => "host-group.add-host",
            Self::HostGroupRemoveHost => "host-group.remove-host",
            Self::HostGroupDelete => "host-group.delete",
            Self::GrantAdd => "grant.add",
            Self::GrantRevoke => "grant.revoke",
            Self::EnrolmentTokenAdd => "enrolment-token.add",
            Self::EnrolmentTokenRefuse => "enrolment-token.refuse",
            Self::BearerTokenAdd => "token.add",
            Self::BearerTokenRevoke => "token.revoke",
            Self::BreakGlassUse => "break-glass.use",
            Self::BreakGlassDrill => "break-glass.drill",
            Self::RosterRestore => "roster.restore",
            Self::SnapshotKeyAnnounce => "snapshot-key.announce",
            Self::SnapshotKeySwitch => "snapshot-key.switch",
            Self::SnapshotKeyFinish => "snapshot-key.finish",
            Self::CaAnnounce => "ca.announce",
            Self::CaSwitch => "ca.switch",
            Self::CaFinish => "ca.finish",
        }
    }

    /// The action that a word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_action_has_a_word_of_its_own_that_is_read_back() {
        let words: BTreeSet<_> = Action::ALL.iter().map(|action| action.as_str()).collect();
        assert_eq!(words.len(), Action::ALL.len());
        assert!(
            Action::ALL
                .iter()
                .all(|action| Action::parse(action.as_str()) == Some(*action))
        );
        assert_eq!(Action::parse("user.delete"), None);
    }
}
