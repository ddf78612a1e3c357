//! What the own account page shows: filled by its endpoint, shown by the template `account`.
//!
//! Every form of the page posts to `/account` with `nonce`, `do` and, for one row of a list, `id`. `do` is an id of
//! [`AccountView::actions`], or `end_session`, `forget_remembered`, `withdraw_grant`, `withdraw_consent`, `remove_factor`, `end_all_sessions`,
//! `export`, `logout`.

use countersign_model::Timestamp;
use serde::Serialize;

/// A person's own account. Nothing in it is a secret; numbers come masked.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AccountView {
    /// Nonce of the page's forms.
    pub nonce: String,
    /// Display name.
    pub name: String,
    /// User name.
    pub username: Option<String>,
    /// Mail address, in full: its owner is signed in.
    pub email: Option<String>,
    /// Phone number, masked (`XXX-XXX-3661`).
    pub phone: Option<String>,
    /// When the password was set last; none: there is no password.
    pub password_set_at: Option<Timestamp>,
    /// Authenticator apps, passkeys and recovery codes.
    pub factors: Vec<AccountFactor>,
    /// Where the person is signed in.
    pub sessions: Vec<AccountSession>,
    /// Browsers that remember a login.
    pub remembered: Vec<AccountRemembered>,
    /// Applications with access.
    pub grants: Vec<AccountGrant>,
    /// What applications of others were allowed.
    pub consents: Vec<AccountGrant>,
    /// What can be changed: policies of purpose `enrol` whose policy is loaded, by id (`change-password`, `change-email`,
    /// `change-phone`, `totp-enrol`, `passkey-enrol`, `recovery-codes-enrol`, `close-account`).
    pub actions: Vec<String>,
    /// Whether the person looks after other people: a link to the console.
    pub administers: bool,
    /// Key of what has just happened (`account.notice.<key>`): `changed`, `session_ended`, `forgotten`, `withdrawn`, `removed`.
    pub notice: Option<String>,
}

/// A way to prove who one is, beside mail, phone and password.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AccountFactor {
    /// Id that `remove_factor` posts.
    pub id: String,
    /// `totp`, `passkey` or `recovery_codes`.
    pub kind: String,
    /// Name the person gave it.
    pub name: Option<String>,
    /// When it was added.
    pub added_at: Option<Timestamp>,
    /// When it was used last.
    pub used_at: Option<Timestamp>,
    /// How many recovery codes are left.
    pub left: Option<u32>,
    /// Whether it may be removed here.
    pub removable: bool,
}

/// A browser session.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AccountSession {
    /// Id that `end_session` posts.
    pub id: String,
    /// Short description of browser and system.
    pub device: Option<String>,
    /// Address it came from.
    pub address: Option<String>,
    /// When the person signed in.
    pub begun_at: Option<Timestamp>,
    /// When it was used last.
    pub used_at: Option<Timestamp>,
    /// Whether it is this one.
    pub current: bool,
}

/// A remembered login.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AccountRemembered {
    /// Id that `forget_remembered` posts.
    pub id: String,
    /// Policy that it answers for, such as `phone`.
    pub policy: String,
    /// Short description of browser and system.
    pub device: Option<String>,
    /// When it ends.
    pub until: Option<Timestamp>,
}

/// What an application may do.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AccountGrant {
    /// Id that `withdraw_grant` or `withdraw_consent` posts.
    pub id: String,
    /// Its display name.
    pub application: String,
    /// Scopes it has.
    pub scopes: Vec<String>,
    /// Since when.
    pub since: Option<Timestamp>,
}
