//! What the admin API tells: no secret, no whole phone number. Times are seconds since 1970.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_flow::mask_email;
use countersign_model::{
    Account, AuditEvent, AuthMethod, BrowserSession, Client, ClientSecret, Factor, FactorKind, Organization, Role,
    SigningKey, Timestamp,
};
use countersign_protocol::keys::choose_signing_key;
use serde::Serialize;
use utoipa::ToSchema;

use crate::audit_log::ProvenEntry;
use crate::clients;
use crate::effects::mask_phone;

/// A person's account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UserView {
    /// Its id, the `sub` of public subjects.
    pub id: String,
    /// Mail address on file.
    pub email: Option<String>,
    /// Name of the legacy portal.
    pub username: Option<String>,
    /// Full name.
    pub name: Option<String>,
    /// Id of the organization the person belongs to.
    pub organization: Option<String>,
    /// `active`, `disabled` or `closed`.
    pub status: String,
    /// What the person may do at the console.
    pub roles: Vec<String>,
    /// When the registration was completed; none: it is still to be.
    pub registered_at: Option<i64>,
    /// What the person signs in with beside a password.
    pub factors: Vec<FactorView>,
    /// When the account was made.
    pub created_at: i64,
}

/// A factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FactorView {
    /// Its id.
    pub id: String,
    /// `mailbox`, `phone`, `totp` or `passkey`.
    pub kind: String,
    /// What the person calls it.
    pub name: Option<String>,
    /// Mail address or number, masked.
    pub masked: Option<String>,
    /// When it was bound.
    pub bound_at: i64,
}

/// A page of accounts, by name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UserPage {
    /// The accounts.
    pub users: Vec<UserView>,
    /// What `after` is for the next page; none: this is the last one.
    pub next: Option<String>,
}

/// A browser's sign-in session.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionView {
    /// Its id, the `sid` of tokens.
    pub id: String,
    /// Browser and system in words.
    pub device: Option<String>,
    /// Address it began from.
    pub address: Option<String>,
    /// When it began.
    pub created_at: i64,
    /// When it was used last.
    pub seen_at: i64,
    /// Its absolute end.
    pub expires_at: i64,
}

/// The live sessions of a person, the last used first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionList {
    /// The sessions.
    pub sessions: Vec<SessionView>,
}

/// An entry of the audit.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventView {
    /// Its id.
    pub id: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// What happened, such as `token.issued`.
    pub kind: String,
    /// `success` or `failure`.
    pub outcome: String,
    /// Whom it concerns.
    pub subject: Option<String>,
    /// Client.
    pub client: Option<String>,
    /// Grant.
    pub grant: Option<String>,
    /// Id of the token.
    pub jti: Option<String>,
    /// Half of the flow's id.
    pub flow: Option<String>,
    /// Id of the request.
    pub request: Option<String>,
    /// Where it came from.
    pub address: Option<String>,
    /// What depends on the kind.
    #[schema(value_type = Object)]
    pub detail: serde_json::Map<String, serde_json::Value>,
}

/// A page of the audit, the newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditPage {
    /// The entries.
    pub events: Vec<EventView>,
    /// What `after` is for the next page; none: this is the last one.
    pub next: Option<String>,
}

/// An entry and the proof that it is in the log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProofView {
    /// Its place; the first is 0.
    pub position: u64,
    /// The bytes that are hashed: one line of JSON. Absent when the event was removed because its class is kept no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// The proof (C2SP tlog-proof), its checkpoint within.
    pub proof: String,
}

/// What the log proves of a token.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProofList {
    /// Its entries, oldest first.
    pub proofs: Vec<ProofView>,
}

/// A client.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RegisteredClient {
    /// Its id.
    pub client_id: String,
    /// Its name.
    pub client_name: String,
    /// Ways it may prove itself.
    pub auth_methods: Vec<String>,
    /// Where answers may go.
    pub redirect_uris: Vec<String>,
    /// What it may ask tokens by.
    pub grant_types: Vec<String>,
    /// What it may ask for.
    pub scope: String,
    /// Policies it may name.
    pub policies: Vec<String>,
    /// Whether it registered itself.
    pub registered_itself: bool,
    /// Whether it is refused.
    pub disabled: bool,
    /// When it was registered.
    pub created_at: i64,
    /// Its secrets, the newest first: never what they are.
    pub secrets: Vec<SecretView>,
    /// Its ETag.
    #[serde(skip)]
    pub version: String,
}

/// A secret of a client.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SecretView {
    /// When it was made.
    pub created_at: i64,
    /// Until when it works; none: until another is made.
    pub expires_at: Option<i64>,
}

/// A client, with the secret that was made for it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClientMade {
    /// The client.
    pub client: RegisteredClient,
    /// Its new secret, told this once; none: it needs none, or it was told before.
    pub client_secret: Option<String>,
}

/// Every client, by id.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClientList {
    /// The clients.
    pub clients: Vec<RegisteredClient>,
}

/// A provider group.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OrganizationView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its National Provider Identifier.
    pub npi: String,
    /// What it takes for one.
    pub validator: String,
    /// Changes with what is not told of it.
    #[serde(skip)]
    pub(crate) version: String,
}

/// The provider groups that the caller sees, by name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OrganizationList {
    /// The groups.
    pub organizations: Vec<OrganizationView>,
}

/// A role of a person.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RoleView {
    /// `administrator`, `provider_administrator`, `help_desk` or `security_auditor`.
    pub role: String,
    /// Of a provider administrator: the organizations whose people they look after.
    pub organizations: Vec<OrganizationView>,
}

