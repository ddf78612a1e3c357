//! What the console's pages show: filled by their endpoint, shown by the templates `setup*`.

use countersign_model::Timestamp;
use serde::Serialize;

/// A page of the console. Nothing in it is a secret; numbers come masked.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SetupView {
    /// Whether everybody is seen, whatever organization they belong to.
    pub everybody: bool,
    /// Names of the organizations whose people are seen otherwise.
    pub organizations: Vec<String>,
    /// `setup_users`: what was searched for.
    pub search: String,
    /// `setup_users`: whether this is not the first page.
    pub further: bool,
    /// `setup_users`: the people of this page.
    pub people: Vec<SetupPerson>,
    /// `setup_users`: address of the next page.
    pub next: Option<String>,
    /// `setup_user`, `setup_reset`: the person.
    pub person: SetupPerson,
    /// `setup_user`: whether the account may be changed.
    pub changeable: bool,
    /// `setup_user`: the person's attempts, newest first.
    pub attempts: Vec<SetupAttempt>,
    /// `setup_user`: what happened outside of attempts, newest first.
    pub other: Vec<SetupEvent>,
}

/// A person.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SetupPerson {
    /// Their id, the last part of their page's address.
    pub id: String,
    /// What they are called: name, else mail address or user name.
    pub name: String,
    /// Mail address on file.
    pub email: Option<String>,
    /// User name.
    pub username: Option<String>,
    /// Organization they belong to.
    pub organization: Option<String>,
    /// `complete`, `unfinished` or `disabled`.
    pub state: String,
    /// When the registration was completed.
    pub registered_at: Option<Timestamp>,
    /// Kinds of their factors: `mailbox`, `phone`, `totp`, `passkey`.
    pub factors: Vec<String>,
    /// Phone number, masked (`XXX-XXX-3661`).
    pub phone: Option<String>,
    /// When they signed in last.
    pub signed_in_at: Option<Timestamp>,
}

/// An attempt of theirs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SetupAttempt {
    /// When it began.
    pub at: Option<Timestamp>,
    /// `signed_in`, `stopped`, `waiting`, `abandoned` or `mailed`.
    pub result: String,
    /// Why, in English.
    pub why: String,
    /// What happened and what was sent, oldest first.
    pub events: Vec<SetupEvent>,
}

/// Something that happened.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SetupEvent {
    /// When.
    pub at: Option<Timestamp>,
    /// What, in English.
    pub line: String,
}
