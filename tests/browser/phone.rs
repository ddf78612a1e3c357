//! LOGIN WITH PHONE (R34 to R39): by text message, by call, and what goes wrong with them.

use std::time::Duration;

use countersign_tests::servers::{Browser, BrowserOptions, Demo};
use fantoccini::Locator;

use crate::journey::{
    EMAIL_USER, PHONE_USER, Person, UNSENT, another_code, demo_with_clock, finish, open_login_options, read_home,
    read_refusal, send_code, sign_in,
};
use crate::steps::{
    CALLING, ENTER_CODE, EXPIRED_CODE, PHONE, WRONG_CODE, ask_for_call, ask_for_code, demo_with_phone_policy,
    open_phone_page, prove_phone,
};

const NOT_ON_FILE: &str = "This is not the phone number on file. Please check it.";
const ACR: &str = "urn:countersign:acr:password-phone";

fn sorted(mut words: Vec<String>) -> Vec<String> {
    words.sort_unstable();
    words
}

#[tokio::test]
async fn a_text_message_signs_in_by_itself_and_wrong_and_expired_codes_do_not() {
    let demo = demo_with_clock().await;
    let inbox = demo.inbox();
    Browser::journey("phone-text", &BrowserOptions::default(), async |browser| {
        open_phone_page(browser, &demo, &PHONE_USER).await;
        let page = browser.text().await;
        assert!(page.contains("XXX-XXX-3661") && !page.contains("555-3661") && !page.contains("5553661"), "{page}");
        let code = ask_for_code(browser, &inbox, "Send Code", PHONE).await;
        browser.wait_for_text(ENTER_CODE).await; // R37
        browser.fill_and_leave("Verification code", &another_code(&code)).await;
        browser.wait_for_text(WRONG_CODE).await;
        // R39: the last digit is the last thing to do.
        browser.fill_and_leave("Verification code", &code).await;
        let home = read_home(browser, &demo).await;
        assert_eq!((home.name.as_str(), home.acr.as_str()), (PHONE_USER.name, ACR));
        assert_eq!(sorted(home.amr), ["mfa", "pwd", "sms"]);

        // Five minutes later the code is worth nothing, and another one is a click away.
        open_phone_page(browser, &demo, &PHONE_USER).await;
        let late = ask_for_code(browser, &inbox, "Send Code", PHONE).await;
        demo.move_clock(Duration::from_secs(301));
        browser.fill_and_leave("Verification code", &late).await;
        browser.wait_for_text(EXPIRED_CODE).await;
        let fresh = ask_for_code(browser, &inbox, "Send new code", PHONE).await;
        browser.fill_and_leave("Verification code", &fresh).await;
        read_home(browser, &demo).await;

        // The same by the words in the sentence, once half a minute has passed.
        open_phone_page(browser, &demo, &PHONE_USER).await;
        ask_for_code(browser, &inbox, "Send Code", PHONE).await;
        browser.press_in_and_leave(ENTER_CODE).await;
        browser.wait_for_text("before you request a new code.").await;
        demo.move_clock(Duration::from_secs(31));
        let before = inbox.ids(PHONE).await;
        browser.press_in_and_leave(ENTER_CODE).await;
        let again = inbox.new_code(PHONE, &before).await;
        browser.fill_and_leave("Verification code", &again).await;
        read_home(browser, &demo).await;
    })
    .await;
}

#[tokio::test]
async fn a_call_signs_in_when_hash_is_pressed_and_an_unanswered_one_leaves_the_text_message() {
    let demo = demo_with_clock().await;
    let inbox = demo.inbox();
    Browser::journey("phone-call", &BrowserOptions::default(), async |browser| {
        open_phone_page(browser, &demo, &PHONE_USER).await;
        let call = ask_for_call(browser, &inbox, PHONE).await;
        inbox.press(&call.id, "5").await;
        inbox.press(&call.id, "#").await;
        // Nothing was pressed on the page (R22).
        let home = read_home(browser, &demo).await;
        assert_eq!((home.name.as_str(), home.acr.as_str()), (PHONE_USER.name, ACR));
        assert_eq!(sorted(home.amr), ["mfa", "pwd", "tel"]);
        let said = inbox.list(PHONE).await.remove(0).text;
        assert!(said.contains("press the # key to complete authentication"), "{said}");

        // Nobody answers: "Continue" says so, and a text message still works.
        open_phone_page(browser, &demo, &PHONE_USER).await;
        let missed = ask_for_call(browser, &inbox, PHONE).await;
        inbox.hang_up(&missed.id).await;
        browser.press_and_leave("Continue").await;
        browser.wait_for_text("We have not seen your answer on the phone yet.").await;
        browser.wait_for_text(CALLING).await;
        demo.move_clock(Duration::from_secs(31));
        let code = ask_for_code(browser, &inbox, "Send Code", PHONE).await;
        browser.fill_and_leave("Verification code", &code).await;
        assert_eq!(read_home(browser, &demo).await.name, PHONE_USER.name);
    })
    .await;
}

