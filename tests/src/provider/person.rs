//! A person with a browser, walking through pages.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use countersign_model::FlowId;
use countersign_protocol::Params;
use countersign_service::{
    Answer, Answered, AuthorizeCall, BrowserCall, BrowserCookies, FlowCall, FlowForm, FlowPage, Provider,
    RequestContext, Response, ServiceError,
};

use super::{Credentials, House, PORTAL_URI, encode};

/// What the browser shows in the end.
#[derive(Debug)]
pub enum Seen {
    /// A page of a flow.
    Page(Box<FlowPage>),
    /// The client's own page.
    Client(Response),
    /// An error page: the request may not be answered.
    Refused,
    /// The flow is gone.
    Gone,
    /// A mailed link that leads nowhere: its page.
    DeadLink(&'static str),
}

impl Seen {
    /// The page.
    ///
    /// # Panics
    /// When something else is shown.
    pub fn page(self) -> FlowPage {
        match self {
            Self::Page(page) => *page,
            other => panic!("no page: {other:?}"),
        }
    }

    /// The answer to the client.
    ///
    /// # Panics
    /// When something else is shown.
    pub fn response(self) -> Response {
        match self {
            Self::Client(response) => response,
            other => panic!("no answer to the client: {other:?}"),
        }
    }

    /// The authorization code the client got.
    ///
    /// # Panics
    /// When it got none.
    pub fn code(self) -> String {
        code_in(&self.response())
    }

