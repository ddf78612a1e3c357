//! Shows the page a flow waits at. Never sends, never advances.

use countersign_flow::PageView;
use countersign_model::{Client, FlowId, Seconds, Timestamp};

use super::record::{self, FlowRecord, Running};
use super::{Answer, Answered, ClientView, FlowCall, FlowPage, Origin, Response};
use crate::ServiceError;
use crate::federation::{FederationPlace, FederationWishes};
use crate::page_nonce;
use crate::passkeys::CeremonyPlace;
use crate::provider::Provider;

impl Provider {
    /// Shows the current page of a flow. Never sends, never advances.
    pub async fn show_flow(&self, call: FlowCall<'_>, out_of_date: bool) -> Result<Answered, ServiceError> {
        let gone = || Ok(Answered::plain(Answer::Gone));
        let Some(browser) = call.cookies.binding_hash(&self.vault) else { return gone() };
        let Some(stored) = self.short_lived.load(call.flow).await? else { return gone() };
        let Some(FlowRecord::Running(running)) = record::open(&self.vault, call.flow, &stored.body) else {
            return gone();
        };
        if running.browser != browser {
            return gone();
        }
        let Some(client) = self.find_client_of(&running.origin).await? else { return gone() };
        let now = self.clock.now();
        if let Some(provider) = self.find_upstream_of(&running.instance)
            && let Some(response) =
                self.leave_for(call.flow, stored.version, &provider, &running, client.as_ref()).await?
        {
            return Ok(Answered::plain(Answer::Respond(response)));
        }
        match self.page(call.flow, &running, client.as_ref(), stored.version, None, now).await {
            Ok(mut page) => {
                page.ends_at = stored.end;
                page.out_of_date = out_of_date;
                running.locale_of(call).clone_into(&mut page.locale);
                Ok(Answered::plain(Answer::Page(Box::new(page))))
            }
            // The policy was edited under it: a restart, never an error.
            Err(ServiceError::Internal(_)) => self.restart_flow(*running, client.as_ref(), call).await,
            Err(error) => Err(error),
        }
    }

