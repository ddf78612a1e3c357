//! What a page is told. Plain data, filled by whoever answers the request.

use std::collections::BTreeMap;

use serde::Serialize;

use super::terms::TermsView;
use super::{AccountView, Locale, SetupView};

/// One page to be rendered. Start from [`PageRequest::new`] and set what the page needs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PageRequest {
    /// The page, by its template key: `sign_in`, `email_verify`, `error` ...
    pub page: String,
    /// The policy it belongs to, so that `policy.page.key` wins over `page.key`; empty outside of flows.
    pub policy: String,
    /// The language.
    pub locale: Locale,
    /// The brand's id; an unknown one is shown as `default`.
    pub brand: String,
    /// The application that sent the person here, by its display name.
    pub application: Option<String>,
    /// This page's own path and query, for the language links; none where the page answers a POST.
    pub here: Option<String>,
    /// Where the page posts to; pages without controls need none.
    pub form: Option<FormView>,
    /// Of a code's page: `unsent`, `sent`, `verified` or `calling`.
    pub state: String,
    /// The inputs, in order.
    pub fields: Vec<FieldView>,
    /// The buttons that this step offers.
    pub controls: Vec<ControlView>,
    /// `login_options`: the buttons in the columns. Each is labelled by the text of its id.
    pub options: Vec<OptionView>,
    /// `login_options`: the sentences below the columns, each the text of its id with the button in `[ ]`.
    pub links: Vec<OptionView>,
    /// The Remember Me boxes.
    pub boxes: Vec<BoxView>,
    /// What is to be said at the top: errors, confirmations.
    pub notices: Vec<NoticeView>,
    /// Values that texts and templates use; [`values`] names them.
    pub values: BTreeMap<String, String>,
    /// `consent`: what the application asks for.
    pub scopes: Vec<ScopeView>,
    /// `consent`: what else the application shows of itself.
    pub asker: Option<AskerView>,
    /// `select_account`: the browser's accounts.
    pub accounts: Vec<AccountOption>,
    /// `form_post`: the fields of the response, for the client at `form.action`.
    pub hidden: Vec<HiddenView>,
    /// `logged_out`: addresses of applications that hear of the logout in the browser.
    pub frames: Vec<String>,
    /// `terms`: the document; none where it is missing.
    pub terms: Option<TermsView>,
    /// `totp_enrol`: the picture to scan.
    pub qr: Option<QrView>,
    /// `recovery_codes`: the codes, shown once.
    pub recovery_codes: Vec<String>,
    /// `account`: the account.
    pub account: Option<AccountView>,
    /// `setup` and the like: the console.
    pub setup: Option<SetupView>,
    /// The id under which the logs know this request.
    pub request_id: String,
}

impl PageRequest {
    /// A page with nothing on it but its texts.
    pub fn new(page: &str, locale: Locale, brand: &str) -> Self {
        Self { page: page.to_owned(), locale, brand: brand.to_owned(), ..Self::default() }
    }

    /// This page with the value `name` set.
    #[must_use]
    pub fn with_value(mut self, name: &str, value: impl Into<String>) -> Self {
        self.values.insert(name.to_owned(), value.into());
        self
    }
}

/// The names in [`PageRequest::values`] that the shipped pages know; spans are whole seconds in decimal.
pub mod values {
    /// The mail address or number on file, already masked.
    pub const MASKED: &str = "masked";
    /// The mail address that was typed, in full.
    pub const ADDRESS: &str = "address";
    /// The number that was typed, in full.
    pub const NUMBER: &str = "number";
    /// The digits to be typed on the telephone's keypad.
    pub const KEYPAD_CODE: &str = "keypad_code";
    /// The least number of characters of a new password.
    pub const PASSWORD_MIN: &str = "password_min";
    /// The organization that a new person belongs to, by name.
    pub const ORGANIZATION: &str = "organization";
    /// `new_password`: full name of whom it is for, as far as the account knows.
    pub const KNOWN_NAME: &str = "known_name";
    /// `new_password`: their mail address.
    pub const KNOWN_EMAIL: &str = "known_email";
    /// The authenticator's seed in base32, in groups.
    pub const TOTP_SECRET: &str = "totp_secret";
    /// What a passkey's ceremony begins with, as JSON.
    pub const PASSKEY_OPTIONS: &str = "passkey_options";
    /// Until the code sent expires; counted down on the page.
    pub const CODE_LEFT: &str = "code_left";
    /// How long a code lives, said before it is sent.
    pub const CODE_TTL: &str = "code_ttl";
    /// How many digits a code has.
    pub const CODE_DIGITS: &str = "code_digits";
    /// `button`, or `auto+button` when the page goes on by itself at the last digit.
    pub const SUBMIT: &str = "submit";
    /// How long a login is remembered.
    pub const REMEMBER_FOR: &str = "remember_for";
    /// How long a link lives that a person has mailed to themselves.
    pub const LINK_TTL: &str = "link_ttl";
    /// How long the link of an administrator's invitation lives.
    pub const INVITATION_TTL: &str = "invitation_ttl";
    /// Until a code may be sent again.
    pub const RESEND_IN: &str = "resend_in";
    /// Until this page ends when nothing happens; a warning appears a minute before.
    pub const ENDS_IN: &str = "ends_in";
    /// How long to wait before trying again.
    pub const RETRY_AFTER: &str = "retry_after";
    /// `message`, `flow_gone`, `out_of_date`: a path of this server where the person goes on; `logged_out`: the address that
    /// the application registered for that.
    pub const HREF: &str = "href";
    /// A dead link's page: where LOGIN leads.
    pub const LOGIN: &str = "login";
    /// The registered error code (RFC 6749, 4.1.2.1 and its extensions).
    pub const ERROR: &str = "error";
    /// `error`: the fixed public description, in English.
    pub const DESCRIPTION: &str = "description";

