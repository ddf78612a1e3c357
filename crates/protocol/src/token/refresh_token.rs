//! The use of a refresh token (RFC 6749, 6; RFC 9700, 4.14; OpenID Connect Core, 12): each is good once, and once more
//! when the answer was lost.

use countersign_model::{AuditKind, Grant, RefreshRule, RefreshToken, Scope, Seconds, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};

use super::{AuthenticatedClient, Decision, Effect, Issue, Prepared, TokenFacts, check_standing, invalid_grant};
use crate::binding::Binding;
use crate::error::OAuthError;
use crate::kernel;
use crate::resource::{self, Target};

/// How long tabs of one browser may get into each other's way before it is called a reuse.
const TABS: Seconds = Seconds::new(30);

/// What the audit says of an answer that is given once more: who refreshes by a spent token again and again shows there.
const ANSWERED_AGAIN: &str = "the answer was lost: its tokens are given up for these";

pub(super) struct Usage<'a> {
    pub(super) client: AuthenticatedClient<'a>,
    pub(super) token: &'a SecretString,
    pub(super) scope: Option<&'a str>,
    pub(super) resources: &'a [String],
    pub(super) binding: &'a Binding,
}

/// What a use of a token is.
#[derive(Debug, PartialEq, Eq)]
enum Verdict<'a> {
    /// The first one.
    First,
    /// The client never got its successor, which nobody has used.
    AnswerLost(&'a RefreshToken),
    /// Another tab was faster: refused, and nothing else.
    Tab(&'static str),
    /// Two hold the family.
    Reuse(&'static str),
}

pub(super) fn decide(usage: &Usage<'_>, facts: TokenFacts, prepared: &Prepared<'_>, now: Timestamp) -> Decision {
    let TokenFacts::RefreshToken { token, successor, grant, user_active, parallel } = facts else {
        return Decision::refused(invalid_grant("unknown refresh token"), None);
    };
    let verdict = match judge(&token, successor.as_deref(), parallel, now) {
        Verdict::AnswerLost(_) if token.client != usage.client.client().id => {
            Verdict::Reuse("spent, by another client")
        }
        verdict => verdict,
    };
    let replaced = match verdict {
        Verdict::First => None,
        Verdict::AnswerLost(successor) => Some(successor),
        Verdict::Tab(why) => return Decision::refused(invalid_grant(why), Some(&grant)),
        Verdict::Reuse(what) => return Decision::replayed(&grant, what),
    };
    let standing = check_standing(&grant, user_active, token.expires_at, now);
    match standing.and_then(|()| check(usage, &token, &grant, prepared)) {
        Ok((scope, target)) => {
            let kept = replaced.is_none() && stays(usage.client, &token);
            let effects = if kept { Vec::new() } else { rotate(&token, replaced, prepared, now) };
            let issue = Issue { nonce: None, refresh_token: !kept, ..Issue::of_a_person(*grant, &scope, target) };
            let reason = if replaced.is_some() { ANSWERED_AGAIN } else { "" };
            Decision::issued_since(AuditKind::TokenRefreshed, reason, issue, effects)
        }
        Err(error) => Decision::refused(error, Some(&grant)),
    }
}

/// A used token works again while nobody has used what it was exchanged for. What comes at the same moment, or is
/// explained by two tabs, is refused and harms nobody; everything else is a reuse (RFC 9700, 4.14.2).
fn judge<'a>(token: &RefreshToken, successor: Option<&'a RefreshToken>, parallel: bool, now: Timestamp) -> Verdict<'a> {
    if let Some(revoked_at) = token.revoked_at {
        // Who shows a successor that was given up has got it after all: at once it is a tab's, later a thief's or his
        // victim's. Also where it was given up at once: a thief who asks every few seconds has his victim's given up so.
        let at_once = revoked_at < token.created_at.plus(TABS) && now < revoked_at.plus(TABS);
        return if at_once {
            Verdict::Tab("the successor was given up for another tab's")
        } else {
            Verdict::Reuse("a successor that was given up as lost is in use")
        };
    }
    if token.consumed_at.is_none() {
        return Verdict::First;
    }
    if parallel {
        return Verdict::Tab("the refresh token is being used by another request");
    }
    match successor {
        Some(successor) if successor.consumed_at.is_none() && successor.revoked_at.is_none() => {
            match successor.access_used_at {
                None => Verdict::AnswerLost(successor),
                // From when it was served last: who wakes up after a lost answer has tabs, too.
                Some(_) if now < successor.created_at.plus(TABS) => Verdict::Tab("the successor is another tab's"),
                Some(_) => Verdict::Reuse("spent already, and the access token that came of it is in use"),
            }
        }
        _ => Verdict::Reuse("the refresh token was spent already"),
    }
}

/// Holds the token to its client and the scope within the granted one; gives the scope asked for, which is no more than
/// the client is registered for today, and what of it the access token is for.
fn check(
    usage: &Usage<'_>,
    token: &RefreshToken,
    grant: &Grant,
    prepared: &Prepared<'_>,
) -> Result<(Scope, Target), OAuthError> {
    let client = usage.client.client();
    if token.client != client.id || grant.client != client.id || token.grant != grant.id {
        return Err(invalid_grant("the refresh token is another client's"));
    }
    if !usage.binding.fits(token.binding.as_ref()) {
        return Err(invalid_grant("the refresh token is bound to another key"));
    }
    let scope = kernel::refresh(&kernel::Refresh {
        client: client.id.as_str(),
        token: usage.token.expose_secret(),
        scope: usage.scope,
        stored: kernel::Stored {
            owner: grant.authentication.user.as_str(),
            client: token.client.as_str(),
            scope: &token.scope,
        },
    })?;
    let scope = scope.intersection(&client.scope);
    let target = resource::decide(usage.resources, &grant.resources, &scope, client, &prepared.resources)?;
    Ok((scope, target))
}

/// Whether the token stays as it is: for clients of that rule or of FAPI 2.0 (5.3.2.1), if a thief could do nothing with
/// it (RFC 9700, 2.2.2).
fn stays(client: AuthenticatedClient<'_>, token: &RefreshToken) -> bool {
    let guarded = client.is_confidential() || token.binding.is_some();
    let registered = client.client();
    let wanted = registered.refresh == RefreshRule::Keep || registered.profile.is_some();
    wanted && guarded
}

/// The successor keeps scope, key and end of its predecessor, however narrow the access token.
fn rotate(
    token: &RefreshToken,
    replaced: Option<&RefreshToken>,
    prepared: &Prepared<'_>,
    now: Timestamp,
) -> Vec<Effect> {
    let mut effects = match replaced {
        None => vec![Effect::ConsumeRefreshToken(token.hash)],
        Some(lost) => vec![Effect::ReplaceSuccessor { spent: token.hash, successor: lost.hash }],
    };
    if let Some(jti) = replaced.and_then(|lost| lost.access_jti.clone()) {
        let expires_at = replaced.map_or(now, |lost| lost.created_at).plus(prepared.access_lifetime);
        effects.push(Effect::RevokeAccessToken { jti, expires_at });
    }
    effects.push(Effect::InsertRefreshToken(RefreshToken {
        hash: prepared.refresh_token,
        created_at: now,
        access_jti: Some(prepared.access_jti.to_owned()),
        access_used_at: None,
        consumed_at: None,
        revoked_at: None,
        ..token.clone()
    }));
    effects
}

#[cfg(test)]
mod tests;
