//! An administrator's invitation (R33): `countersign user invite`, the mail, its link for two days, the registration.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use countersign_tests::servers::{Browser, BrowserOptions, Demo, DemoOptions, FakeClock, binary};

use crate::journey::{Person, open_login_options, read_home, sign_in};
use crate::steps::{NEW_PASSWORD, accept_terms, ask_for_code, set_password, type_number};

const GUEST: &str = "gail.guest@example.com";
const NAME: &str = "Gail Guest";
const NUMBER: &str = "+12025550163";
const SUBJECT: &str = "Atrezzo - Account Registration";
const LANDING: &str = "Your account was created by your administrator.";

/// A demo whose data lie in `folder`, where an operator finds them.
async fn demo_in(folder: &Path, clock: &FakeClock) -> Demo {
    let flags = vec!["--data-dir".to_owned(), folder.display().to_string()];
    Demo::start(DemoOptions { clock: Some(clock.clone()), flags, ..DemoOptions::default() }).await
}

/// `countersign user invite`, beside the running node.
fn invite(demo: &Demo, folder: &Path, clock: &FakeClock, email: &str) -> String {
    let config = folder.join("operator.toml");
    let text = format!(
        "[server]\nissuer = \"{}\"\nlisten = [\"127.0.0.1:0\"]\nallow_http = true\n\
         [secrets]\nmaster_key_file = \"{folder}/master.key\"\n[database]\nurl = \"sqlite:{folder}/countersign.db\"\n\
         [[telephone.carriers]]\nname = \"main\"\nbase_url = \"https://carrier.example.org\"\n\
         account_sid = \"AC0123\"\nauth_token = \"a-token-of-the-tests\"\nfrom = \"+12025550100\"\n",
        demo.issuer,
        folder = folder.display(),
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(binary());
    clock.apply(&mut command);
    command.args(["user", "invite", "--email", email, "--name", NAME, "--client", "case-portal", "--config"]);
    let output = command.arg(&config).env("RUST_LOG", "warn").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[tokio::test]
async fn an_invited_person_registers_a_phone_by_the_mailed_link() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), FakeClock::new());
    let demo = demo_in(folder.path(), &clock).await;
    let inbox = demo.inbox();
    let said = invite(&demo, folder.path(), &clock, GUEST);
    assert!(said.contains("the account was made"), "{said}");
    let mail = inbox.mail(GUEST, SUBJECT).await;
    for words in ["Your Atrezzo Portal Administrator has created your account.", "This link will expire within 2 days."]
    {
        assert!(mail.text.contains(words), "{words}: {}", mail.text);
    }
    Browser::journey("invitation", &BrowserOptions::default(), async |browser| {
        browser.open(&mail.link()).await;
        browser.wait_for_text(LANDING).await;
        browser.press_and_leave("Continue").await;
        browser.wait_for_text("LOGIN METHOD").await;
        browser.press_and_leave("PHONE").await;
        // R26: who it is, as the administrator entered it.
        for (label, value) in [("Display Name", NAME), ("Email", GUEST)] {
            assert_eq!(browser.field(label).await.prop("value").await.unwrap().unwrap(), value, "{label}");
        }
        set_password(browser, NEW_PASSWORD, "Create").await;
        type_number(browser, "202 555 0163").await;
        let code = ask_for_code(browser, &inbox, "Send Code", NUMBER).await;
        browser.fill_and_leave("Verification code", &code).await;
        accept_terms(browser).await;
        let home = read_home(browser, &demo).await;
        assert_eq!((home.name.as_str(), home.email.as_str()), (NAME, GUEST));
        assert_eq!(home.acr, "urn:countersign:acr:password-phone");

        // Once: the link is over, and the account is one like any other.
        browser.open(&mail.link()).await;
        browser.wait_for_text("THIS LINK IS NO LONGER VALID").await;
        open_login_options(browser, &demo).await;
        browser.press_and_leave("LOGIN WITH PHONE").await;
        sign_in(browser, &Person { email: GUEST, password: NEW_PASSWORD, name: NAME }).await;
        browser.wait_for_text("XXX-XXX-0163").await;
    })
    .await;
}

#[tokio::test]
async fn an_invitation_lasts_two_days_and_a_new_one_replaces_it() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), FakeClock::new());
    let demo = demo_in(folder.path(), &clock).await;
    let inbox = demo.inbox();
    invite(&demo, folder.path(), &clock, GUEST);
    let first = inbox.mail(GUEST, SUBJECT).await;
    Browser::journey("invitation-expired", &BrowserOptions::default(), async |browser| {
        demo.move_clock(Duration::from_hours(48) - Duration::from_mins(5));
        browser.open(&first.link()).await;
        browser.wait_for_text(LANDING).await;
        demo.move_clock(Duration::from_mins(6));
        browser.open(&first.link()).await;
        browser.wait_for_text("THIS LINK IS NO LONGER VALID").await;

        // "see your Atrezzo Portal Administrator to have a new link sent via email"
        let before = inbox.ids(GUEST).await;
        let said = invite(&demo, folder.path(), &clock, GUEST);
        assert!(said.contains("the account was there"), "{said}");
        let second = inbox.wait_for_new(GUEST, &before, |message| message.text.contains("/link/")).await;
        browser.open(&second.link()).await;
        browser.wait_for_text(LANDING).await;
        browser.press_and_leave("Continue").await;
        browser.press_and_leave("EMAIL").await;
        set_password(browser, NEW_PASSWORD, "Create").await;
        accept_terms(browser).await;
        let home = read_home(browser, &demo).await;
        assert_eq!((home.name.as_str(), home.acr.as_str()), (NAME, "urn:countersign:acr:password-email"));
    })
    .await;
}