    /// The error the client got.
    ///
    /// # Panics
    /// When it got none.
    pub fn error(self) -> String {
        let response = self.response();
        parameter(&response, "error").unwrap_or_else(|| panic!("no error"))
    }
}

/// A parameter of an answer by redirect.
pub fn parameter(response: &Response, name: &str) -> Option<String> {
    let Response::Redirect(uri) = response else { return None };
    let uri = url::Url::parse(uri).ok()?;
    uri.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// The code of an answer.
///
/// # Panics
/// When there is none.
pub fn code_in(response: &Response) -> String {
    parameter(response, "code").unwrap_or_else(|| panic!("no code: {:?}", parameter(response, "error")))
}

/// A person and their browser.
#[derive(Clone, Default)]
pub struct Person {
    /// Its cookies.
    pub cookies: BrowserCookies,
    /// Where they are.
    pub context: RequestContext,
}

impl Person {
    /// Somebody with a fresh browser, at an address of their own.
    pub fn new() -> Self {
        static PEOPLE: AtomicU32 = AtomicU32::new(0);
        let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 1)) + PEOPLE.fetch_add(1, Ordering::Relaxed));
        let context = RequestContext {
            request_id: "request".to_owned(),
            address: Some(address.to_string()),
            ..RequestContext::default()
        };
        Self { cookies: BrowserCookies::default(), context }
    }

    /// Comes from `case-portal`, with more parameters such as `p=email`.
    ///
    /// # Panics
    /// When the provider fails.
    pub async fn arrive(&mut self, node: &Provider, more: &str) -> Seen {
        self.arrive_from(node, "case-portal", more).await
    }

    /// Comes from `client`.
    ///
    /// # Panics
    /// When the provider fails.
    pub async fn arrive_from(&mut self, node: &Provider, client: &str, more: &str) -> Seen {
        let scope = if more.contains("scope=") { "" } else { "&scope=openid" };
        let query = format!(
            "client_id={client}&response_type=code&redirect_uri={}&state=st&nonce=no{scope}&{more}",
            encode(PORTAL_URI)
        );
        let params = Params::parse_query(&query).expect("query");
        let (cookies, context) = (&self.cookies, &self.context);
        let call = AuthorizeCall { params: &params, cookies, locale: "en", chosen: false, context };
        let answered = node.authorize(call).await.expect("authorize");
        self.follow(node, answered).await
    }

    /// Presses a button of `page`.
    ///
    /// # Panics
    /// When the provider fails.
    pub async fn press(&mut self, node: &Provider, page: &FlowPage, control: &str, fields: &[(&str, &str)]) -> Seen {
        let answered = self.post(node, page.flow, form(page, control, fields)).await.expect("advance");
        self.follow(node, answered).await
    }

    /// Sends a form; what the provider answers, cookies not kept.
    ///
    /// # Errors
    /// Those of the provider.
    pub async fn post(&self, node: &Provider, flow: FlowId, form: FlowForm) -> Result<Answered, ServiceError> {
        node.advance_flow(self.flow_call(flow), form).await
    }

    /// Loads the flow's page.
    ///
    /// # Panics
    /// When the provider fails.
    pub async fn reload(&mut self, node: &Provider, flow: FlowId) -> Seen {
        let answered = node.show_flow(self.flow_call(flow), false).await.expect("show");
        self.follow(node, answered).await
    }

    /// Does what the answer says.
    ///
    /// # Panics
    /// When the provider fails.
    pub async fn follow(&mut self, node: &Provider, answered: Answered) -> Seen {
        self.keep(&answered);
        match answered.answer {
            Answer::Page(page) => Seen::Page(page),
            Answer::Respond(response) => Seen::Client(response),
            Answer::Refused(_) => Seen::Refused,
            Answer::Gone => Seen::Gone,
            Answer::Link(dead) => Seen::DeadLink(dead.page),
            Answer::SeeFlow { flow, out_of_date } => {
                let shown = node.show_flow(self.flow_call(flow), out_of_date).await.expect("show");
                self.keep(&shown);
                match shown.answer {
                    Answer::Page(page) => Seen::Page(page),
                    Answer::Gone => Seen::Gone,
                    // The browser is sent to an upstream provider.
                    Answer::Respond(response) => Seen::Client(response),
                    other => panic!("a flow that shows {other:?}"),
                }
            }
        }
    }

    /// Keeps an answer's cookies.
    pub fn keep(&mut self, answered: &Answered) {
        if let Some(binding) = &answered.cookies.binding {
            self.cookies.binding = Some(binding.clone());
        }
        if let Some(session) = &answered.cookies.session {
            self.cookies.session = Some(session.clone());
        }
        if let Some(device) = &answered.cookies.device {
            self.cookies.device = Some(device.clone());
        }
    }

    /// What the browser brings to an address of its own.
    pub const fn call(&self) -> BrowserCall<'_> {
        BrowserCall { cookies: &self.cookies, locale: None, context: &self.context }
    }

    const fn flow_call(&self, flow: FlowId) -> FlowCall<'_> {
        FlowCall { flow, cookies: &self.cookies, locale: None, context: &self.context }
    }

    /// Gives mail address and password on a sign-in page.
    ///
    /// # Panics
    /// When the provider fails.
    pub async fn give_password(&mut self, node: &Provider, page: &FlowPage, who: Credentials) -> Seen {
        self.press(node, page, "login", &[("email", who.0), ("password", who.1)]).await
    }

    /// Walks from LOGIN OPTIONS to the page that sends the code.
    ///
    /// # Panics
    /// When a page is another than expected.
    pub async fn walk_to_mailbox(&mut self, node: &Provider, who: Credentials, remember: bool) -> FlowPage {
        let options = self.arrive(node, "").await.page();
        let ticked: &[(&str, &str)] = if remember { &[("remember_customers", "on")] } else { &[] };
        let sign_in = self.press(node, &options, "email", ticked).await.page();
        let page = self.give_password(node, &sign_in, who).await.page();
        assert_eq!(page.view.page, "email_verify");
        page
    }

    /// Has the code sent and gives it: the page with Continue.
    ///
    /// # Panics
    /// When a page is another than expected.
    pub async fn prove_mailbox(
        &mut self,
        house: &House,
        node: &std::sync::Arc<Provider>,
        page: &FlowPage,
        who: Credentials,
    ) -> FlowPage {
        let sent = self.press(node, page, "send", &[]).await.page();
        assert_eq!(sent.view.state, "sent");
        let code = house.mailed_code(node, who.0).await;
        let verified = self.press(node, &sent, "verify", &[("code", &code)]).await.page();
        assert_eq!(verified.view.state, "verified");
        verified
    }

    /// Signs in by mail, from LOGIN OPTIONS; the client's answer.
    ///
    /// # Panics
    /// When a page is another than expected.
    pub async fn sign_in(
        &mut self,
        house: &House,
        node: &std::sync::Arc<Provider>,
        who: Credentials,
        remember: bool,
    ) -> Response {
        let page = Box::pin(self.walk_to_mailbox(node, who, remember)).await;
        let verified = Box::pin(self.prove_mailbox(house, node, &page, who)).await;
        self.press(node, &verified, "continue", &[]).await.response()
    }
}

/// What a browser sends of `page`.
pub fn form(page: &FlowPage, control: &str, fields: &[(&str, &str)]) -> FlowForm {
    let fields: BTreeMap<String, String> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    FlowForm { nonce: page.nonce.clone(), start: page.start.clone(), control: control.to_owned(), fields }
}
