//! Mailed links: one person, one policy, one use, in whatever browser they are opened.

use countersign_flow::language::{Entry, StepKind};
use countersign_flow::{Effect, LinkState};
use countersign_model::{Account, Client, ClientId, FlowId, KeyedHash, Link, Seconds, Timestamp, UserId};
use countersign_protocol::AuthorizationRequest;
use secrecy::{ExposeSecret as _, SecretString};

use crate::ServiceError;
use crate::audit::RequestContext;
use crate::browser::{BrowserCall, BrowserCookies};
use crate::clock::random;
use crate::effects::{PreparedEffects, as_lost};
use crate::flow::{Answer, Answered, DeadLink, FlowCall, NewFlow, Origin, Visit, marked_out_of_date};
use crate::provider::Provider;
use crate::session::SignedIn;
use crate::vault::Purpose;

/// A client hardly waits longer for an answer to its request.
const REQUEST_LIFE: Seconds = Seconds::hours(1);
/// Tokens are 256 bits, 43 characters of base64url.
const TOKEN_LENGTH: usize = 43;

/// A link that an operator or administrator has mailed.
#[derive(Clone, Debug)]
pub struct NewLink {
    /// To whom.
    pub user: UserId,
    /// Policy it begins; it lives as long as that policy's `link` step says.
    pub policy: String,
    /// Message template, such as `invitation`.
    pub template: String,
    /// Client where it ends; none: the account page.
    pub client: Option<ClientId>,
    /// Language of the mail, BCP 47.
    pub locale: String,
}

impl Provider {
    /// Mails a link; earlier ones to this person for this policy stop working. False when the policy begins with no link.
    pub async fn mail_link(&self, new: &NewLink, context: &RequestContext) -> Result<bool, ServiceError> {
        let now = self.clock.now();
        let Some(prepared) = self.prepare_mailed_link(new, None, context, now).await? else { return Ok(false) };
        let written = self.db.write(async |tx| prepared.write(tx, now).await).await;
        self.outbox.notify_one();
        written.map_err(as_lost)?;
        Ok(true)
    }

