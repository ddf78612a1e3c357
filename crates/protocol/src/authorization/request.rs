//! An authorization request that passed every check, compact enough to ride in a running instance.

use countersign_model::{Client, ClientId, KeyedHash, RequestedClaims, Scope, Seconds};
use serde::{Deserialize, Serialize};

use super::redirect_uri::{StoredRedirectUri, ValidRedirectUri};
use super::response_type::ResponseType;
use crate::features::Features;

/// How the answer travels (OAuth 2.0 Multiple Response Types, 2.1; Form Post Response Mode; JARM, 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResponseMode {
    /// In the query of the redirect URI: the default of `code`.
    Query,
    /// In its fragment.
    Fragment,
    /// In a form the browser posts.
    FormPost,
    /// In the query, as one signed JWT.
    QueryJwt,
    /// In the fragment, as one signed JWT.
    FragmentJwt,
    /// In a form, as one signed JWT.
    FormPostJwt,
}

impl ResponseMode {
    /// Every supported mode; `jwt` is one of the last three, by the response type.
    pub const ALL: [Self; 6] =
        [Self::Query, Self::Fragment, Self::FormPost, Self::QueryJwt, Self::FragmentJwt, Self::FormPostJwt];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
            Self::QueryJwt => "query.jwt",
            Self::FragmentJwt => "fragment.jwt",
            Self::FormPostJwt => "form_post.jwt",
        }
    }

    /// The mode that a request for `response_type` means by `word`.
    pub fn from_word(word: &str, response_type: ResponseType) -> Option<Self> {
        if word == "jwt" {
            return Some(Self::default_of(response_type).signed());
        }
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }

    /// The mode where none is asked for (Multiple Response Types, 2.1 and 5).
    pub const fn default_of(response_type: ResponseType) -> Self {
        if response_type.has_front_channel_tokens() { Self::Fragment } else { Self::Query }
    }

    /// Whether the answer is a signed JWT (JARM).
    pub const fn is_signed(self) -> bool {
        matches!(self, Self::QueryJwt | Self::FragmentJwt | Self::FormPostJwt)
    }

    /// Whether it may carry an answer of `response_type`: no token travels in a query (Multiple Response Types, 5;
    /// JARM, 2.3.1).
    pub const fn suits(self, response_type: ResponseType) -> bool {
        !matches!(self, Self::Query | Self::QueryJwt) || !response_type.has_front_channel_tokens()
    }

    /// Whether answers may travel so.
    pub const fn is_on(self, features: Features) -> bool {
        let posted = matches!(self, Self::FormPost | Self::FormPostJwt);
        (features.form_post || !posted) && (features.signed_responses || !self.is_signed())
    }

    /// The same way, signed.
    #[must_use]
    pub const fn signed(self) -> Self {
        match self {
            Self::Query | Self::QueryJwt => Self::QueryJwt,
            Self::Fragment | Self::FragmentJwt => Self::FragmentJwt,
            Self::FormPost | Self::FormPostJwt => Self::FormPostJwt,
        }
    }
}

/// One value of `prompt` (OpenID Connect Core, 3.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Show nothing.
    None,
    /// Authenticate again.
    Login,
    /// Ask for consent.
    Consent,
    /// Let the person choose an account; treated as `login`.
    SelectAccount,
    /// Let them make an account (Initiating User Registration via OpenID Connect 1.0, 4).
    Create,
}

impl Prompt {
    /// Every supported value.
    pub const ALL: [Self; 5] = [Self::None, Self::Login, Self::Consent, Self::SelectAccount, Self::Create];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Login => "login",
            Self::Consent => "consent",
            Self::SelectAccount => "select_account",
            Self::Create => "create",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The values of `prompt`, a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PromptSet(u8);

impl PromptSet {
    /// The set written `text`, values separated by spaces; none: an unknown value, or `none` with others.
    pub fn parse(text: &str) -> Option<Self> {
        let mut set = Self::default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            set.0 |= Prompt::ALL.into_iter().find(|prompt| prompt.as_str() == word)?.bit();
        }
        let contradictory = set.contains(Prompt::None) && set.0 != Prompt::None.bit();
        (!contradictory).then_some(set)
    }

    /// This set and `prompt`.
    #[must_use]
    pub const fn with(self, prompt: Prompt) -> Self {
        Self(self.0 | prompt.bit())
    }

    /// This set but for `prompt`.
    #[must_use]
    pub const fn without(self, prompt: Prompt) -> Self {
        Self(self.0 & !prompt.bit())
    }