/// The roles of a person.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RoleList {
    /// The roles.
    pub roles: Vec<RoleView>,
}

/// A signing key's public side.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KeyView {
    /// Its id.
    pub kid: String,
    /// Its algorithm.
    pub alg: String,
    /// `announced`: it is published and signs nothing yet; `signs`; `verifies`: what it signed is still good.
    pub state: String,
    /// When it was made.
    pub created_at: i64,
    /// When it begins to sign.
    pub use_from: i64,
    /// Until when it is published; none: it is not decided.
    pub retire_at: Option<i64>,
}

/// The published signing keys.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KeyList {
    /// The keys.
    pub keys: Vec<KeyView>,
}

/// A policy that runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PolicyView {
    /// Its id.
    pub id: String,
    /// Digest of its text, as running flows are pinned to it: half of SHA-256, in hexadecimal.
    pub digest: String,
    /// The acr it issues.
    pub acr: Option<String>,
}

/// The policies that run on the node that answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PolicyList {
    /// The policies, by id.
    pub policies: Vec<PolicyView>,
}

/// Changes with everything that is told of something: the strong validator of RFC 9110, 8.8.3.
fn version_of(told: &impl Serialize) -> String {
    let told = serde_json::to_vec(told).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, &told).as_ref()[..16])
}

impl UserView {
    pub(crate) fn of(account: &Account) -> Self {
        let user = &account.user;
        Self {
            id: user.id.to_string(),
            email: user.email.clone(),
            username: user.username.clone(),
            name: user.profile.name.clone(),
            organization: user.organization.as_ref().map(ToString::to_string),
            status: user.status.as_str().to_owned(),
            roles: user.roles.iter().copied().map(Role::as_str).map(str::to_owned).collect(),
            registered_at: user.registered_at.map(Timestamp::as_secs),
            factors: account.factors.iter().map(FactorView::of).collect(),
            created_at: user.created_at.as_secs(),
        }
    }

    /// Changes with everything that is told of the account: the strong validator of RFC 9110, 8.8.3.
    pub fn version(&self) -> String {
        version_of(self)
    }
}

impl FactorView {
    fn of(factor: &Factor) -> Self {
        let masked = match factor.kind {
            FactorKind::Mailbox => Some(mask_email(&factor.value)),
            FactorKind::Phone => Some(mask_phone(&factor.value)),
            FactorKind::Totp | FactorKind::Passkey => None,
        };
        Self {
            id: factor.id.to_string(),
            kind: factor.kind.as_str().to_owned(),
            name: factor.name.clone(),
            masked,
            bound_at: factor.bound_at.as_secs(),
        }
    }
}

impl SessionView {
    pub(super) fn of(session: BrowserSession) -> Self {
        Self {
            id: session.id.to_string(),
            device: session.device,
            address: session.address,
            created_at: session.created_at.as_secs(),
            seen_at: session.seen_at.as_secs(),
            expires_at: session.expires_at.as_secs(),
        }
    }
}

impl EventView {
    pub(super) fn of(event: AuditEvent) -> Self {
        Self {
            id: event.id.to_string(),
            at: event.at.as_millis(),
            kind: event.kind.as_str().to_owned(),
            outcome: event.outcome.as_str().to_owned(),
            subject: event.subject.map(|subject| subject.to_string()),
            client: event.client.map(|client| client.to_string()),
            grant: event.grant.map(|grant| grant.to_string()),
            jti: event.jti,
            flow: event.flow,
            request: event.request,
            address: event.address,
            detail: event.detail,
        }
    }
}

impl ProofView {
    pub(super) fn of(proven: ProvenEntry) -> Self {
        Self { position: proven.position, entry: proven.entry, proof: proven.proof }
    }
}

impl RegisteredClient {
    pub(crate) fn of(client: Client) -> Self {
        let secret = |secret: &ClientSecret| SecretView {
            created_at: secret.created_at.as_secs(),
            expires_at: secret.expires_at.map(Timestamp::as_secs),
        };
        Self {
            version: clients::version_of(&client),
            secrets: client.secrets.iter().map(secret).collect(),
            client_id: client.id.to_string(),
            client_name: client.name,
            auth_methods: client.auth_methods.iter().copied().map(AuthMethod::as_str).map(str::to_owned).collect(),
            redirect_uris: client.redirect_uris,
            grant_types: client.grant_types,
            scope: client.scope.to_string(),
            policies: client.allowed_policies,
            registered_itself: client.registration.is_some(),
            disabled: client.disabled,
            created_at: client.created_at.as_secs(),
        }
    }
}

impl OrganizationView {
    pub(super) fn of(organization: Organization) -> Self {
        Self {
            id: organization.id.to_string(),
            name: organization.name,
            npi: organization.npi,
            validator: organization.validator.as_str().to_owned(),
            version: version_of(&organization.registration_code.as_slice()),
        }
    }

    /// Its ETag.
    pub fn version(&self) -> String {
        version_of(&(self, &self.version))
    }
}

impl KeyView {
    pub(super) fn of(key: &SigningKey, all: &[SigningKey], now: Timestamp) -> Self {
        let signer = choose_signing_key(all, key.algorithm, now);
        let state = match signer {
            _ if now < key.use_from => "announced",
            Some(signer) if signer.id == key.id => "signs",
            _ => "verifies",
        };
        Self {
            state: state.to_owned(),
            kid: key.id.to_string(),
            alg: key.algorithm.as_str().to_owned(),
            created_at: key.created_at.as_secs(),
            use_from: key.use_from.as_secs(),
            retire_at: key.retire_at.map(Timestamp::as_secs),
        }
    }
}
