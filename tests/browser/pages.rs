//! Every page as it looks: at two widths, in two languages, with axe-core's opinion.

mod samples;
mod tour;

use std::path::PathBuf;

use countersign_tests::servers::{Browser, BrowserOptions, Demo};
use serde_json::{Value, json};

use crate::journey::{ADMINISTRATOR, EMAIL_USER, Person, another_code, demo_with_clock, overflow};

/// The labels that a language needs on the way.
struct Words {
    locale: &'static str,
    by_email: &'static str,
    email: &'static str,
    password: &'static str,
    sign_in: &'static str,
    send: &'static str,
    code: &'static str,
    verify: &'static str,
    resend: &'static str,
    not_valid: &'static str,
    not_found: &'static str,
}

const ENGLISH: Words = Words {
    locale: "en",
    by_email: "LOGIN WITH EMAIL",
    email: "Email Address",
    password: "Password",
    sign_in: "Sign in",
    send: "Send verification code",
    code: "Verification code",
    verify: "Verify code",
    resend: "Send new code",
    not_valid: "THE APPLICATION'S REQUEST IS NOT VALID",
    not_found: "PAGE NOT FOUND",
};

const SPANISH: Words = Words {
    locale: "es",
    by_email: "INICIAR SESIÓN CON CORREO ELECTRÓNICO",
    email: "Correo electrónico",
    password: "Contraseña",
    sign_in: "Iniciar sesión",
    send: "Enviar código de verificación",
    code: "Código de verificación",
    verify: "Verificar código",
    resend: "Enviar nuevo código",
    not_valid: "NO ES VÁLIDA",
    not_found: "PÁGINA NO ENCONTRADA",
};

/// Looks at one page after the other and collects what is wrong with them.
struct Eyes<'a> {
    browser: &'a Browser,
    words: &'a Words,
    width: u32,
    axe: String,
    problems: Vec<String>,
}

impl Eyes<'_> {
    async fn look(&mut self, page: &str) {
        let name = format!("{page}.{}.{}", self.words.locale, self.width);
        let ready = self.browser.execute("return document.readyState", vec![]).await.unwrap();
        assert_eq!(ready, "complete", "{name}");
        self.browser.save_screenshot(&name).await;
        let over = overflow(self.browser, self.width).await;
        if over > 0 {
            self.problems.push(format!("{name}: {over} pixels too wide"));
        }
        let found = find_violations(self.browser, &self.axe).await;
        self.problems.extend(found.into_iter().map(|why| format!("{name}: {why}")));
    }

    async fn sign_in(&self, person: &Person, password: &str) {
        self.browser.fill(self.words.email, person.email).await;
        self.browser.fill(self.words.password, password).await;
        self.browser.press_and_leave(self.words.sign_in).await;
    }

    async fn verify(&self, code: &str) {
        self.browser.fill(self.words.code, code).await;
        self.browser.press_and_leave(self.words.verify).await;
    }

    /// The pages of a sign-in that succeeds, with its small mishaps.
    async fn visit_sign_in(&mut self, demo: &Demo) {
        let browser = self.browser;
        browser.open(&format!("{}/login", demo.portal)).await;
        self.look("login-options").await;
        browser.press_and_leave(self.words.by_email).await;
        browser.field(self.words.password).await;
        self.look("sign-in").await;
        let old = browser.url().await;
        self.sign_in(&EMAIL_USER, "wrong-password").await;
        browser.wait().for_element(fantoccini::Locator::Id("problem")).await.unwrap();
        self.look("sign-in-wrong").await;
        self.sign_in(&EMAIL_USER, EMAIL_USER.password).await;
        browser.control(self.words.send).await;
        self.look("mail-unsent").await;
        browser.open(&format!("{old}?out_of_date=1")).await;
        self.look("mail-out-of-date").await;
        demo.inbox().clear().await;
        browser.press_and_leave(self.words.send).await;
        browser.control(self.words.verify).await;
        self.look("mail-sent").await;
        browser.press_and_leave(self.words.resend).await;
        self.look("mail-wait").await;
        let code = demo.inbox().code(EMAIL_USER.email).await;
        self.verify(&another_code(&code)).await;
        browser.wait().for_element(fantoccini::Locator::Id("problem")).await.unwrap();
        self.look("mail-wrong").await;
        self.verify(&code).await;
        browser.wait().for_element(fantoccini::Locator::Css("button[value='continue']:enabled")).await.unwrap();
        self.look("mail-verified").await;
        browser.press_and_leave(if self.words.locale == "en" { "Continue" } else { "Continuar" }).await;
        browser.wait_for_text("You are signed in").await;
        self.look("portal-home").await;
        browser.open(&old).await;
        self.look("flow-gone").await;
    }

    /// The pages where it goes on otherwise or not at all.
    async fn visit_refusals(&mut self, demo: &Demo) {
        let browser = self.browser;
        browser.open(&format!("{}/login?p=totp", demo.portal)).await;
        self.sign_in(&ADMINISTRATOR, ADMINISTRATOR.password).await;
        browser.control(self.words.verify).await;
        self.look("totp").await;
        for _ in 0..6 {
            if !browser.has_control(self.words.verify).await {
                break;
            }
            let label = if self.words.locale == "en" { "Authenticator code" } else { "Código de la aplicación" };
            browser.fill(label, "000000").await;
            browser.press_and_leave(self.words.verify).await;
        }
        assert!(!browser.has_control(self.words.verify).await, "no end of attempts");
        self.look("try-later").await;

        browser.press_and_leave(if self.words.locale == "en" { "LOGIN" } else { "INICIAR SESIÓN" }).await;
        browser.press_and_leave(if self.words.locale == "en" { "< Cancel" } else { "< Cancelar" }).await;
        browser.wait().for_element(fantoccini::Locator::Id("error-code")).await.unwrap();
        self.look("portal-refused").await;

        browser.open(&format!("{}/login", demo.portal)).await;
        browser.control(self.words.by_email).await;
        let url = browser.url().await;
        let endpoint = url.split('?').next().unwrap();
        browser.open(&format!("{endpoint}?client_id=case-portal&redirect_uri=https://evil.example/")).await;
        browser.wait_for_text(self.words.not_valid).await;
        self.look("request-not-valid").await;
        browser.open(&format!("{}/no-such-page", demo.issuer)).await;
        browser.wait_for_text(self.words.not_found).await;
        self.look("not-found").await;
    }
}

