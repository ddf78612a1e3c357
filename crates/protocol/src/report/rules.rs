//! The table of rules.

use countersign_model::{AuthMethod, Client, Feature, RefreshRule, Seconds, SigningAlgorithm, SubjectType};

use super::Weight::{Must, Should};
use super::Yardstick::{Fapi2, OAuth21, Protocol, Rfc9700};
use super::{Configuration, Deviation, Weight, Yardstick};
use crate::token::{jwt_bearer, token_exchange};

/// A rule about a `T`, and when it is not kept.
pub(super) struct Rule<T> {
    yardstick: Yardstick,
    section: &'static str,
    weight: Weight,
    text: &'static str,
    pub(super) deviates: fn(&T) -> bool,
}

impl<T> Rule<T> {
    pub(super) fn deviation(&self, client: Option<String>) -> Deviation {
        let Self { yardstick, section, weight, text, .. } = *self;
        Deviation { yardstick, section, weight, client, text }
    }
}

const fn rule<T>(
    (yardstick, section, weight): (Yardstick, &'static str, Weight),
    text: &'static str,
    deviates: fn(&T) -> bool,
) -> Rule<T> {
    Rule { yardstick, section, weight, text, deviates }
}

pub(super) const OF_THE_PROVIDER: &[Rule<Configuration>] = &[
    rule((OAuth21, "1.5", Must), "The issuer is http: serve it over https.", |c| !c.is_https),
    rule((OAuth21, "10.1", Must), "protocol.implicit is on: the implicit grant is gone from OAuth 2.1.", |c| {
        c.features.implicit
    }),
    rule((Rfc9700, "2.6", Should), "The issuer is http: serve it over https.", |c| !c.is_https),
    rule(
        (Rfc9700, "2.1.2", Should),
        "protocol.implicit is on: access tokens travel through the browser. Use the code flow.",
        |c| c.features.implicit,
    ),
    rule(
        (Rfc9700, "2.1.2", Should),
        "protocol.hybrid is on: `code token` sends access tokens through the browser. Use the code flow.",
        |c| c.features.hybrid,
    ),
    rule(
        (Rfc9700, "2.2.1", Should),
        "Neither protocol.dpop nor a listener for client certificates is on: no access token can be bound to a key.",
        |c| !c.features.dpop && !c.mutual_tls,
    ),
    rule((Fapi2, "5.2.1", Must), "The issuer is http: serve it over https.", |c| !c.is_https),
    rule((Fapi2, "5.3.2.2", Must), "protocol.pushed_requests is off: there is no endpoint to push requests to.", |c| {
        !c.features.pushed_requests
    }),
    rule(
        (Fapi2, "5.4.1", Must),
        "protocol.unsigned_id_tokens is on: clients may register the algorithm `none` for ID tokens.",
        |c| c.features.unsigned_id_tokens,
    ),
    rule((Fapi2, "5.3.2.2", Must), "lifetimes.code is longer than 60 seconds.", |c| c.code > Seconds::new(60)),
    rule(
        (Fapi2, "5.3.2.1", Must),
        "Neither protocol.dpop nor a listener for client certificates is on: no access token can be bound to a key.",
        |c| !c.features.dpop && !c.mutual_tls,
    ),
    rule(
        (Fapi2, "6.1", Should),
        "lifetimes.access_token is longer than an hour: short-lived tokens limit what a stolen one is worth.",
        |c| c.access_token > Seconds::hours(1),
    ),
];

pub(super) const OF_A_CLIENT: &[Rule<Client>] = &[
    rule((OAuth21, "4.1.1", Should), "A confidential client need not send a PKCE challenge.", |client| {
        uses_code(client) && !client.is_public() && !client.require_pkce
    }),
    rule((OAuth21, "10.1", Must), "It may use a response type with `token`: the implicit grant is gone.", |client| {
        may_answer_with(client, "token")
    }),
    rule(
        (OAuth21, "4.3.1", Must),
        "A public client keeps its refresh token: rotate it, or bind it to a key (DPoP).",
        keeps_an_unbound_refresh_token,
    ),
    rule((Rfc9700, "2.1.1", Should), "A confidential client need not send a PKCE challenge.", |client| {
        uses_code(client) && !client.is_public() && !client.require_pkce
    }),
    rule(
        (Rfc9700, "2.1.2", Should),
        "It may use a response type with `token`: access tokens travel through the browser.",
        |client| may_answer_with(client, "token"),
    ),
    rule((Rfc9700, "2.2.1", Should), "Its access tokens are bound to no key: register DPoP or mutual TLS.", |client| {
        !is_sender_constrained(client)
    }),
    rule(
        (Rfc9700, "2.2.2", Must),
        "A public client keeps its refresh token: rotate it, or bind it to a key (DPoP).",
        keeps_an_unbound_refresh_token,
    ),
    rule(
        (Rfc9700, "2.3", Should),
        "It may exchange tokens for every resource server: name those it needs (countersign_resources).",
        |client| client.allows_grant(token_exchange::GRANT_TYPE) && client.resources.is_empty(),
    ),
    rule(
        (Rfc9700, "2.3", Should),
        "It may show assertions for every resource server: name those it needs (countersign_resources).",
        |client| client.allows_grant(jwt_bearer::GRANT_TYPE) && client.resources.is_empty(),
    ),
    rule(
        (Rfc9700, "2.5", Should),
        "It authenticates by a shared secret: use a key (private_key_jwt, mTLS).",
        |client| client.auth_methods.iter().any(|method| method.uses_secret()),
    ),
    rule(
        (OAuth21, "8.4.2", Should),
        "A redirect URI names `localhost`: use 127.0.0.1 or [::1] (RFC 8252, 8.3).",
        |client| client.redirect_uris.iter().any(|uri| uri.starts_with("http://localhost")),
    ),
    rule((Fapi2, "5.3.2.1", Must), "It is a public client.", Client::is_public),
    rule((Fapi2, "5.3.2.1", Must), "Its access tokens are bound to no key: register DPoP or mutual TLS.", |client| {
        !is_sender_constrained(client)
    }),
    rule((Fapi2, "5.3.2.1", Must), "It may authenticate otherwise than by private_key_jwt or mutual TLS.", |client| {
        !client.auth_methods.iter().all(|method| is_asymmetric(*method))
    }),
    rule((Fapi2, "5.3.2.2", Must), "It need not push its requests.", |client| {
        uses_code(client) && !client.requests.require_pushed && client.profile.is_none()
    }),
    rule((Fapi2, "5.3.2.2", Must), "It need not send a PKCE challenge.", |client| {
        uses_code(client) && !client.require_pkce && !client.is_public() && client.profile.is_none()
    }),
    rule((Fapi2, "5.3.2.2", Must), "It may use another response type than `code`.", |client| {
        client.response_types.iter().any(|kind| kind != "code")
    }),
    rule((Fapi2, "5.4.1", Must), "Its tokens are signed with RS256: use PS256, ES256 or EdDSA.", |client| {
        [client.id_token_alg, client.access_token_alg].contains(&SigningAlgorithm::RS256)
    }),
    rule(
        (Fapi2, "5.4.1", Must),
        "Its ID tokens are of the algorithm `none`: register one that signs them.",
        |client| client.responses.unsigned_id_token,
    ),
    rule((Fapi2, "5.3.2.1", Should), "Its refresh tokens are rotated: keep them, they are bound already.", |client| {
        client.allows_grant("refresh_token") && client.refresh == RefreshRule::Rotate && client.profile.is_none()
    }),
];

/// What a client goes on with that registered it before it was switched off: every other switch acts where the part is
/// used. To take these away would rename its people, send in clear what it wanted sealed, or hold it to less.
pub(super) const KEPT_BY_A_CLIENT: &[(Feature, Rule<Client>)] = &[
    (
        Feature::SecurityProfiles,
        rule((Protocol, "security_profiles", Must), "It is still held to a security profile.", |client| {
            client.profile.is_some()
        }),
    ),
    (
        Feature::SignedUserinfo,
        rule((Protocol, "signed_userinfo", Must), "UserInfo is still signed for it: register it without.", |client| {
            client.responses.userinfo_alg.is_some()
        }),
    ),
    (
        Feature::Encryption,
        rule(
            (Protocol, "encryption", Must),
            "ID tokens or UserInfo are still encrypted for it: register it without.",
            |client| client.responses.id_token_encryption.is_some() || client.responses.userinfo_encryption.is_some(),
        ),
    ),
    (
        Feature::Pairwise,
        rule(
            (Protocol, "pairwise", Must),
            "It still knows people by identifiers of its own: register it anew, and it knows them by other ones.",
            |client| client.subject_type == SubjectType::Pairwise,
        ),
    ),
];

fn uses_code(client: &Client) -> bool {
    client.allows_grant("authorization_code")
}

fn may_answer_with(client: &Client, part: &str) -> bool {
    client.response_types.iter().any(|kind| kind.split(' ').any(|known| known == part))
}

const fn is_sender_constrained(client: &Client) -> bool {
    client.dpop_bound_tokens || client.certificate_bound_tokens || client.profile.is_some()
}

fn keeps_an_unbound_refresh_token(client: &Client) -> bool {
    let keeps = client.allows_grant("refresh_token") && client.refresh == RefreshRule::Keep;
    keeps && client.is_public() && !client.dpop_bound_tokens
}

const fn is_asymmetric(method: AuthMethod) -> bool {
    matches!(method, AuthMethod::PrivateKeyJwt | AuthMethod::TlsClientAuth | AuthMethod::SelfSignedTlsClientAuth)
}
