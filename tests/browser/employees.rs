//! Employees: the left column of LOGIN OPTIONS (R2, R5), by the corporate provider of the sandbox.

use countersign_tests::servers::{Browser, BrowserOptions, Demo};

use crate::journey::{open_login_options, read_home, read_refusal};

const CORPORATE: &str = "Duck Pond Corp sign-in";
const REFUSED: &str = "YOUR DOMAIN LOGIN WAS NOT ACCEPTED";

async fn open_corporate(browser: &Browser, demo: &Demo) {
    open_login_options(browser, demo).await;
    browser.press_and_leave("LOGIN").await;
    browser.wait_for_text(CORPORATE).await;
    assert!(browser.url().await.starts_with(&demo.sandbox));
}

#[tokio::test]
async fn an_employee_signs_in_at_the_corporate_provider() {
    for javascript in [true, false] {
        let demo = Demo::start_default().await;
        let options = BrowserOptions { javascript, ..BrowserOptions::default() };
        Browser::journey("employees", &options, async |browser| {
            open_login_options(browser, &demo).await;
            browser.wait_for_text("Acentra Health Employees").await; // R2
            browser.wait_for_text("Use this login button if you have a Acentra Health domain account.").await;
            open_corporate(browser, &demo).await;
            browser.fill("Email", "nurse@corp.example.com").await;
            browser.press_and_leave("Sign in").await;
            let home = read_home(browser, &demo).await;
            assert_eq!((home.name.as_str(), home.email.as_str()), ("Nora Nurse", "nurse@corp.example.com"));
            // How the corporate provider did it is its own affair.
            assert_eq!(
                (home.acr.as_str(), home.amr.join(" ")),
                ("urn:countersign:acr:federated", "not given".to_owned())
            );

            // Who does not work here, whose mail nobody verified, and who changed their mind.
            for stranger in ["visitor@corp.example.com", "contractor@elsewhere.example.net"] {
                open_corporate(browser, &demo).await;
                browser.fill("Email", stranger).await;
                browser.press_and_leave("Sign in").await;
                browser.wait_for_text(REFUSED).await;
                browser.press_and_leave("LOGIN").await;
                browser.wait_for_text("LOGIN OPTIONS").await;
            }
            open_corporate(browser, &demo).await;
            browser.press_and_leave("Decline").await;
            browser.wait_for_text(REFUSED).await;
            browser.press_and_leave("Return to Case Portal").await;
            assert_eq!(read_refusal(browser, &demo).await, "access_denied");
        })
        .await;
    }
}

#[tokio::test]
async fn an_employee_who_types_the_address_elsewhere_is_led_to_the_corporate_provider() {
    let demo = Demo::start_default().await;
    Browser::journey("employees-by-address", &BrowserOptions::default(), async |browser| {
        for button in ["LOGIN WITH EMAIL", "LOGIN WITH PHONE"] {
            open_login_options(browser, &demo).await;
            browser.press_and_leave(button).await;
            browser.fill("Email Address", "nurse@corp.example.com").await;
            browser.fill("Password", "not asked for").await;
            browser.press_and_leave("Sign in").await;
            browser.wait_for_text(CORPORATE).await;
        }
        // The address went along.
        browser.press_and_leave("Sign in").await;
        assert_eq!(read_home(browser, &demo).await.email, "nurse@corp.example.com");
    })
    .await;
}
