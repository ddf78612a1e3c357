//! People, what they sign in with, and what is known of them.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{FactorId, OrganizationId, Timestamp, UserId};

/// Whether a person may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserStatus {
    /// May sign in.
    Active,
    /// Refused, in the same words as a wrong password.
    Disabled,
    /// Closed by the person: refused for good, and nothing personal is left.
    Closed,
}

impl UserStatus {
    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Closed => "closed",
        }
    }

    /// The status meant by `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Active, Self::Disabled, Self::Closed].into_iter().find(|status| status.as_str() == word)
    }
}

/// What a person may do in the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Administrator,
    /// The users of the own organizations.
    ProviderAdministrator,
    /// Timelines and resets.
    HelpDesk,
    /// Reads the audit, changes nothing.
    SecurityAuditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] =
        [Self::Administrator, Self::ProviderAdministrator, Self::HelpDesk, Self::SecurityAuditor];

    /// The word in the database and the audit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::ProviderAdministrator => "provider_administrator",
            Self::HelpDesk => "help_desk",
            Self::SecurityAuditor => "security_auditor",
        }
    }

    /// The role meant by `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// The standard claims of a person (OpenID Connect Core, 5.1), each as it is released.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Full name.
    pub name: Option<String>,
    /// First name.
    pub given_name: Option<String>,
    /// Last name.
    pub family_name: Option<String>,
    /// Middle name.
    pub middle_name: Option<String>,
    /// Casual name.
    pub nickname: Option<String>,
    /// Name the person wants to be called by.
    pub preferred_username: Option<String>,
    /// Profile page.
    pub profile: Option<String>,
    /// Picture.
    pub picture: Option<String>,
    /// Web site.
    pub website: Option<String>,
    /// Gender.
    pub gender: Option<String>,
    /// Birthday, `YYYY-MM-DD`.
    pub birthdate: Option<String>,
    /// Time zone, such as `America/Chicago`.
    pub zoneinfo: Option<String>,
    /// Locale, BCP 47.
    pub locale: Option<String>,
    /// Postal address (Core, 5.1.1).
    pub address: Option<PostalAddress>,
    /// Phone to reach them by, E.164; verified only when it is also a bound factor.
    pub phone_number: Option<String>,
}

/// A postal address (OpenID Connect Core, 5.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PostalAddress {
    /// The whole address, lines separated by `\n`.
    pub formatted: Option<String>,
    /// Street and number.
    pub street_address: Option<String>,
    /// City.
    pub locality: Option<String>,
    /// State.
    pub region: Option<String>,
    /// ZIP code.
    pub postal_code: Option<String>,
    /// Country.
    pub country: Option<String>,
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id; the `sub` of public subjects.
    pub id: UserId,
    /// Mail address on file, lower case; they sign in with it once they are registered.
    pub email: Option<String>,
    /// Name of the legacy portal, lower case.
    pub username: Option<String>,
    /// Whether they may sign in.
    pub status: UserStatus,
    /// Provider group they belong to.
    pub organization: Option<OrganizationId>,
    /// What they may do in the console.
    pub roles: Vec<Role>,
    /// Standard claims.
    pub profile: Profile,
    /// Fax number, E.164.
    pub fax: Option<String>,
    /// Language to write to them in, BCP 47; none: that of their browser.
    pub locale: Option<String>,
    /// Version of the Terms of Use they accepted last.
    pub terms_version: Option<String>,
    /// When their registration was completed; none: it is still to be.
    pub registered_at: Option<Timestamp>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When anything above changed last.
    pub updated_at: Timestamp,
}

/// A person's password, as a PHC string.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordCredential {
    /// argon2id with its parameters and salt.
    pub phc: Zeroizing<String>,
    /// When it was set.
    pub changed_at: Timestamp,
}

impl std::fmt::Debug for PasswordCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordCredential").field("changed_at", &self.changed_at).finish_non_exhaustive()
    }
}

/// A password of the legacy portal, imported: good for moving over, never for signing in as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct LegacyCredential {
    /// Hash as imported: a PHC string or bcrypt's own form.
    pub phc: Zeroizing<String>,
    /// When it was imported.
    pub imported_at: Timestamp,
}

impl std::fmt::Debug for LegacyCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LegacyCredential").field("imported_at", &self.imported_at).finish_non_exhaustive()
    }
}

/// What a factor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactorKind {
    /// A mailbox that receives codes.
    Mailbox,
    /// A phone that receives codes and calls.
    Phone,
    /// An authenticator app.
    Totp,
    /// A passkey; a person may have several.
    Passkey,
}

impl FactorKind {
    /// The word in the database and the audit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mailbox => "mailbox",
            Self::Phone => "phone",
            Self::Totp => "totp",
            Self::Passkey => "passkey",
        }
    }

    /// The kind meant by `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Mailbox, Self::Phone, Self::Totp, Self::Passkey].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A second factor bound to a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Factor {
    /// Its id.
    pub id: FactorId,
    /// Whose it is.
    pub user: UserId,
    /// What it is.
    pub kind: FactorKind,
    /// Mail address or E.164 number in clear; a TOTP seed sealed under the master key, in base64; a
    /// passkey's public credential as JSON.
    pub value: String,
    /// What the person calls it; for passkeys, of which there may be several.
    pub name: Option<String>,
    /// Last time step of a TOTP code that was spent; a code counts once.
    pub last_step: Option<i64>,
    /// When it was bound.
    pub bound_at: Timestamp,
    /// When it was used last, as far as that is noted.
    pub used_at: Option<Timestamp>,
}

impl std::fmt::Debug for Factor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Factor").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// A person with everything a sign-in needs, read in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The person.
    pub user: User,
    /// Their password, if they have one.
    pub password: Option<PasswordCredential>,
    /// Their imported password of the legacy portal, until they have moved over.
    pub legacy: Option<LegacyCredential>,
    /// Their factors, oldest first.
    pub factors: Vec<Factor>,
}

impl Account {
    /// The first factor of `kind`.
    pub fn factor(&self, kind: FactorKind) -> Option<&Factor> {
        self.factors.iter().find(|factor| factor.kind == kind)
    }
}
