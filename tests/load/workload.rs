//! What the server is asked to do.

/// The algorithm of an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2048 bits.
    RS256,
    /// ECDSA on P-256.
    ES256,
    /// Ed25519.
    EdDSA,
}

impl Algorithm {
    /// Its registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
        }
    }
}

/// A kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// GET of the metadata.
    Discovery,
    /// GET of the keys.
    Jwks,
    /// A token for the client itself.
    ClientCredentials(Algorithm),
    /// An authorization request that a session answers with a code.
    Authorization,
    /// The exchange of a code, with PKCE, for access, ID and refresh token.
    CodeRedemption,
    /// The use of a refresh token, which is replaced.
    Refresh,
    /// The question about an access token.
    Introspection,
    /// The claims that an access token opens.
    UserInfo,
    /// GET of a page of a running flow.
    FlowPageGet,
    /// POST of the first page of a flow, with a choice.
    FlowPagePost,
    /// From the authorization request by a page and a password to a code.
    PasswordLogin,
    /// The same with a code that comes by mail.
    MailedCodeLogin,
}

impl Workload {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 14] = [
        Self::Discovery,
        Self::Jwks,
        Self::ClientCredentials(Algorithm::RS256),
        Self::ClientCredentials(Algorithm::ES256),
        Self::ClientCredentials(Algorithm::EdDSA),
        Self::CodeRedemption,
        Self::Refresh,
        Self::Introspection,
        Self::UserInfo,
        Self::PasswordLogin,
        Self::MailedCodeLogin,
        Self::FlowPageGet,
        Self::FlowPagePost,
        Self::Authorization,
    ];

    /// As the report calls it.
    pub fn name(self) -> String {
        match self {
            Self::Discovery => "discovery".to_owned(),
            Self::Jwks => "JWKS".to_owned(),
            Self::ClientCredentials(algorithm) => format!("client_credentials {}", algorithm.as_str()),
            Self::Authorization => "authorization by session".to_owned(),
            Self::CodeRedemption => "code redemption".to_owned(),
            Self::Refresh => "refresh".to_owned(),
            Self::Introspection => "introspection".to_owned(),
            Self::UserInfo => "UserInfo".to_owned(),
            Self::FlowPageGet => "flow page GET".to_owned(),
            Self::FlowPagePost => "flow page POST".to_owned(),
            Self::PasswordLogin => "password login".to_owned(),
            Self::MailedCodeLogin => "login with mailed code".to_owned(),
        }
    }

    /// Whether any provider has it: pages are everybody's own.
    pub const fn is_standard(self) -> bool {
        !matches!(self, Self::FlowPageGet | Self::FlowPagePost | Self::PasswordLogin | Self::MailedCodeLogin)
    }

    /// How many operations one measurement has, whatever the server can do: no mailbox gets more than 30 codes an hour.
    pub const fn fixed(self) -> Option<Fixed> {
        match self {
            Self::MailedCodeLogin => Some(Fixed { warm_up: 4, operations: 20, half_load: 8 }),
            _ => None,
        }
    }
}

/// Numbers of operations.
#[derive(Clone, Copy, Debug)]
pub struct Fixed {
    /// Before the measurements.
    pub warm_up: usize,
    /// In each of them.
    pub operations: usize,
    /// At half load.
    pub half_load: usize,
}