/// axe-core's source, where `tests/run` installed it.
fn find_axe() -> String {
    let folder = std::env::var_os("COUNTERSIGN_TEST_NODE_DIR");
    let folder = PathBuf::from(folder.expect("COUNTERSIGN_TEST_NODE_DIR is not set: run ./tests/run"));
    let path = folder.join("node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What axe-core finds against WCAG 2.2 AA and its best practices.
async fn find_violations(browser: &Browser, axe: &str) -> Vec<String> {
    browser.execute(axe, vec![]).await.unwrap();
    let script = "const done = arguments[arguments.length - 1];\
        axe.run(document, { resultTypes: ['violations'] }).then((found) => done(found.violations.flatMap(\
        (rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)} (${node.failureSummary})`))),\
        (error) => done([String(error)]))";
    match browser.execute_async(script, vec![json!(null)]).await.unwrap() {
        Value::Array(found) => found.iter().map(ToString::to_string).collect(),
        other => panic!("{other}"),
    }
}

async fn visit_every_page(width: u32, height: u32) {
    let demo = Demo::start_default().await;
    let mut problems = Vec::new();
    for (words, languages) in [(&ENGLISH, "en-US,en"), (&SPANISH, "es-MX,es")] {
        let options =
            BrowserOptions { size: (width, height), languages: languages.to_owned(), ..BrowserOptions::default() };
        Browser::journey(&format!("pages.{}.{width}", words.locale), &options, async |browser| {
            let mut eyes = Eyes { browser, words, width, axe: find_axe(), problems: Vec::new() };
            eyes.visit_sign_in(&demo).await;
            eyes.visit_refusals(&demo).await;
            problems.append(&mut eyes.problems);
        })
        .await;
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test]
async fn every_page_is_sound_on_a_telephone() {
    visit_every_page(390, 844).await;
}

#[tokio::test]
async fn every_page_is_sound_on_a_desk() {
    visit_every_page(1280, 900).await;
}

/// The pages of every other policy; a demo for each language, since people register once.
async fn tour_every_policy(width: u32, height: u32) {
    let mut problems = Vec::new();
    for (words, languages) in [(&ENGLISH, "en-US,en"), (&SPANISH, "es-MX,es")] {
        let demo = demo_with_clock().await;
        let options =
            BrowserOptions { size: (width, height), languages: languages.to_owned(), ..BrowserOptions::default() };
        Browser::journey(&format!("tour.{}.{width}", words.locale), &options, async |browser| {
            let mut eyes = Eyes { browser, words, width, axe: find_axe(), problems: Vec::new() };
            eyes.tour(&demo).await;
            problems.append(&mut eyes.problems);
        })
        .await;
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test]
async fn every_page_of_every_policy_is_sound_on_a_telephone() {
    tour_every_policy(390, 844).await;
}

#[tokio::test]
async fn every_page_of_every_policy_is_sound_on_a_desk() {
    tour_every_policy(1280, 900).await;
}

/// The instruments themselves: a page with faults has them found.
#[tokio::test]
async fn a_page_with_faults_does_not_pass() {
    let options = BrowserOptions { size: (390, 844), ..BrowserOptions::default() };
    Browser::journey("pages-faulty", &options, async |browser| {
        let page = "<meta name=viewport content='width=device-width'><p style='width:900px'>x</p><img src=x><input>";
        browser.open(&format!("data:text/html,{page}")).await;
        assert!(overflow(browser, 390).await > 0);
        let found = find_violations(browser, &find_axe()).await.join(" ");
        assert!(found.contains("image-alt") && found.contains("label"), "{found}");
    })
    .await;
}