#[tokio::test]
async fn limits_and_carriers_that_refuse_end_on_pages_that_say_what_to_do() {
    let demo = demo_with_clock().await;
    let inbox = demo.inbox();
    Browser::journey("phone-trouble", &BrowserOptions::default(), async |browser| {
        // Five wrong codes.
        open_phone_page(browser, &demo, &PHONE_USER).await;
        let code = ask_for_code(browser, &inbox, "Send Code", PHONE).await;
        for _ in 0..5 {
            browser.wait_for_text(ENTER_CODE).await;
            browser.fill_and_leave("Verification code", &another_code(&code)).await;
            browser.wait_for_text(WRONG_CODE).await;
        }
        browser.fill_and_leave("Verification code", &code).await;
        browser.wait_for_text("TRY AGAIN LATER").await;
        browser.press_and_leave("LOGIN").await;

        // Four texts and calls, then no more.
        open_phone_page(browser, &demo, &PHONE_USER).await;
        ask_for_code(browser, &inbox, "Send Code", PHONE).await;
        for _ in 0..3 {
            demo.move_clock(Duration::from_secs(31));
            let before = inbox.ids(PHONE).await;
            browser.press_in_and_leave(ENTER_CODE).await;
            inbox.new_code(PHONE, &before).await;
        }
        demo.move_clock(Duration::from_secs(31));
        browser.press_in_and_leave(ENTER_CODE).await;
        browser.wait_for_text("TRY AGAIN LATER").await;
        browser.press_and_leave("Return to Case Portal").await;
        assert_eq!(read_refusal(browser, &demo).await, "access_denied");

        // A landline takes no texts: the call is the way on (R12).
        demo.move_clock(Duration::from_hours(2));
        inbox.fault("sms", "refuse").await;
        open_phone_page(browser, &demo, &PHONE_USER).await;
        browser.press_and_leave("Send Code").await;
        browser.wait_for_text(ENTER_CODE).await;
        demo.move_clock(Duration::from_secs(31));
        let call = ask_for_call(browser, &inbox, PHONE).await;
        inbox.press(&call.id, "#").await;
        read_home(browser, &demo).await;

        // Neither way: the page goes on by itself to REGISTRATION ERROR (R50), whose RESET asks for the user name (R51).
        inbox.fault("voice", "refuse").await;
        open_phone_page(browser, &demo, &PHONE_USER).await;
        browser.press_and_leave("Call Me").await;
        browser.wait_for_text("REGISTRATION ERROR").await;
        browser.wait_for_text("Your multi-factor authentication attempt failed to complete.").await;
        browser.press_and_leave("RESET →").await;
        browser.wait_for_text("Enter username to send a new link to the registered email").await;
        browser.press_and_leave("← BACK").await;
        browser.wait_for_text("REGISTRATION ERROR").await;
        browser.press_and_leave("← LOGIN").await;
        browser.wait_for_text("LOGIN OPTIONS").await;
    })
    .await;
}

#[tokio::test]
async fn the_wrong_button_for_an_account_leads_to_the_right_one_without_the_password_again() {
    let demo = Demo::start_default().await;
    Browser::journey("phone-or-mail", &BrowserOptions::default(), async |browser| {
        // A mail-only account has no phone to sign in with.
        open_login_options(browser, &demo).await;
        browser.press_and_leave("LOGIN WITH PHONE").await;
        sign_in(browser, &EMAIL_USER).await;
        browser.wait_for_text("No phone number is registered for your account.").await;
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        browser.wait_for_text(UNSENT).await;
        let code = send_code(browser, &demo.inbox(), &EMAIL_USER).await;
        assert_eq!(finish(browser, &demo, &code).await.name, EMAIL_USER.name);

        // An account with a phone signs in by phone, whatever was pressed.
        open_login_options(browser, &demo).await;
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        sign_in(browser, &PHONE_USER).await;
        prove_phone(browser, &demo.inbox()).await;
        let home = read_home(browser, &demo).await;
        assert_eq!((home.name.as_str(), home.acr.as_str()), (PHONE_USER.name, ACR));

        // Who has no app sees the app's page all the same, and no code is ever right.
        let person: &Person = &EMAIL_USER;
        browser.open(&format!("{}/login?p=totp", demo.portal)).await;
        sign_in(browser, person).await;
        browser.fill("Authenticator code", "000000").await;
        browser.press_and_leave("Verify code").await;
        browser.wait_for_text("That code is incorrect. Please wait for the next code of your app").await;
    })
    .await;
}

