use std::ops::Deref;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use futures_util::FutureExt as _;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;

use super::{Running, free_port};

/// How long a page may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the browser is.
#[derive(Clone, Debug)]
pub struct BrowserOptions {
    /// Width and height of the page, in CSS pixels.
    pub size: (u32, u32),
    /// Whether pages may run scripts.
    pub javascript: bool,
    /// What it asks for in Accept-Language, best first, such as `es-MX,es`.
    pub languages: String,
    /// Whether it accepts any certificate, such as those of the demo's `--tls`.
    pub any_certificate: bool,
    /// Names that lead to this machine.
    pub hosts: Vec<&'static str>,
    /// Whether pages of one site may have cookies within pages of another.
    pub third_party_cookies: bool,
}

impl Default for BrowserOptions {
    fn default() -> Self {
        Self {
            size: (1280, 900),
            javascript: true,
            languages: "en-US,en".to_owned(),
            any_certificate: false,
            hosts: Vec::new(),
            third_party_cookies: true,
        }
    }
}

/// Chromium with an empty profile. Also a [`fantoccini::Client`].
pub struct Browser {
    client: Client,
    _driver: Running,
    _profile: TempDir,
}

impl Deref for Browser {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Browser {
    /// Runs `journey` in a browser of its own; when it fails, leaves a picture and the source of the page in the folder
    /// of [`Browser::save_screenshot`], named `name`.
    pub async fn journey<T>(name: &str, options: &BrowserOptions, journey: impl AsyncFnOnce(&Self) -> T) -> T {
        let browser = Self::start(options).await;
        let outcome = AssertUnwindSafe(journey(&browser)).catch_unwind().await;
        if outcome.is_err() {
            let url = browser.client.current_url().await.map(String::from).unwrap_or_default();
            eprintln!("{name} failed at {url}");
            browser.save_screenshot(&format!("{name}.failed")).await;
            browser.save_source(&format!("{name}.failed")).await;
        }
        let _ = browser.client.clone().close().await;
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Starts a driver and a browser.
    pub async fn start(options: &BrowserOptions) -> Self {
        let profile = tempfile::tempdir().expect("temporary folder");
        let port = free_port();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).env("HOME", profile.path()).env_remove("LD_PRELOAD");
        command.env_remove("DISPLAY").env("TMPDIR", profile.path());
        let mut driver = Running::start("chromedriver", &mut command);
        driver.wait_for_line(|line| line.contains("was started successfully")).await;
        let capabilities = capabilities(options, &profile);
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("a browser session");
        Self { client, _driver: driver, _profile: profile }
    }

    /// Opens `url`.
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// The address of the page.
    pub async fn url(&self) -> String {
        self.client.current_url().await.expect("url").into()
    }

    /// What a person can read on the page.
    pub async fn text(&self) -> String {
        self.retry_while_it_changes("text", async || self.client.find(Locator::Css("body")).await?.text().await).await
    }

    /// What `act` answers. Tries again while the page it acts on is being replaced: then nothing was done.
    async fn retry_while_it_changes<T>(&self, what: &str, act: impl AsyncFn() -> Result<T, CmdError>) -> T {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        let retry = async {
            loop {
                ticks.tick().await;
                match act().await {
                    Err(error) if error.is_stale_element_reference() || error.is_no_such_element() => {}
                    outcome => return outcome,
                }
            }
        };
        let outcome = tokio::time::timeout(PATIENCE, retry).await;
        let outcome = outcome.unwrap_or_else(|_| panic!("the page did not come to rest: {what}"));
        outcome.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Waits until the page says `text`.
    pub async fn wait_for_text(&self, text: &str) {
        let path = format!("//body[contains(normalize-space(.), {})]", quote(text));
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(&path)).await;
        assert!(found.is_ok(), "the page at {} never said {text:?}:\n{}", self.url().await, self.text().await);
    }

    /// Waits until the address begins with `prefix`, and answers it.
    pub async fn wait_for_url(&self, prefix: &str) -> String {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        let wait = async {
            loop {
                ticks.tick().await;
                let url = self.url().await;
                if url.starts_with(prefix) {
                    return url;
                }
            }
        };
        let Ok(url) = tokio::time::timeout(PATIENCE, wait).await else {
            panic!("never came to {prefix}, is at {}:\n{}", self.url().await, self.text().await)
        };
        url
    }

