//! Nouns to store.

use countersign_model::{
    Account, AuditEvent, AuditId, AuditKind, AuditOutcome, AuthMethod, Authentication, AuthorizationCode,
    BrowserSession, Client, ClientSecret, Fact, FactSet, Factor, FactorId, FactorKind, FederatedIdentity, Grant,
    GrantId, KeyedHash, KnownDevice, LegacyCredential, Link, OutboxId, OutboxMessage, OutboxState, PasswordCredential,
    Profile, RecoveryCode, RefreshToken, RememberedLogin, RequestedClaims, Role, Seconds, SessionId, SigningAlgorithm,
    Timestamp, TokenBinding, User, UserId, UserStatus,
};
use countersign_store::{StoreError, Tx};
use countersign_tests::stores::TestDatabase;
use serde_json::{Map, json};

pub const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

pub fn later(seconds: u32) -> Timestamp {
    NOW.plus(Seconds::new(seconds))
}

/// Ten bytes that differ by `number`.
fn random(number: u32) -> [u8; 10] {
    let mut bytes = [7; 10];
    bytes[6..].copy_from_slice(&number.to_be_bytes());
    bytes
}

pub fn hash(number: u32) -> KeyedHash {
    let mut hash = [9; 32];
    hash[28..].copy_from_slice(&number.to_be_bytes());
    hash
}

pub fn user_id(number: u32) -> UserId {
    UserId::new(NOW, random(number))
}

pub fn account(number: u32) -> Account {
    let user = user_id(number);
    Account {
        user: User {
            id: user.clone(),
            email: Some(format!("pat{number}@example.test")),
            username: Some(format!("pat{number}")),
            status: UserStatus::Active,
            organization: None,
            roles: vec![Role::HelpDesk],
            profile: Profile {
                name: Some("Pat Ñandú".to_owned()),
                locale: Some("es".to_owned()),
                ..Profile::default()
            },
            fax: Some("+12025550100".to_owned()),
            locale: Some("es".to_owned()),
            terms_version: Some("2026-01".to_owned()),
            registered_at: Some(later(2)),
            created_at: NOW,
            updated_at: later(1),
        },
        password: Some(PasswordCredential { phc: format!("$argon2id${number}").into(), changed_at: NOW }),
        legacy: Some(LegacyCredential { phc: format!("$2b$10${number}").into(), imported_at: NOW }),
        factors: vec![
            factor(number * 2, &user, FactorKind::Mailbox, NOW),
            factor(number * 2 + 1, &user, FactorKind::Totp, later(1)),
        ],
    }
}

/// Account `number` as it comes with a grant.
pub fn holder(number: u32) -> Account {
    Account { legacy: None, ..account(number) }
}

pub fn factor(number: u32, user: &UserId, kind: FactorKind, bound_at: Timestamp) -> Factor {
    let id = FactorId::new(NOW, random(number));
    Factor {
        id,
        user: user.clone(),
        kind,
        value: "pat@example.test".to_owned(),
        name: Some("Blue key".to_owned()),
        last_step: None,
        bound_at,
        used_at: Some(later(3)),
    }
}

pub fn client(id: &str) -> Client {
    Client {
        name: "Portal".to_owned(),
        secrets: vec![ClientSecret { hash: hash(1), created_at: NOW, expires_at: None, sealed: None }],
        auth_methods: vec![AuthMethod::ClientSecretBasic],
        redirect_uris: vec!["https://portal.example.test/callback".to_owned()],
        grant_types: vec!["authorization_code".to_owned()],
        response_types: vec!["code".to_owned()],
        scope: "openid email".parse().unwrap(),
        require_pkce: true,
        id_token_alg: SigningAlgorithm::RS256,
        access_token_alg: SigningAlgorithm::ES256,
        default_policy: "email".to_owned(),
        allowed_policies: vec!["email".to_owned()],
        first_party: true,
        ..Client::new(id.parse().unwrap(), NOW)
    }
}

pub fn authentication(number: u32) -> Authentication {
    Authentication {
        user: user_id(number),
        session: SessionId::new(NOW, random(number)),
        auth_time: NOW,
        acr: "urn:countersign:acr:email".to_owned(),
        amr: vec!["pwd".to_owned()],
        facts: FactSet::EMPTY.with(Fact::Password).with(Fact::Mailbox),
        policy: "email".to_owned(),
        subject: None,
    }
}

/// Grant `number` of account `number`.
pub fn grant(number: u32) -> Grant {
    Grant {
        id: GrantId::new(NOW, random(number)),
        client: "portal".parse().unwrap(),
        authentication: authentication(number),
        scope: "openid email".parse().unwrap(),
        nonce: Some("n-0S6_WzA2Mj".to_owned()),
        claims: RequestedClaims { userinfo: vec!["name".to_owned()], id_token: Vec::new() },
        resources: vec!["https://cases.example.test/api".to_owned()],
        created_at: NOW,
        revoked_at: None,
    }
}

