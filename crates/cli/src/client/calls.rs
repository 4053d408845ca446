//! One method for each thing that is asked of the key server: where paths and bodies meet.

use keyroster_api::GrantId;
use keyroster_api::audit::{AuditHead, EventView};
use keyroster_api::enroll::{AddEnrolmentToken, EnrolmentTokenView, NewToken};
use keyroster_api::explain::Explanation;
use keyroster_api::grant::{AddGrant, GrantView};
use keyroster_api::group::{AddGroup, GroupView};
use keyroster_api::host::HostView;
use keyroster_api::host_group::{AddHostGroup, ChangeHostGroup, HostGroupView};
use keyroster_api::key::{AddKey, KeyView, Revoke};
use keyroster_api::paths::{self, fill};
use keyroster_api::receipt::{Receipt, Written};
use keyroster_api::token::{AddToken, TokenView, WhoAmI};
use keyroster_api::user::{AddUser, ChangeUser, UserView};
use keyroster_edge::certificates_from_pem;
use keyroster_keys::{Fingerprint, GroupName, HostName, UserName};
use reqwest::Method;
use rustls_pki_types::CertificateDer;

use super::{Client, Pages};
use crate::failure::Result;
use crate::progress::Progress;
use crate::target::LoginTarget;
use crate::wait::{Change, Followed, Waiting};

