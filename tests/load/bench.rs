//! A workload on its connections, with what it uses up.

use std::rc::Rc;

use crate::generator::{Drive, Pace, Script, Scripts, drive};
use crate::link::{Link, get, post};
use crate::script::{
    Authorize, Browser, MailedCodeLogin, OpenPage, PasswordLogin, Refresh, Repeat, Spend, Stock, mailed, token_request,
    tokens,
};
use crate::site::{ALICE, MAILED, Site, WEB, basic};
use crate::workload::{Algorithm, Workload};

/// Connections with their scripts, and those who fill what these use up.
pub struct Bench {
    site: Rc<Site>,
    scripts: Scripts,
    fillers: Scripts,
}

impl Bench {
    /// Makes what the workload needs on `connections`.
    pub async fn build(site: &Rc<Site>, workload: Workload, connections: usize) -> Self {
        let stock = Stock::default();
        let all = || 0..connections;
        let (scripts, fillers): (Scripts, Scripts) = match workload {
            Workload::CodeRedemption => (
                all().map(|_| spend(&stock, 200, "\"refresh_token\"")).collect(),
                all().map(|_| boxed(Authorize::new(site, Some(Rc::clone(&stock))))).collect(),
            ),
            Workload::FlowPagePost => (
                all().map(|_| spend(&stock, 303, "")).collect(),
                all().map(|_| boxed(OpenPage { site: Rc::clone(site), stock: Rc::clone(&stock) })).collect(),
            ),
            Workload::Authorization => (all().map(|_| boxed(Authorize::new(site, None))).collect(), Vec::new()),
            Workload::Refresh => (refreshers(site, connections).await, Vec::new()),
            Workload::PasswordLogin => (people(connections).map(|person| password(site, person)).collect(), Vec::new()),
            Workload::MailedCodeLogin => ((0..MAILED.len()).map(|number| mail(site, number)).collect(), Vec::new()),
            _ => {
                let (request, words) = repeated(site, workload).await;
                (all().map(|_| repeat(&request, words)).collect(), Vec::new())
            }
        };
        Self { site: Rc::clone(site), scripts, fillers }
    }

    /// Makes what `operations` use up.
    pub async fn fill(&mut self, operations: usize) {
        if !self.fillers.is_empty() {
            drive(self.site.address, &mut self.fillers, operations, Pace::Closed).await;
        }
    }

    /// Runs it.
    pub async fn run(&mut self, operations: usize, pace: Pace) -> Drive {
        drive(self.site.address, &mut self.scripts, operations, pace).await
    }
}

fn boxed(script: impl Script + 'static) -> Box<dyn Script> {
    Box::new(script)
}

fn spend(stock: &Stock, status: u16, words: &'static str) -> Box<dyn Script> {
    boxed(Spend { stock: Rc::clone(stock), status, words })
}

fn repeat(request: &[u8], words: &'static str) -> Box<dyn Script> {
    boxed(Repeat { request: request.to_vec(), status: 200, words })
}

fn password(site: &Rc<Site>, person: (&'static str, &'static str)) -> Box<dyn Script> {
    boxed(PasswordLogin { site: Rc::clone(site), person })
}

fn mail(site: &Rc<Site>, number: usize) -> Box<dyn Script> {
    boxed(MailedCodeLogin { site: Rc::clone(site), person: mailed(number) })
}

/// Who signs in, a connection each.
fn people(connections: usize) -> impl Iterator<Item = (&'static str, &'static str)> {
    [ALICE].into_iter().chain(MAILED).take(connections)
}

async fn refreshers(site: &Rc<Site>, connections: usize) -> Scripts {
    let mut scripts = Scripts::new();
    for _ in 0..connections {
        scripts.push(boxed(Refresh::new(site).await));
    }
    scripts
}

/// A request that may be sent any number of times, and what its answer says.
async fn repeated(site: &Site, workload: Workload) -> (Vec<u8>, &'static str) {
    match workload {
        Workload::Jwks => (get(&site.host, &site.path("jwks_uri"), &[]), "\"keys\""),
        Workload::ClientCredentials(algorithm) => (client_credentials(site, algorithm), "\"access_token\""),
        Workload::Introspection => {
            let token = access_token(site).await;
            let path = site.path("introspection_endpoint");
            let headers = [("authorization", basic(WEB))];
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            (post(&site.host, &path, &headers, &[("token", &token)]), "\"active\":true")
        }
        Workload::UserInfo => {
            let bearer = format!("Bearer {}", access_token(site).await);
            (get(&site.host, &site.path("userinfo_endpoint"), &[("authorization", &bearer)]), "\"sub\"")
        }
        Workload::FlowPageGet => (flow_page(site).await, "name=\"password\""),
        _ => (get(&site.host, "/.well-known/openid-configuration", &[]), "\"issuer\""),
    }
}

fn client_credentials(site: &Site, algorithm: Algorithm) -> Vec<u8> {
    let (client, form) = site.credentials(algorithm);
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    token_request(site, &client, &form)
}

async fn access_token(site: &Site) -> String {
    tokens(site).await["access_token"].as_str().expect("an access token").to_owned()
}

/// The page to sign in by mail, of a flow that began at LOGIN OPTIONS and is stored since.
async fn flow_page(site: &Site) -> Vec<u8> {
    let (mut browser, mut link) = (Browser::new(site), Link::open(site.address).await);
    let options = browser.get(&mut link, &site.authorization("options")).await;
    let sign_in = browser.press(&mut link, &options, "email", &[]).await;
    assert!(sign_in.url.path().starts_with("/flow/"), "no page of a flow: {}", sign_in.url);
    browser.asks(sign_in.url.path())
}