/// Code `number` of grant `of`.
pub fn code(number: u32, of: &Grant) -> AuthorizationCode {
    AuthorizationCode {
        hash: hash(number),
        grant: of.id.clone(),
        client: of.client.clone(),
        redirect_uri: "https://portal.example.test/callback".to_owned(),
        code_challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned()),
        dpop_jkt: Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".to_owned()),
        created_at: NOW,
        expires_at: later(60),
        consumed_at: None,
    }
}

pub fn refresh_token(number: u32, of: &Grant) -> RefreshToken {
    RefreshToken {
        hash: hash(number),
        grant: of.id.clone(),
        client: of.client.clone(),
        scope: of.scope.clone(),
        binding: Some(TokenBinding::Dpop("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".to_owned())),
        created_at: NOW,
        expires_at: later(3600),
        access_jti: Some(format!("jti-{number}")),
        access_used_at: None,
        consumed_at: None,
        revoked_at: None,
    }
}

/// Session `number` of account `number`.
pub fn session(number: u32) -> BrowserSession {
    let authentication = authentication(number);
    BrowserSession {
        id: authentication.session.clone(),
        token: hash(number),
        authentication,
        created_at: NOW,
        seen_at: NOW,
        expires_at: later(3600),
        ended_at: None,
        ticket: None,
        device: Some("Firefox on Linux".to_owned()),
        address: Some("192.0.2.1".to_owned()),
    }
}

/// What browser `browser` remembers for `policy`, of account 1.
pub fn remembered(browser: u32, policy: &str) -> RememberedLogin {
    RememberedLogin {
        browser: hash(browser),
        policy: policy.to_owned(),
        user: user_id(1),
        authentication: authentication(1),
        facts: FactSet::EMPTY.with(Fact::Password).with(Fact::Phone),
        created_at: later(1),
        expires_at: later(4 * 3600),
        device: Some("Firefox on Linux".to_owned()),
    }
}

pub fn event(number: u32, kind: AuditKind) -> AuditEvent {
    AuditEvent {
        id: AuditId::new(later(number), random(number)),
        at: later(number),
        kind,
        outcome: AuditOutcome::Success,
        subject: Some(user_id(number % 2)),
        client: number.is_multiple_of(3).then(|| "portal".parse().unwrap()),
        grant: None,
        jti: None,
        flow: Some("AAAA".to_owned()),
        request: None,
        address: Some("192.0.2.1".to_owned()),
        detail: Map::from_iter([("step".to_owned(), json!("email"))]),
    }
}

pub fn message(number: u32) -> OutboxMessage {
    OutboxMessage {
        id: OutboxId::new(NOW, random(number)),
        idempotency_key: format!("flow/email/1/{number}"),
        channel: "email".to_owned(),
        subject: Some(user_id(1)),
        flow: Some("AAAA".to_owned()),
        template: Some("verification_code".to_owned()),
        sealed: Some(vec![1, 2, 3]),
        state: OutboxState::Queued,
        attempts: 0,
        created_at: NOW,
        due_at: NOW,
        expires_at: later(300),
        carrier: None,
        reference: None,
        status: None,
    }
}

/// Link `number`, of account 1.
pub fn link(number: u32, policy: &str) -> Link {
    Link {
        hash: hash(number),
        policy: policy.to_owned(),
        user: user_id(1),
        client: Some("portal".parse().unwrap()),
        request: Some(vec![4, 5, 6]),
        locale: "es".to_owned(),
        created_at: NOW,
        expires_at: later(600),
        consumed_at: None,
        revoked_at: None,
    }
}

/// Recovery code `number`, of account 1.
pub fn recovery_code(number: u32) -> RecoveryCode {
    RecoveryCode { hash: hash(number), user: user_id(1), created_at: NOW, used_at: None }
}

/// Browser `number` of account 1.
pub fn device(number: u32) -> KnownDevice {
    let description = "Firefox on Linux".to_owned();
    KnownDevice { user: user_id(1), device: hash(number), description, first_seen_at: NOW, last_seen_at: NOW }
}

/// Whom the provider `corporate` knows as `subject`: account 1.
pub fn identity(subject: &str) -> FederatedIdentity {
    FederatedIdentity {
        provider: "corporate".to_owned(),
        subject: subject.to_owned(),
        user: user_id(1),
        email: Some("pat@corp.example.test".to_owned()),
        linked_at: NOW,
        used_at: None,
    }
}

/// Stores account 1.
pub async fn with_account(database: &TestDatabase) {
    let account = account(1);
    let stored: Result<(), StoreError> = database.db.write(async |tx: &mut Tx| tx.insert_account(&account).await).await;
    stored.unwrap();
}

/// Stores account `number` and a grant of it.
pub async fn stored_grant(database: &TestDatabase, number: u32) -> Grant {
    let (account, grant) = (account(number), grant(number));
    let stored: Result<(), StoreError> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_account(&account).await?;
            tx.insert_grant(&grant).await
        })
        .await;
    stored.unwrap();
    grant
}
