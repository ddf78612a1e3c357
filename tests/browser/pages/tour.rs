//! A walk through every policy, to look at its pages. Buttons and fields go by what they post: it speaks no language.

use std::time::Duration;

use countersign_tests::servers::Demo;
use fantoccini::Locator;

use super::Eyes;
use crate::journey::{EMAIL_USER, PHONE_USER, Person, another_code};
use crate::relying_party::RelyingParty;
use crate::steps::{LEGACY, LEGACY_NAME, NEW_PASSWORD, PHONE, totp};

const NUMBER: &str = "+12025550147";

impl Eyes<'_> {
    pub(super) async fn tour(&mut self, demo: &Demo) {
        self.tour_phone(demo).await;
        self.tour_phone_trouble(demo).await;
        self.tour_new_provider(demo).await;
        self.tour_links(demo).await;
        self.tour_registration(demo).await;
        self.tour_recovery(demo).await;
        self.tour_account(demo).await;
        self.tour_factors(demo).await;
        self.tour_end_of_account(demo).await;
        self.tour_help(demo).await;
        self.tour_questions(demo).await;
        self.tour_setup(demo).await;
    }

    /// What is asked outside of flows: consent, which account, whether to log out.
    async fn tour_questions(&mut self, demo: &Demo) {
        let app = RelyingParty::register(demo).await;
        self.browser.open(&app.request(&[("scope", "openid profile email phone address offline_access")])).await;
        self.browser.type_into("email", "alice@example.com").await;
        self.browser.type_into("password", "meadow-lark-2291-kite").await;
        self.browser.post_and_leave("login").await;
        self.browser.find(Locator::Css("button[value='allow']")).await.unwrap();
        self.look("consent").await;
        self.browser.post_and_leave("allow").await;
        self.browser.wait_for_url(&app.origin).await;
        self.browser.open(&app.request(&[("prompt", "select_account")])).await;
        self.browser.find(Locator::Css("button[value='other']")).await.unwrap();
        self.look("select-account").await;
        self.browser.open(&format!("{}/account", demo.issuer)).await;
        self.browser.find(Locator::Css("button[value='withdraw_consent']")).await.unwrap();
        self.look("account-consents").await;
        self.browser.open(&format!("{}/end_session?client_id={}", demo.issuer, app.id)).await;
        self.browser.find(Locator::Css("button[value='stay']")).await.unwrap();
        self.look("logout").await;
        self.browser.post_and_leave("logout").await;
        self.browser.find(Locator::Css(".notice.success")).await.unwrap();
        self.look("logged-out").await;
    }

    /// The console.
    async fn tour_setup(&mut self, demo: &Demo) {
        let browser = self.browser;
        let admin = Person { email: "admin@example.com", password: "harbour-light-3305-oak", name: "Pat Harbour" };
        browser.open(&format!("{}/setup", demo.issuer)).await;
        browser.post_and_leave("phone").await;
        self.answer_password(&admin).await;
        let code = self.code_by(demo, "send", "+12025559885").await;
        browser.type_into_and_leave("code", &code).await;
        browser.find(Locator::Css("a[href='/setup/users']")).await.unwrap();
        self.look("setup").await;
        browser.open(&format!("{}/account", demo.issuer)).await;
        browser.find(Locator::Css("a[href='/setup']")).await.unwrap();
        self.look("account-of-administrator").await;
        browser.open(&format!("{}/setup/users", demo.issuer)).await;
        self.look("setup-users").await;
        browser.find(Locator::Css(".people summary")).await.unwrap().click().await.unwrap();
        self.look("setup-users-expanded").await;
        browser.open(&format!("{}/setup/users?search=nobody", demo.issuer)).await;
        self.look("setup-users-none").await;
        browser.open(&format!("{}/setup/users?search={}", demo.issuer, PHONE_USER.email)).await;
        browser.find(Locator::Css(".people summary")).await.unwrap().click().await.unwrap();
        let pencil = browser.find(Locator::Css(".people a")).await.unwrap().attr("href").await.unwrap().unwrap();
        browser.open(&format!("{}{pencil}", demo.issuer)).await;
        for summary in browser.find_all(Locator::Css("#timeline ~ details summary")).await.unwrap().iter().take(2) {
            summary.click().await.unwrap();
        }
        self.look("setup-user").await;
        browser.open(&format!("{}{pencil}/reset", demo.issuer)).await;
        self.look("setup-reset").await;
        browser.post_and_leave("reset").await;
        self.look("setup-reset-empty").await;
        browser.type_into("reason", "lost her phone").await;
        browser.post_and_leave("reset").await;
        self.look("setup-user-reset").await;
        browser.open(&format!("{}/account", demo.issuer)).await;
        browser.post_and_leave("logout").await;
    }

    async fn begin(&self, demo: &Demo, policy: &str) {
        self.browser.open(&format!("{}/login?p={policy}", demo.portal)).await;
    }

    async fn answer_password(&self, person: &Person) {
        self.browser.type_into("email", person.email).await;
        self.browser.type_into("password", person.password).await;
        self.browser.post_and_leave("login").await;
    }

    /// Presses `button` and answers the code that comes to `to`.
    async fn code_by(&self, demo: &Demo, button: &str, to: &str) -> String {
        let before = demo.inbox().ids(to).await;
        self.browser.post_and_leave(button).await;
        demo.inbox().new_code(to, &before).await
    }

    async fn answer_mail(&self, demo: &Demo, to: &str) {
        let code = self.code_by(demo, "send", to).await;
        self.browser.type_into("code", &code).await;
        self.browser.post_and_leave("verify").await;
    }

    async fn answer_new_password(&self) {
        self.browser.type_into("new_password", NEW_PASSWORD).await;
        self.browser.type_into("confirm_password", NEW_PASSWORD).await;
        self.browser.post_and_leave("set").await;
    }

    async fn accept_terms(&self) {
        self.browser.find(Locator::Id("field-accept")).await.unwrap().click().await.unwrap();
        self.browser.post_and_leave("accept").await;
        self.browser.wait_for_text("You are signed in").await;
    }

    async fn tour_phone(&mut self, demo: &Demo) {
        let browser = self.browser;
        self.begin(demo, "phone").await;
        self.answer_password(&PHONE_USER).await;
        self.look("phone-unsent").await;
        let code = self.code_by(demo, "send", PHONE).await;
        self.look("phone-sent").await;
        browser.type_into_and_leave("code", &another_code(&code)).await;
        self.look("phone-wrong").await;
        browser.type_into_and_leave("code", &code).await;
        browser.wait_for_text("You are signed in").await;
    }

    async fn tour_phone_trouble(&mut self, demo: &Demo) {
        let (browser, inbox) = (self.browser, demo.inbox());
        self.begin(demo, "phone").await;
        self.answer_password(&PHONE_USER).await;
        browser.post_and_leave("call").await;
        self.look("phone-calling").await;
        browser.post_and_leave("continue").await;
        self.look("phone-not-answered").await;
        inbox.fault("voice", "refuse").await;
        self.begin(demo, "phone").await;
        self.answer_password(&PHONE_USER).await;
        browser.post_and_leave("call").await;
        browser.wait().for_element(Locator::Css("button[value=reset]")).await.unwrap();
        inbox.fault("voice", "ok").await;
        self.look("registration-error").await;
        browser.post_and_leave("reset").await;
        self.look("reset-username").await;
        browser.post_and_leave("next").await;
        self.look("reset-username-empty").await;
        browser.type_into("username", "nobody.at.all").await;
        browser.post_and_leave("next").await;
        self.look("reset-sent").await;
        self.begin(demo, "phone").await;
        self.answer_password(&EMAIL_USER).await;
        self.look("no-phone-registered").await;
    }

    async fn tour_new_provider(&mut self, demo: &Demo) {
        let browser = self.browser;
        self.begin(demo, "new-provider").await;
        self.look("organization").await;
        browser.type_into("npi", "1234567893").await;
        browser.type_into("registration_code", "BCBS-0043").await;
        browser.post_and_leave("next").await;
        self.look("organization-unknown").await;
        browser.type_into("npi", "1234567893").await;
        browser.type_into("registration_code", "BCBS-0042").await;
        browser.post_and_leave("next").await;
        self.look("user-information").await;
        browser.type_into("email", "nora@example").await;
        browser.type_into("zip", "39").await;
        browser.type_into("phone", "601 555 0199 x 7").await;
        browser.post_and_leave("next").await;
        self.look("user-information-errors").await;
        let person = [
            ("username", "nora.newcomer"),
            ("first_name", "Nora"),
            ("last_name", "Newcomer"),
            ("zip", "39201"),
            ("email", "nora@example.com"),
            ("confirm_email", "nora@example.com"),
            ("phone", "601 555 0199"),
            ("fax", "601 555 0198"),
        ];
        for (name, text) in person {
            browser.type_into(name, text).await;
        }
        browser.post_and_leave("next").await;
        self.look("registration-sent").await;
    }

    async fn tour_links(&mut self, demo: &Demo) {
        let browser = self.browser;
        let mail = demo.inbox().wait_for("nora@example.com", 1).await.remove(0);
        browser.open(&mail.link()).await;
        self.look("link-landing").await;
        browser.post_and_leave("continue").await;
        browser.open(&mail.link()).await;
        self.look("link-used").await;
        browser.open(&format!("{}/link/{}", demo.issuer, "x".repeat(43))).await;
        self.look("link-unknown").await;
        self.begin(demo, "registration-reset").await;
        browser.type_into("username", "nora.newcomer").await;
        browser.post_and_leave("next").await;
        let mail = demo.inbox().wait_for("nora@example.com", 2).await.remove(0);
        demo.move_clock(Duration::from_mins(21));
        browser.open(&mail.link()).await;
        self.look("link-expired").await;
    }

    async fn tour_registration(&mut self, demo: &Demo) {
        let browser = self.browser;
        self.begin(demo, "registration").await;
        self.look("portal-login").await;
        browser.type_into("username", LEGACY_NAME).await;
        browser.type_into("password", LEGACY.password).await;
        browser.post_and_leave("login").await;
        self.look("login-method").await;
        browser.post_and_leave("phone").await;
        self.look("registration-mail-unsent").await;
        let code = self.code_by(demo, "send", LEGACY.email).await;
        self.look("registration-mail-sent").await;
        browser.type_into("code", &code).await;
        browser.post_and_leave("verify").await;
        self.look("registration-mail-verified").await;
        browser.post_and_leave("continue").await;
        self.look("new-password").await;
        browser.type_into("new_password", "password").await;
        browser.type_into("confirm_password", "passwort").await;
        browser.post_and_leave("set").await;
        self.look("new-password-wrong").await;
        self.answer_new_password().await;
        self.look("phone-number").await;
        browser.type_into("phone_number", "202 555 0147 ext 9").await;
        browser.post_and_leave("send").await;
        self.look("phone-number-wrong").await;
        browser.type_into("phone_number", "202 555 0147").await;
        let code = self.code_by(demo, "send", NUMBER).await;
        self.look("phone-number-sent").await;
        browser.type_into_and_leave("code", &code).await;
        self.look("terms").await;
        browser.post_and_leave("accept").await;
        self.look("terms-not-accepted").await;
        self.accept_terms().await;
        self.begin(demo, "registration").await;
        browser.type_into("username", LEGACY_NAME).await;
        browser.type_into("password", LEGACY.password).await;
        browser.post_and_leave("login").await;
        self.look("already-registered").await;
        self.begin(demo, "resume-registration").await;
        self.look("login-help").await;
    }

    async fn tour_recovery(&mut self, demo: &Demo) {
        let browser = self.browser;
        self.begin(demo, "forgot-password").await;
        self.look("forgot-unsent").await;
        browser.type_into("email", EMAIL_USER.email).await;
        let code = self.code_by(demo, "send", EMAIL_USER.email).await;
        self.look("forgot-sent").await;
        browser.type_into("code", &code).await;
        browser.post_and_leave("verify").await;
        self.look("forgot-verified").await;
        browser.post_and_leave("continue").await;
        self.look("forgot-new-password").await;
        self.answer_new_password().await;
        browser.wait_for_text("You are signed in").await;
    }

    async fn begin_change(&self, demo: &Demo, policy: &str) {
        self.browser.open(&format!("{}/account/{policy}", demo.issuer)).await;
        self.answer_password(&Person { password: NEW_PASSWORD, ..EMAIL_USER }).await;
    }

    async fn tour_account(&mut self, demo: &Demo) {
        let browser = self.browser;
        browser.open(&format!("{}/account", demo.issuer)).await;
        self.look("account").await;
        self.begin_change(demo, "totp-enrol").await;
        self.look("account-mail-unsent").await;
        self.answer_mail(demo, EMAIL_USER.email).await;
        self.look("totp-enrol").await;
        browser.find(Locator::Css("summary")).await.unwrap().click().await.unwrap();
        self.look("totp-enrol-by-hand").await;
        let secret = browser.find(Locator::Css(".secret")).await.unwrap().text().await.unwrap();
        let ahead = Duration::from_mins(21);
        browser.type_into("code", &totp(&secret, ahead)).await;
        browser.post_and_leave("verify").await;
        self.look("recovery-codes").await;
        browser.post_and_leave("continue").await;
        self.look("account-with-app").await;
        demo.move_clock(Duration::from_mins(1));
        self.begin_change(demo, "change-email").await;
        browser.type_into("code", &totp(&secret, ahead + Duration::from_mins(1))).await;
        browser.post_and_leave("verify").await;
        self.look("change-email").await;
        demo.move_clock(Duration::from_mins(1));
        self.begin_change(demo, "change-phone").await;
        browser.type_into("code", &totp(&secret, ahead + Duration::from_mins(2))).await;
        browser.post_and_leave("verify").await;
        self.look("change-phone").await;
        demo.move_clock(Duration::from_mins(1));
        self.begin_change(demo, "passkey-enrol").await;
        browser.type_into("code", &totp(&secret, ahead + Duration::from_mins(3))).await;
        browser.post_and_leave("verify").await;
        self.look("passkey-enrol").await;
    }

    async fn tour_factors(&mut self, demo: &Demo) {
        let browser = self.browser;
        self.begin(demo, "passkey").await;
        self.look("passkey").await;
        self.begin(demo, "recovery-codes").await;
        self.answer_password(&Person { password: NEW_PASSWORD, ..EMAIL_USER }).await;
        self.look("recovery-code").await;
        browser.type_into("code", "0000-0000").await;
        browser.post_and_leave("verify").await;
        self.look("recovery-code-wrong").await;
    }

    async fn tour_end_of_account(&mut self, demo: &Demo) {
        let browser = self.browser;
        let person = Person { password: NEW_PASSWORD, ..LEGACY };
        self.begin(demo, "phone").await;
        self.answer_password(&person).await;
        let code = self.code_by(demo, "send", NUMBER).await;
        browser.type_into_and_leave("code", &code).await;
        browser.wait_for_text("You are signed in").await;
        browser.open(&format!("{}/account/close-account", demo.issuer)).await;
        self.answer_password(&person).await;
        let code = self.code_by(demo, "send", NUMBER).await;
        browser.type_into_and_leave("code", &code).await;
        self.look("confirm-close").await;
        browser.post_and_leave("continue").await;
        self.look("account-closed").await;
    }

    async fn tour_help(&mut self, demo: &Demo) {
        let browser = self.browser;
        self.begin(demo, "employees").await;
        browser.post_and_leave("decline").await;
        self.look("federation-refused").await;
        for page in ["help", "help/browser"] {
            for brand in ["acentra", "kepro"] {
                browser.open(&format!("{}/{page}?brand={brand}", demo.issuer)).await;
                self.look(&format!("{}-{brand}", page.replace('/', "-"))).await;
            }
        }
    }
}