    /// The button or link with this visible label or accessible name, once it is there.
    pub async fn control(&self, name: &str) -> Element {
        let name = quote(name);
        let named = format!("normalize-space(.)={name} or @aria-label={name} or @value={name} or @title={name}");
        let path = format!("//*[self::button or self::a or self::input[@type='submit']][{named}]");
        self.find_soon(&path, &name).await
    }

    /// Whether there is such a button or link now.
    pub async fn has_control(&self, name: &str) -> bool {
        let name = quote(name);
        let named = format!("normalize-space(.)={name} or @aria-label={name} or @value={name}");
        let path = format!("//*[self::button or self::a or self::input[@type='submit']][{named}]");
        !self.client.find_all(Locator::XPath(&path)).await.expect("find").is_empty()
    }

    /// Presses the button or link with this name.
    pub async fn press(&self, name: &str) {
        self.retry_while_it_changes(name, async || self.control(name).await.click().await).await;
    }

    /// Presses it and waits until the page has been left, for the same address or another.
    pub async fn press_and_leave(&self, name: &str) {
        self.leave(name, async || self.press(name).await).await;
    }

    /// Presses the button or link of the sentence that says `text`, and waits until the page has been left.
    pub async fn press_in_and_leave(&self, text: &str) {
        let path = format!("//p[contains(normalize-space(.), {})]//*[self::button or self::a]", quote(text));
        let press = async || self.find_soon(&path, text).await.click().await;
        self.leave(text, async || self.retry_while_it_changes(text, &press).await).await;
    }

    /// Presses the button that posts `do=value`, in whatever language, and waits until the page has been left.
    pub async fn post_and_leave(&self, value: &str) {
        let path = format!("//button[@name='do' and @value={}]", quote(value));
        let press = async || self.find_soon(&path, value).await.click().await;
        self.leave(value, async || self.retry_while_it_changes(value, &press).await).await;
    }

    /// Types `text` into the field that is sent as `name`, in place of what is there.
    pub async fn type_into(&self, name: &str, text: &str) {
        let path = format!("//*[self::input or self::select][@name={} and not(@type='hidden')]", quote(name));
        let fill = async || {
            let field = self.find_soon(&path, name).await;
            if field.tag_name().await? == "input" {
                field.clear().await?;
            }
            field.send_keys(text).await
        };
        self.retry_while_it_changes(name, fill).await;
    }

    /// The same on a page that goes on by itself.
    pub async fn type_into_and_leave(&self, name: &str, text: &str) {
        self.leave(name, async || self.type_into(name, text).await).await;
    }

    /// Types into the field with this label and waits until the page has been left by itself.
    pub async fn fill_and_leave(&self, label: &str, text: &str) {
        self.leave(label, async || self.fill(label, text).await).await;
    }

    /// Does what makes the page go, and waits until it has been left.
    async fn leave(&self, what: &str, act: impl AsyncFnOnce()) {
        let page = self.client.find(Locator::Css("html")).await.expect("a page");
        act().await;
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        let wait = async {
            // An element of a page that is gone answers with an error.
            while page.tag_name().await.is_ok() {
                ticks.tick().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "{what:?} did not lead away from {}:\n{}", self.url().await, self.text().await);
    }

    /// Chooses an option by its text in the list with this label.
    pub async fn choose(&self, label: &str, option: &str) {
        let chosen = self.field(label).await.select_by_label(option).await;
        chosen.unwrap_or_else(|error| panic!("{label}: {option}: {error}"));
    }

    /// Clicks the box with this label.
    pub async fn tick(&self, label: &str) {
        self.retry_while_it_changes(label, async || self.field(label).await.click().await).await;
    }

    /// Gives the browser a passkey device of its own that says yes to everything (WebAuthn 2, 11.3).
    pub async fn add_authenticator(&self) {
        let added = self.client.issue_cmd(AddAuthenticator).await;
        added.unwrap_or_else(|error| panic!("no virtual authenticator: {error}"));
    }

    /// The field with this label or accessible name, once it is there.
    pub async fn field(&self, label: &str) -> Element {
        let label = quote(label);
        let labelled = format!("//label[contains(normalize-space(.), {label})]");
        let path = format!(
            "//*[self::input or self::select or self::textarea]\
             [@id={labelled}/@for or ancestor::label[contains(normalize-space(.), {label})] \
              or @aria-label={label} or @placeholder={label}]"
        );
        self.find_soon(&path, &label).await
    }

    /// Types `text` into the field with this label, in place of what is there.
    pub async fn fill(&self, label: &str, text: &str) {
        let fill = async || {
            let field = self.field(label).await;
            field.clear().await?;
            field.send_keys(text).await
        };
        self.retry_while_it_changes(label, fill).await;
    }

    async fn find_soon(&self, path: &str, what: &str) -> Element {
        let Ok(element) = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(path)).await else {
            panic!("no {what} on the page at {}:\n{}", self.url().await, self.text().await)
        };
        element
    }