    /// Whether `prompt` is in it.
    pub const fn contains(self, prompt: Prompt) -> bool {
        self.0 & prompt.bit() != 0
    }
}

/// A checked authorization request. What it asks for is allowed to its client; where the answer goes is matched
/// against the client again by [`AuthorizationRequest::target`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client: ClientId,
    /// Where the answer goes, once revalidated.
    pub redirect_uri: StoredRedirectUri,
    /// What the answer holds.
    pub response_type: ResponseType,
    /// How the answer travels.
    pub response_mode: ResponseMode,
    /// What is asked for; holds `offline_access` only if the client may refresh.
    pub scope: Scope,
    /// Echoed in every answer.
    pub state: Option<String>,
    /// Echoed in the ID token.
    pub nonce: Option<String>,
    /// What the person must be shown.
    pub prompt: PromptSet,
    /// Age past which the person must authenticate again.
    pub max_age: Option<Seconds>,
    /// Subject of a verified `id_token_hint`.
    pub hint: Option<String>,
    /// Subject the `claims` parameter demands (OpenID Connect Core, 5.5.1).
    pub subject: Option<String>,
    /// What to prefill the sign-in page with.
    pub login_hint: Option<String>,
    /// Preferred languages, best first.
    pub ui_locales: Vec<String>,
    /// Voluntary authentication contexts, best first.
    pub acr_values: Vec<String>,
    /// Essential authentication contexts, one of which must be met; empty: none.
    pub essential_acr: Vec<String>,
    /// Policy named by `p`.
    pub policy: Option<String>,
    /// S256 challenge (RFC 7636, 4.2).
    pub code_challenge: Option<String>,
    /// Claims asked for by name.
    pub claims: RequestedClaims,
    /// Resource servers asked for (RFC 8707), each known and allowed.
    pub resources: Vec<String>,
    /// The pushed request it came as (RFC 9126), by keyed hash: answered once.
    pub pushed: Option<KeyedHash>,
    /// DPoP key that the code is bound to (RFC 9449, 10).
    pub dpop_jkt: Option<String>,
}

/// Where an answer goes and how: a proven redirect URI, the mode, the state to echo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseTarget {
    /// The proven address.
    pub redirect_uri: ValidRedirectUri,
    /// How the answer travels.
    pub mode: ResponseMode,
    /// Echoed unchanged.
    pub state: Option<String>,
}

impl AuthorizationRequest {
    /// Where the answer goes; none: the URI is not `client`'s (any more), so nothing may be redirected.
    pub fn target(&self, client: &Client) -> Option<ResponseTarget> {
        let redirect_uri = self.redirect_uri.revalidate(client).filter(|_| client.id == self.client)?;
        Some(ResponseTarget { redirect_uri, mode: self.response_mode, state: self.state.clone() })
    }

    /// The first of the preferred languages that is one of `spoken`, by its primary subtag: `es-MX` is Spanish.
    pub fn language<'a>(&self, spoken: &'a [String]) -> Option<&'a str> {
        let known = |tag: &String| {
            let primary = tag.split('-').next().unwrap_or_default();
            spoken.iter().find(|spoken| primary.eq_ignore_ascii_case(spoken))
        };
        self.ui_locales.iter().find_map(known).map(String::as_str)
    }

    /// Whether the person must not be shown anything.
    pub const fn is_silent(&self) -> bool {
        self.prompt.contains(Prompt::None)
    }

    /// Whether the person must authenticate now, whatever session there is: `login`, `select_account`, `create`,
    /// `max_age=0`.
    pub fn demands_fresh_login(&self, client: &Client) -> bool {
        let asked = [Prompt::Login, Prompt::SelectAccount, Prompt::Create];
        asked.into_iter().any(|prompt| self.prompt.contains(prompt))
            || self.effective_max_age(client) == Some(Seconds::new(0))
    }

    /// Whether the person wants to make an account.
    pub const fn demands_registration(&self) -> bool {
        self.prompt.contains(Prompt::Create)
    }

    /// Whether the person must be asked for consent.
    pub const fn demands_consent(&self) -> bool {
        self.prompt.contains(Prompt::Consent)
    }

    /// `max_age`, else the client's `default_max_age` (OpenID Connect Registration, 2).
    pub fn effective_max_age(&self, client: &Client) -> Option<Seconds> {
        self.max_age.or(client.default_max_age)
    }
}