impl Client {
    /// Asks for the public certificate of the CA; needs no token. The answer itself is of no interest: the handshake is.
    pub(crate) async fn greet(&self) -> Result<()> {
        let answer = self
            .send(self.request(Method::GET, paths::CA, &[])?)
            .await?;
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(super::refusal::of(&answer, &self.server)),
        }
    }

    /// The public certificates of the CAs, and those by which they vouch for each other.
    pub(crate) async fn cas(&self) -> Result<Vec<CertificateDer<'static>>> {
        let answer = self
            .send(self.request(Method::GET, paths::CA, &[])?)
            .await?;
        match answer.status.is_success() {
            true => certificates_from_pem(&answer.body)
                .map_err(|_| self.nonsense("something else than was asked for")),
            false => Err(super::refusal::of(&answer, &self.server)),
        }
    }

    pub(crate) async fn who_am_i(&self) -> Result<WhoAmI> {
        self.get(paths::WHOAMI).await
    }

    pub(crate) async fn add_token(&self, body: &AddToken) -> Result<NewToken> {
        self.write_with(Method::POST, paths::TOKENS, body).await
    }

    pub(crate) async fn tokens(&self, progress: &Progress) -> Result<Vec<TokenView>> {
        self.all(paths::TOKENS, progress).await
    }

    pub(crate) async fn revoke_token(&self, name: &str) -> Result<Written> {
        self.write(Method::POST, &fill(paths::TOKEN_REVOKE, &[name]))
            .await
    }

    pub(crate) async fn add_user(&self, body: &AddUser) -> Result<UserView> {
        self.write_with(Method::POST, paths::USERS, body).await
    }

    pub(crate) async fn users(&self, progress: &Progress) -> Result<Vec<UserView>> {
        self.all(paths::USERS, progress).await
    }

    pub(crate) async fn user(&self, name: &UserName) -> Result<UserView> {
        self.get(&fill(paths::USER, &[name.as_str()])).await
    }

    pub(crate) async fn change_user(
        &self,
        name: &UserName,
        body: &ChangeUser,
        waiting: Option<&Waiting>,
    ) -> Result<Change> {
        let path = fill(paths::USER, &[name.as_str()]);
        self.change(Method::PATCH, &path, body, waiting).await
    }

    pub(crate) async fn add_key(&self, user: &UserName, body: &AddKey) -> Result<KeyView> {
        let path = fill(paths::USER_KEYS, &[user.as_str()]);
        self.write_with(Method::POST, &path, body).await
    }

    pub(crate) async fn keys(&self, progress: &Progress) -> Result<Vec<KeyView>> {
        self.all(paths::KEYS, progress).await
    }

    pub(crate) async fn keys_of(
        &self,
        user: &UserName,
        progress: &Progress,
    ) -> Result<Vec<KeyView>> {
        self.all(&fill(paths::USER_KEYS, &[user.as_str()]), progress)
            .await
    }

    pub(crate) async fn key(&self, fingerprint: &Fingerprint) -> Result<KeyView> {
        self.get(&fill(paths::KEY, &[&fingerprint.to_string()]))
            .await
    }

    pub(crate) async fn revoke_key(
        &self,
        fingerprint: &Fingerprint,
        body: &Revoke,
        waiting: Option<&Waiting>,
    ) -> Result<Change> {
        let path = fill(paths::KEY_REVOKE, &[&fingerprint.to_string()]);
        self.change(Method::POST, &path, body, waiting).await
    }

    pub(crate) async fn add_group(&self, body: &AddGroup) -> Result<GroupView> {
        self.write_with(Method::POST, paths::GROUPS, body).await
    }

    pub(crate) async fn groups(&self, progress: &Progress) -> Result<Vec<GroupView>> {
        self.all(paths::GROUPS, progress).await
    }

    pub(crate) async fn group(&self, name: &GroupName) -> Result<GroupView> {
        self.get(&fill(paths::GROUP, &[name.as_str()])).await
    }

    pub(crate) async fn remove_group(&self, name: &GroupName) -> Result<Written> {
        self.write(Method::DELETE, &fill(paths::GROUP, &[name.as_str()]))
            .await
    }

    pub(crate) async fn add_member(&self, group: &GroupName, user: &UserName) -> Result<Written> {
        let path = fill(paths::GROUP_MEMBER, &[group.as_str(), user.as_str()]);
        self.write(Method::PUT, &path).await
    }

    pub(crate) async fn remove_member(
        &self,
        group: &GroupName,
        user: &UserName,
    ) -> Result<Written> {
        let path = fill(paths::GROUP_MEMBER, &[group.as_str(), user.as_str()]);
        self.write(Method::DELETE, &path).await
    }

    pub(crate) async fn hosts(&self, progress: &Progress) -> Result<Vec<HostView>> {
        self.all(paths::HOSTS, progress).await
    }

    pub(crate) async fn host(&self, host: &HostName) -> Result<HostView> {
        self.get(&fill(paths::HOST, &[host.as_str()])).await
    }

    pub(crate) async fn remove_host(&self, host: &HostName) -> Result<Written> {
        self.write(Method::DELETE, &fill(paths::HOST, &[host.as_str()]))
            .await
    }

    pub(crate) async fn add_enrolment_token(&self, body: &AddEnrolmentToken) -> Result<NewToken> {
        self.write_with(Method::POST, paths::ENROLMENT_TOKENS, body)
            .await
    }

    pub(crate) async fn enrolment_tokens(
        &self,
        progress: &Progress,
    ) -> Result<Vec<EnrolmentTokenView>> {
        self.all(paths::ENROLMENT_TOKENS, progress).await
    }

    pub(crate) async fn add_host_group(&self, body: &AddHostGroup) -> Result<HostGroupView> {
        self.write_with(Method::POST, paths::HOST_GROUPS, body)
            .await
    }

    pub(crate) async fn host_groups(&self, progress: &Progress) -> Result<Vec<HostGroupView>> {
        self.all(paths::HOST_GROUPS, progress).await
    }

    pub(crate) async fn host_group(&self, name: &GroupName) -> Result<HostGroupView> {
        self.get(&fill(paths::HOST_GROUP, &[name.as_str()])).await
    }

    pub(crate) async fn change_host_group(
        &self,
        name: &GroupName,
        body: &ChangeHostGroup,
        waiting: Option<&Waiting>,
    ) -> Result<Change> {
        let path = fill(paths::HOST_GROUP, &[name.as_str()]);
        self.change(Method::PATCH, &path, body, waiting).await
    }

    pub(crate) async fn remove_host_group(&self, name: &GroupName) -> Result<Written> {
        self.write(Method::DELETE, &fill(paths::HOST_GROUP, &[name.as_str()]))
            .await
    }

    pub(crate) async fn add_host(&self, group: &GroupName, host: &HostName) -> Result<Written> {
        let path = fill(paths::HOST_GROUP_HOST, &[group.as_str(), host.as_str()]);
        self.write(Method::PUT, &path).await
    }

    pub(crate) async fn take_host_out(
        &self,
        group: &GroupName,
        host: &HostName,
    ) -> Result<Written> {
        let path = fill(paths::HOST_GROUP_HOST, &[group.as_str(), host.as_str()]);
        self.write(Method::DELETE, &path).await
    }

    pub(crate) async fn add_grant(&self, body: &AddGrant) -> Result<GrantView> {
        self.write_with(Method::POST, paths::GRANTS, body).await
    }

    pub(crate) async fn grants(&self, progress: &Progress) -> Result<Vec<GrantView>> {
        self.all(paths::GRANTS, progress).await
    }

    pub(crate) async fn grant(&self, id: &GrantId) -> Result<GrantView> {
        self.get(&fill(paths::GRANT, &[id.as_str()])).await
    }

    pub(crate) async fn revoke_grant(
        &self,
        id: &GrantId,
        body: &Revoke,
        waiting: Option<&Waiting>,
    ) -> Result<Change> {
        let path = fill(paths::GRANT_REVOKE, &[id.as_str()]);
        self.change(Method::POST, &path, body, waiting).await
    }

    pub(crate) async fn explain(
        &self,
        target: &LoginTarget,
        only: Option<(&str, String)>,
    ) -> Result<Explanation> {
        let mut query = vec![
            ("account", target.account.to_string()),
            ("host", target.host.to_string()),
        ];
        query.extend(only);
        self.get_with(paths::EXPLAIN, &query).await
    }

    /// The audit log from its first event on.
    pub(crate) fn audit_events(&self) -> Pages<EventView> {
        self.pages(paths::AUDIT_EVENTS)
    }

    /// The receipt of a write; with patience, as it is when that ends or all have confirmed.
    pub(crate) async fn receipt(
        &self,
        revision: u64,
        waiting: Option<&Waiting>,
    ) -> Result<Followed> {
        match waiting {
            None => {
                let path = fill(paths::RECEIPT, &[&revision.to_string()]);
                self.get::<Receipt>(&path).await.map(Followed::from)
            }
            Some(waiting) => self.follow_receipt(revision, waiting).await,
        }
    }

    pub(crate) async fn audit_head(&self) -> Result<AuditHead> {
        self.get(paths::AUDIT_HEAD).await
    }
}