    /// A link to be mailed, as rows; `person` is whose it is, where they are not in the database yet. None: the policy
    /// begins with no link.
    pub(crate) async fn prepare_mailed_link(
        &self,
        new: &NewLink,
        person: Option<&Account>,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<Option<PreparedEffects>, ServiceError> {
        let Some(ttl) = self.link_life(&new.policy) else { return Ok(None) };
        let client = match &new.client {
            Some(id) => self.find_client(id).await?,
            None => None,
        };
        let origin = client.as_ref().map_or(Origin::Account, |client| Origin::Client(client.id.clone()));
        let signed_in = SignedIn::default();
        let visit = Visit {
            flow: FlowId::new(random()?),
            seed: random()?,
            version: 0,
            context,
            locale: &new.locale,
            client: client.as_ref(),
            origin: &origin,
            signed_in: &signed_in,
            link: None,
            browser: [0; 32],
            device: None,
            subject: None,
            approved: None,
            ticket: None,
            agreed: None,
            evidence: None,
        };
        let effect = Effect::SendLink {
            user: new.user.clone(),
            label: "link".to_owned(),
            policy: new.policy.clone(),
            template: new.template.clone(),
            ttl,
        };
        let people = person.map(|person| (person.user.id.clone(), person.clone())).into_iter().collect();
        self.prepare_among(&visit, &[effect], people, now).await.map(Some)
    }

    /// How long a mailed link that begins `policy` lives; none: it begins with no such link.
    pub(crate) fn link_life(&self, policy: &str) -> Option<Seconds> {
        self.find_link_step(policy).filter(|(_, shown)| !shown).map(|(ttl, _)| ttl)
    }

    /// How long a link that begins `policy` and is shown, not mailed, lives; none: it begins with no such link.
    pub(crate) fn shown_link_life(&self, policy: &str) -> Option<Seconds> {
        self.find_link_step(policy).filter(|(_, shown)| *shown).map(|(ttl, _)| ttl)
    }

    /// Life of the link that begins `policy`, and whether it is shown.
    fn find_link_step(&self, policy: &str) -> Option<(Seconds, bool)> {
        let policy = self.policies.set().get(policy).filter(|policy| policy.allows_entry(Entry::Link))?;
        match &policy.steps.get(policy.start)?.kind {
            StepKind::Link { ttl, shown } => Some((*ttl, *shown)),
            _ => None,
        }
    }

    /// The page behind a mailed link: the first one of its policy. Spends nothing, since mail scanners open links too.
    pub async fn open_link(&self, token: &SecretString, call: BrowserCall<'_>) -> Result<Answered, ServiceError> {
        if token.expose_secret().len() != TOKEN_LENGTH {
            return Ok(self.dead_link("link_unknown", None, None));
        }
        let hash = self.hash_link_token(token);
        let Some(link) = self.db.read(async |tx| tx.find_link(&hash).await).await? else {
            return Ok(self.dead_link("link_unknown", None, None));
        };
        self.show_link(&link, call).await
    }

    /// The link a flow began with, from its start: the policy was edited, or the page was out of date.
    pub(crate) async fn show_link_again(
        &self,
        hash: &KeyedHash,
        call: FlowCall<'_>,
        locale: &str,
    ) -> Result<Answered, ServiceError> {
        let Some(link) = self.db.read(async |tx| tx.find_link(hash).await).await? else {
            return Ok(self.dead_link("link_unknown", None, None));
        };
        let call = BrowserCall { cookies: call.cookies, locale: Some(locale), context: call.context };
        Ok(marked_out_of_date(self.show_link(&link, call).await?))
    }

    async fn show_link(&self, link: &Link, call: BrowserCall<'_>) -> Result<Answered, ServiceError> {
        let now = self.clock.now();
        let client = match &link.client {
            Some(id) => self.find_client(id).await?.filter(|client| !client.disabled),
            None => None,
        };
        let is_policy_there =
            self.policies.set().get(&link.policy).is_some_and(|policy| policy.allows_entry(Entry::Link));
        if !is_policy_there {
            return Ok(self.dead_link("link_expired", Some(link), client.as_ref()));
        }
        let signed_in = self.load_signed_in(call.cookies, now).await?;
        let new = NewFlow {
            origin: self.origin_of(link, client.as_ref(), call.cookies, now),
            client: client.as_ref(),
            policy: &link.policy,
            entry: Entry::Link,
            link: Some((link.hash, state_of(link, now))),
            signed_in: &signed_in,
        };
        self.begin_flow(new, call.cookies, call.locale.unwrap_or(&link.locale), call.context).await
    }

    /// Where the flow will end: at the request that was waiting, if it still does and this is the browser it waits in;
    /// in any other browser the client would not know its own answer.
    fn origin_of(&self, link: &Link, client: Option<&Client>, cookies: &BrowserCookies, now: Timestamp) -> Origin {
        let Some(client) = client else { return Origin::Account };
        let waiting = link.request.as_ref().filter(|_| now < link.created_at.plus(REQUEST_LIFE));
        let opened = waiting.and_then(|sealed| self.open_request(&link.hash, sealed));
        let here = cookies.binding_hash(&self.vault);
        match opened {
            Some((browser, request)) if Some(browser) == here && request.target(client).is_some() => {
                Origin::Request(Box::new(request))
            }
            _ => Origin::Client(client.id.clone()),
        }
    }

    /// The request of a flow, as its link keeps it.
    pub(crate) fn seal_request(&self, hash: &KeyedHash, visit: &Visit<'_>) -> Result<Option<Vec<u8>>, ServiceError> {
        let Some(request) = visit.origin.request() else { return Ok(None) };
        let plain = postcard::to_stdvec(&(visit.browser, request))
            .map_err(|_| ServiceError::Internal("a request did not serialize"))?;
        self.vault.seal(Purpose::MailedLink, hash, &plain).map(Some)
    }

    fn open_request(&self, hash: &KeyedHash, sealed: &[u8]) -> Option<(KeyedHash, AuthorizationRequest)> {
        postcard::from_bytes(&self.vault.open(Purpose::MailedLink, hash, sealed)?).ok()
    }

    /// Whether the link a flow began with still holds where the flow is: what it proves in one policy it need not prove in
    /// another. One that this very flow spent, before its node died, does.
    pub(crate) async fn find_link_state(
        &self,
        visit: &Visit<'_>,
        policy: Option<&str>,
        now: Timestamp,
    ) -> Result<LinkState, ServiceError> {
        let Some(hash) = visit.link else { return Ok(LinkState::Unknown) };
        let key = visit.once_link();
        let (link, own) = self
            .db
            .read(async |tx| Ok::<_, ServiceError>((tx.find_link(&hash).await?, tx.has_effect(&key).await?)))
            .await?;
        Ok(match link {
            None => LinkState::Unknown,
            Some(link) if policy != Some(link.policy.as_str()) => LinkState::Unknown,
            Some(link) if own => LinkState::Holds(link.user),
            Some(link) => state_of(&link, now),
        })
    }

    fn dead_link(&self, page: &'static str, link: Option<&Link>, client: Option<&Client>) -> Answered {
        Answered::plain(Answer::Link(Box::new(DeadLink {
            page,
            client: client.map(|client| self.client_view(Some(client))),
            login: self.way_on(client),
            locale: link.map(|link| link.locale.clone()),
        })))
    }
}

impl Visit<'_> {
    /// Key of spending the link of this flow.
    pub(crate) fn once_link(&self) -> String {
        self.once("link", "")
    }
}

fn state_of(link: &Link, now: Timestamp) -> LinkState {
    if link.consumed_at.is_some() || link.revoked_at.is_some() {
        LinkState::Used
    } else if now >= link.expires_at {
        LinkState::Expired
    } else {
        LinkState::Holds(link.user.clone())
    }
}