    /// Sends the browser to the upstream provider its flow waits for; none when that does not answer, and the page says so.
    async fn leave_for(
        &self,
        flow: FlowId,
        version: u32,
        provider: &str,
        running: &Running,
        client: Option<&Client>,
    ) -> Result<Option<Response>, ServiceError> {
        let wishes = FederationWishes {
            login_hint: running.instance.identifier(),
            max_age: accepted_age(&running.origin, client),
        };
        let place = FederationPlace { flow, version, provider };
        match self.send_upstream(place, &running.browser, wishes).await {
            Ok(response) => Ok(Some(response)),
            Err(ServiceError::Busy(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn page(
        &self,
        flow: FlowId,
        running: &Running,
        client: Option<&Client>,
        version: u32,
        start: Option<String>,
        now: Timestamp,
    ) -> Result<FlowPage, ServiceError> {
        let mut view = countersign_flow::view(self.policies.set(), &running.instance, now)
            .map_err(|_| ServiceError::Internal("an instance has no page"))?;
        if running.origin.request().is_none() && view.kind == "stop" {
            // There is nobody to return to.
            view.controls.retain(|control| control.value != "return");
        }
        self.show_secrets(running, &mut view).await?;
        self.show_organization(running, &mut view).await?;
        self.show_person(running, &mut view).await?;
        self.show_ceremony(CeremonyPlace { flow, version }, running.instance.account(), &mut view).await?;
        Ok(FlowPage {
            flow,
            nonce: page_nonce::make(&self.vault, flow, &running.browser, version)?,
            start,
            view,
            client: self.client_view(client),
            redirect_uri: self.end_of(&running.origin, client),
            locale: running.locale.clone(),
            ends_at: running.instance.end(self.policies.set()).unwrap_or(now),
            out_of_date: false,
        })
    }

    pub(crate) fn client_view(&self, client: Option<&Client>) -> ClientView {
        match client {
            Some(client) => {
                ClientView { name: client.name.clone(), uri: client.client_uri.clone(), brand: client.brand.clone() }
            }
            None => ClientView { name: self.settings.mail.product.clone(), uri: None, brand: None },
        }
    }

    /// Where the flow's last redirect goes: a form must be allowed to lead there.
    fn end_of(&self, origin: &Origin, client: Option<&Client>) -> String {
        match origin {
            Origin::Request(request) => request.redirect_uri.as_str().to_owned(),
            Origin::Client(_) => self.absolute(&self.way_on(client)),
            Origin::Account | Origin::Device { .. } | Origin::Setup(_) => self.absolute(&self.way_back(origin, client)),
        }
    }

    /// An address of the provider's own, in full.
    pub(crate) fn absolute(&self, path: &str) -> String {
        if path.starts_with('/') {
            format!("{}{path}", self.settings.issuer.as_str().trim_end_matches('/'))
        } else {
            path.to_owned()
        }
    }

    /// What the page shows that is part of no instance: derived for each showing.
    async fn show_secrets(&self, running: &Running, view: &mut PageView) -> Result<(), ServiceError> {
        let asks = view.asks.clone();
        if let Some(label) = &asks.totp_seed {
            let secret = self.enrolled_seed_text(&running.seed, label);
            view.values.insert("totp_uri", self.totp_uri(running, &secret).await?);
            view.values.insert("totp_secret", secret.to_string());
        }
        if let Some(label) = &asks.recovery_codes {
            view.values.insert("recovery_codes", self.derive_recovery_codes(&running.seed, label).join(" "));
        }
        if let Some((label, digits)) = &asks.keypad_code {
            let user = running.instance.account().map_or("", |user| user.as_str());
            view.values.insert("keypad_code", self.derive_code(&running.seed, label, user, *digits).to_string());
        }
        Ok(())
    }

    /// The name of the organization whose registration code was right: people see whom they register with.
    async fn show_organization(&self, running: &Running, view: &mut PageView) -> Result<(), ServiceError> {
        let Some(id) = running.instance.organization().filter(|_| view.kind == "form") else { return Ok(()) };
        let found = self.db.read(async |tx| tx.find_organization_by_id(id).await).await?;
        view.values.extend(found.map(|organization| ("organization", organization.name)));
        Ok(())
    }

    /// Who the person of a new password is, where the account knows: the pages of a registration show it (R26).
    async fn show_person(&self, running: &Running, view: &mut PageView) -> Result<(), ServiceError> {
        let Some(user) = running.instance.account().filter(|_| view.kind == "set_password") else { return Ok(()) };
        let Some(account) = self.db.read(async |tx| tx.find_account(user).await).await? else { return Ok(()) };
        let user = account.user;
        view.values.extend(user.profile.name.map(|name| ("known_name", name)));
        view.values.extend(user.email.map(|email| ("known_email", email)));
        Ok(())
    }

    /// What an authenticator app reads from the QR code (Key Uri Format): it names provider and account.
    async fn totp_uri(&self, running: &Running, secret: &str) -> Result<String, ServiceError> {
        let account = match running.instance.account() {
            Some(user) => self.db.read(async |tx| tx.find_account(user).await).await?,
            None => None,
        };
        let name = account.and_then(|account| account.user.email.or(account.user.username)).unwrap_or_default();
        let encode =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
        let product = encode(&self.settings.mail.product);
        Ok(format!("otpauth://totp/{product}:{}?secret={secret}&issuer={product}", encode(&name)))
    }
}

/// How old a sign-in upstream may be for what the flow is for.
fn accepted_age(origin: &Origin, client: Option<&Client>) -> Option<Seconds> {
    match (origin, client) {
        // It shows and changes too much for whoever sits down at a browser that is signed in upstream.
        (Origin::Account | Origin::Device { .. } | Origin::Setup(_), _) => Some(Seconds::new(0)),
        (Origin::Request(request), Some(client)) if request.demands_fresh_login(client) => Some(Seconds::new(0)),
        (Origin::Request(request), Some(client)) => request.effective_max_age(client),
        (Origin::Request(_) | Origin::Client(_), _) => None,
    }
}
