//! Who acts for whom: the claims `act` and `may_act` of access tokens (RFC 8693, 4.1 and 4.4).

use countersign_model::ClientId;
use serde::{Deserialize, Serialize};

use crate::access_token::AccessTokenClaims;

/// The longest chain of those who act, one for the other.
const MOST: usize = 4;

/// Who acts for the subject of a token, and who did before them. Those before say what happened and allow nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The person; the client itself when it acts on its own behalf.
    pub sub: String,
    /// The client, where it is no person who acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Who acted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Actor>>,
}

impl Actor {
    /// A client, by its own right.
    pub fn of_client(client: &ClientId) -> Self {
        Self { sub: client.to_string(), client_id: Some(client.to_string()), act: None }
    }

    /// Whoever a token is issued for.
    pub fn of_token(claims: &AccessTokenClaims) -> Self {
        let client_id = claims.gid.is_none().then(|| claims.client_id.clone());
        Self { sub: claims.sub.clone(), client_id, act: None }
    }

    /// The same, after `previous`; none: the chain would be too long.
    #[must_use]
    pub fn after(self, previous: Option<&Self>) -> Option<Self> {
        let actor = Self { act: previous.cloned().map(Box::new), ..self };
        (actor.length() <= MOST).then_some(actor)
    }

    /// Whether a token with this `may_act` lets `actor` act: every member of it is theirs.
    pub fn names(&self, actor: &Self) -> bool {
        self.sub == actor.sub && self.client_id.as_ref().is_none_or(|id| actor.client_id.as_ref() == Some(id))
    }

    fn length(&self) -> usize {
        1 + self.act.as_ref().map_or(0, |before| before.length())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(client: &str) -> Actor {
        Actor::of_client(&client.parse().unwrap())
    }

    #[test]
    fn a_chain_grows_at_its_outer_end_and_not_for_ever_rfc8693_4_1() {
        let second = of("b").after(Some(&of("a"))).unwrap();
        let expected = serde_json::json!({"sub": "b", "client_id": "b", "act": {"sub": "a", "client_id": "a"}});
        assert_eq!(serde_json::to_value(&second).unwrap(), expected);
        let fourth = of("d").after(of("c").after(Some(&second)).as_ref()).unwrap();
        assert!(of("e").after(Some(&fourth)).is_none());
    }

    #[test]
    fn every_member_of_may_act_counts_rfc8693_4_4() {
        let person = Actor { client_id: None, ..of("a") };
        assert!(of("a").names(&of("a")) && person.names(&of("a")) && person.names(&person));
        assert!(!of("a").names(&of("b")) && !of("a").names(&person), "a person of that name is not the client");
    }
}