    /// Every one of them.
    pub const ALL: [&str; 24] = [
        MASKED,
        ADDRESS,
        NUMBER,
        KEYPAD_CODE,
        PASSWORD_MIN,
        ORGANIZATION,
        KNOWN_NAME,
        KNOWN_EMAIL,
        TOTP_SECRET,
        PASSKEY_OPTIONS,
        CODE_LEFT,
        CODE_TTL,
        CODE_DIGITS,
        SUBMIT,
        REMEMBER_FOR,
        LINK_TTL,
        INVITATION_TTL,
        RESEND_IN,
        ENDS_IN,
        RETRY_AFTER,
        HREF,
        LOGIN,
        ERROR,
        DESCRIPTION,
    ];
}

/// The form's frame.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FormView {
    /// Where it posts to.
    pub action: String,
    /// The page's nonce, bound to instance and browser.
    pub nonce: String,
    /// The sealed request, on a first page that has no stored instance yet.
    pub start: Option<String>,
}

/// One input.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FieldView {
    /// The name it is posted under; its label is the text `field.<name>`.
    pub name: String,
    /// The type attribute: `email`, `password`, `tel`, `text`, `hidden`, `checkbox`; or `select`.
    pub kind: String,
    /// The autocomplete token (HTML, 4.10.18.7); empty: off. A `one-time-code` is shown in large digits.
    pub autocomplete: String,
    /// The input mode; empty for the default.
    pub inputmode: String,
    /// The most characters it takes.
    pub max_length: usize,
    /// Whether it must be filled in.
    pub required: bool,
    /// What it shows; never set for passwords and codes.
    pub value: String,
    /// `select`: what may be chosen.
    pub choices: Vec<ChoiceView>,
}

/// One line of a select.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ChoiceView {
    /// Its value.
    pub value: String,
    /// Its words.
    pub label: String,
}

/// A QR code as the path of an SVG, one unit per module, with its quiet zone.
#[derive(Clone, Debug, Default, Serialize)]
pub struct QrView {
    /// Units per side.
    pub size: u32,
    /// Path of the dark modules.
    pub path: String,
}

/// One button, posted as `do=<value>`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ControlView {
    /// The control's name in the policy language; its label is the text `control.<value>`.
    pub value: String,
    /// Whether it may be pressed now.
    pub enabled: bool,
}

/// One way on from a choice, posted as `do=<id>`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OptionView {
    /// Its value and message key.
    pub id: String,
    /// The Remember Me box it reads; `remember_employees` puts it into the employees' column.
    pub remember: Option<String>,
}

/// One Remember Me box.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BoxView {
    /// `remember_employees`, `remember_customers`, or `remember` on a sign-in page.
    pub name: String,
    /// Whether it comes ticked.
    pub checked: bool,
}

/// Something said at the top of the page.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NoticeView {
    /// The text `notice.<key>`.
    pub key: String,
    /// How it is said.
    pub tone: Tone,
    /// The input it is about, whose side it is repeated at.
    pub field: Option<String>,
}

/// How a notice is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// For information.
    #[default]
    Info,
    /// It worked.
    Success,
    /// It did not; focused, and announced at once.
    Error,
}

/// A scope that a client asks for.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ScopeView {
    /// The scope; the text `scope.<name>` says it in words.
    pub name: String,
    /// The words for a scope that has no text, from its registration.
    pub description: Option<String>,
}

/// What an application registered to be shown of itself.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AskerView {
    /// Host that its answer goes to, where it registered itself: the one thing that it cannot make up.
    pub host: Option<String>,
    /// The loopback address that its answer goes to: any program on the person's computer may listen there.
    pub here: Option<String>,
    /// Address of its logo.
    pub logo: Option<String>,
    /// Its home page.
    pub home: Option<String>,
    /// What it does with data.
    pub policy: Option<String>,
    /// Its terms of service.
    pub terms: Option<String>,
    /// Whose data it asks for: the account, as its person knows it.
    pub account: String,
}

/// An account that may be chosen, posted as `account=<id>`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AccountOption {
    /// Its id.
    pub id: String,
    /// The person's name; empty: none is on file.
    pub name: String,
    /// Mail address or user name.
    pub address: String,
}

/// A field of a `form_post` response.
#[derive(Clone, Debug, Default, Serialize)]
pub struct HiddenView {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}