    /// Saves a picture of the whole page, its end too, as `name.png` in `$COUNTERSIGN_SCREENSHOTS`; does nothing
    /// without it.
    pub async fn save_screenshot(&self, name: &str) {
        if let (Some(path), Ok(told)) = (file(&format!("{name}.png")), self.client.issue_cmd(CaptureWhole).await) {
            let picture = told["data"].as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
            std::fs::write(path, picture.expect("a picture")).expect("write");
        }
    }

    async fn save_source(&self, name: &str) {
        if let (Some(path), Ok(source)) = (file(&format!("{name}.html")), self.client.source().await) {
            std::fs::write(path, source).expect("write");
        }
    }
}

fn file(name: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("COUNTERSIGN_SCREENSHOTS")?);
    std::fs::create_dir_all(&folder).expect("a folder for screenshots");
    Some(folder.join(name))
}

/// `text` as an XPath string, which knows no escapes.
fn quote(text: &str) -> String {
    if text.contains('"') { format!("'{text}'") } else { format!("\"{text}\"") }
}

fn capabilities(options: &BrowserOptions, profile: &TempDir) -> fantoccini::wd::Capabilities {
    let mut arguments = vec![
        "--headless".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-quic".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--hide-scrollbars".to_owned(),
        format!("--user-data-dir={}", profile.path().join("profile").display()),
        format!("--accept-lang={}", options.languages),
    ];
    if is_root() {
        arguments.push("--no-sandbox".to_owned());
    }
    if !options.hosts.is_empty() {
        let rules: Vec<_> = options.hosts.iter().map(|host| format!("MAP {host} 127.0.0.1")).collect();
        arguments.push(format!("--host-resolver-rules={}", rules.join(", ")));
    }
    let (width, height) = options.size;
    let is_phone = width < 600;
    let scripts = if options.javascript { 1 } else { 2 };
    let capabilities = json!({
        "browserName": "chrome",
        "acceptInsecureCerts": options.any_certificate,
        "goog:chromeOptions": {
            "binary": "/usr/bin/chromium",
            "args": arguments,
            // A window of its own size would not get narrower than 500 pixels.
            "mobileEmulation": {
                "deviceMetrics": {
                    "width": width, "height": height, "pixelRatio": 1.0, "mobile": is_phone, "touch": is_phone,
                },
            },
            "prefs": {
                "intl.accept_languages": options.languages,
                "profile.managed_default_content_settings.javascript": scripts,
                "credentials_enable_service": false,
                // 1: none of third parties; 2, its own default: none in private windows.
                "profile.cookie_controls_mode": if options.third_party_cookies { 2 } else { 1 },
                "profile.block_third_party_cookies": !options.third_party_cookies,
            },
        },
    });
    serde_json::from_value(capabilities).expect("capabilities")
}

/// `POST /session/{id}/webauthn/authenticator`: a platform authenticator that keeps passkeys and verifies its person.
#[derive(Debug)]
struct AddAuthenticator;

impl WebDriverCompatibleCommand for AddAuthenticator {
    fn endpoint(&self, base_url: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base_url.join(&format!("session/{}/webauthn/authenticator", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (reqwest::Method, Option<String>) {
        let device = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserConsenting": true, "isUserVerified": true,
        });
        (reqwest::Method::POST, Some(device.to_string()))
    }
}

/// A picture of all of a page (DevTools protocol, `Page.captureScreenshot`); WebDriver's own ends with the window.
#[derive(Debug)]
struct CaptureWhole;

impl WebDriverCompatibleCommand for CaptureWhole {
    fn endpoint(&self, base_url: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base_url.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (reqwest::Method, Option<String>) {
        let params = json!({ "format": "png", "captureBeyondViewport": true });
        (reqwest::Method::POST, Some(json!({ "cmd": "Page.captureScreenshot", "params": params }).to_string()))
    }
}

/// Chromium's sandbox refuses root.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
