//! Which account is meant: the browser's own, or another (OpenID Connect Core, 3.1.2.1, `prompt=select_account`).

use countersign_model::{Account, FlowId, User, UserId};
use countersign_protocol::{AuthorizationRequest, Params, Prompt};

use crate::ServiceError;
use crate::audit::RequestContext;
use crate::authorization::AuthorizeCall;
use crate::clock::random;
use crate::flow::{Answer, Answered, ClientView};
use crate::pending::{Pending, PendingCall, Question, gone};
use crate::provider::Provider;
use crate::session::SignedIn;

/// The page that shows the browser's accounts.
#[derive(Clone, Debug)]
pub struct AccountChoice {
    /// Where its form posts to.
    pub action: String,
    /// Nonce of its form.
    pub nonce: String,
    /// Who asks.
    pub client: ClientView,
    /// Id, name and address of each account.
    pub accounts: Vec<(UserId, String, String)>,
    /// Where the answer goes in the end.
    pub redirect_uri: String,
    /// Language that the client asks for, of those there are.
    pub locale: Option<String>,
}

/// What the person chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChosenAccount {
    /// One that was shown.
    Shown(String),
    /// Another one: they sign in.
    Another,
}

impl SignedIn {
    /// The accounts that this browser is signed in as.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = UserId> {
        let session = self.session.iter().map(|session| &session.authentication.user);
        session.chain(self.remembered.iter().map(|login| &login.user)).cloned()
    }
}

/// How people know their account: by mail address, else by user name.
pub(crate) fn name_of(user: &User) -> String {
    user.email.clone().or_else(|| user.username.clone()).unwrap_or_default()
}

impl Provider {
    /// Sends the person to the choice; the request waits.
    pub(crate) async fn ask_account(
        &self,
        request: AuthorizationRequest,
        signed_in: &SignedIn,
        context: &RequestContext,
    ) -> Result<Answered, ServiceError> {
        let session = signed_in.session.as_ref().ok_or(ServiceError::Internal("accounts without a session"))?;
        let pending = Pending {
            question: Question::Account,
            request,
            session: session.id.clone(),
            policy: String::new(),
            since: self.clock.now(),
            seed: random()?,
        };
        let id = FlowId::new(random()?);
        self.charge_start(id, context).await?;
        let response = self.wait_for_answer(id, &pending).await?;
        Ok(Answered::plain(Answer::Respond(response)))
    }

    /// The page that shows the browser's accounts.
    pub async fn show_accounts(&self, call: PendingCall<'_>) -> Result<Result<AccountChoice, Answered>, ServiceError> {
        let Some(found) = self.find_pending(call, Question::Account).await? else { return Ok(Err(gone())) };
        let mut users: Vec<UserId> = found.signed_in.accounts().collect();
        users.dedup();
        let mut accounts = Vec::with_capacity(users.len());
        for user in users {
            let account: Option<Account> = self.db.read(async |tx| tx.find_account(&user).await).await?;
            if let Some(Account { user: known, .. }) = account {
                accounts.push((user, known.profile.name.clone().unwrap_or_default(), name_of(&known)));
            }
        }
        Ok(Ok(AccountChoice {
            action: format!("/select_account/{}", call.id),
            nonce: self.pending_nonce(call.id, &found.session),
            client: self.client_view(Some(&found.client)),
            accounts,
            redirect_uri: found.pending.request.redirect_uri.as_str().to_owned(),
            locale: found.pending.request.language(&self.capabilities.ui_locales).map(str::to_owned),
        }))
    }

    /// The person's choice: the request goes on with that account, or with a new sign-in.
    pub async fn choose_account(
        &self,
        call: PendingCall<'_>,
        nonce: &str,
        chosen: &ChosenAccount,
    ) -> Result<Answered, ServiceError> {
        let found = self.find_pending(call, Question::Account).await?;
        let Some(found) = found.filter(|found| self.is_pending_nonce(call.id, &found.session, nonce)) else {
            return Ok(gone());
        };
        let mut request = found.pending.request;
        request.prompt = request.prompt.without(Prompt::SelectAccount);
        match chosen {
            ChosenAccount::Shown(id) if found.signed_in.accounts().any(|own| own.as_str() == id) => {}
            ChosenAccount::Shown(_) => return Ok(gone()),
            ChosenAccount::Another => request.prompt = request.prompt.with(Prompt::Login),
        }
        let params = Params::default();
        let PendingCall { cookies, locale, chosen, context, .. } = call;
        let call = AuthorizeCall { params: &params, cookies, locale, chosen, context };
        self.answer_request(request, &found.client, call).await
    }
}