#[tokio::test]
async fn where_the_policy_asks_for_the_number_only_the_one_on_file_is_texted() {
    let demo = demo_with_phone_policy("show    = \"masked\"", "show = \"ask\"").await;
    let inbox = demo.inbox();
    Browser::journey("phone-ask", &BrowserOptions::default(), async |browser| {
        open_login_options(browser, &demo).await;
        browser.press_and_leave("LOGIN WITH PHONE").await;
        sign_in(browser, &PHONE_USER).await;
        browser.wait_for_text("Enter the phone number on file.").await; // R36
        assert!(!browser.text().await.contains("3661"), "nothing of it is told");
        browser.fill("Phone Number", "202 555 3662").await;
        browser.press_and_leave("Send Code").await;
        browser.wait_for_text(NOT_ON_FILE).await;
        assert!(inbox.list(PHONE).await.is_empty() && inbox.list("+12025553662").await.is_empty());
        browser.fill("Phone Number", "(202) 555-3661").await;
        let code = ask_for_code(browser, &inbox, "Send Code", PHONE).await;
        browser.fill_and_leave("Verification code", &code).await;
        let home = read_home(browser, &demo).await;
        assert_eq!((home.name.as_str(), home.acr.as_str()), (PHONE_USER.name, ACR));
    })
    .await;
}

#[tokio::test]
async fn the_digits_on_the_page_are_pressed_on_the_telephone_where_the_policy_wants_it() {
    let demo = demo_with_phone_policy("\"press_hash\"", "\"keypad_match\"").await;
    let inbox = demo.inbox();
    Browser::journey("phone-keypad", &BrowserOptions::default(), async |browser| {
        open_phone_page(browser, &demo, &PHONE_USER).await;
        browser.press_and_leave("Call Me").await;
        browser.wait_for_text("type these digits on the keypad of your phone, then press the # key.").await;
        let digits = browser.find(Locator::Css(".keypad")).await.unwrap().text().await.unwrap();
        assert_eq!(digits.len(), 6, "{digits}");
        let call = inbox.ringing(PHONE, &[]).await;
        // Whoever holds the phone alone does not know them.
        inbox.press(&call.id, "#").await;
        inbox.press(&call.id, &format!("{}#", another_code(&digits))).await;
        assert!(browser.has_control("Continue").await);
        inbox.press(&call.id, &format!("{digits}#")).await;
        let home = read_home(browser, &demo).await;
        assert_eq!((home.name.as_str(), home.acr.as_str()), (PHONE_USER.name, ACR));
        assert_eq!(sorted(home.amr), ["mfa", "pwd", "tel"]);
    })
    .await;
}

#[tokio::test]
async fn a_code_that_the_call_reads_is_typed_on_the_page_where_the_policy_wants_it() {
    let demo = demo_with_phone_policy("\"press_hash\"", "\"read_code\"").await;
    let inbox = demo.inbox();
    Browser::journey("phone-read", &BrowserOptions::default(), async |browser| {
        open_phone_page(browser, &demo, &PHONE_USER).await;
        browser.press_and_leave("Call Me").await;
        browser.wait_for_text("Please answer the call and enter the code that is read to you.").await;
        let call = inbox.ringing(PHONE, &[]).await;
        // No key approves it; picking up is all there is to do.
        inbox.press(&call.id, "#").await;
        let said = inbox.wait_for_new(PHONE, &[], |message| message.text.contains("Your verification code is")).await;
        let code: String = said.text.chars().filter(char::is_ascii_digit).take(6).collect();
        browser.fill_and_leave("Verification code", &another_code(&code)).await;
        browser.wait_for_text(WRONG_CODE).await;
        browser.fill_and_leave("Verification code", &code).await;
        let home = read_home(browser, &demo).await;
        assert_eq!((home.name.as_str(), home.acr.as_str()), (PHONE_USER.name, ACR));
        assert_eq!(sorted(home.amr), ["mfa", "pwd", "tel"]);
    })
    .await;
}
