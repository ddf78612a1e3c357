//! The words that the guides show on pages.

use super::{pages, sample, visible};

#[test]
fn login_options_says_the_guides_words() {
    let text = visible(&pages().render(&sample("login_options")).unwrap());
    for words in [
        "LOGIN OPTIONS",
        "Acentra Health Employees Use this login button if you have a Acentra Health domain account. LOGIN Remember Me",
        "Customer/Provider Use this login button if you are a customer or provider user. LOGIN WITH PHONE LOGIN WITH EMAIL \
         Remember Me",
        "If you don't already have a Acentra Health account, you can register here.",
        "If this is your first login with multi-factor authentication, click here to complete your registration.",
        "Having trouble logging in? Click here.",
        "Remembers your login for four (4) hours. You should NOT use this option if you use a shared device.",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

#[test]
fn mail_verification_says_the_guides_words() {
    let shown = |name: &str| visible(&pages().render(&sample(name)).unwrap());
    let unsent = shown("email_verify_unsent");
    assert!(unsent.contains("< Cancel") && unsent.contains("Verification is necessary. Please click Send button."));
    assert!(
        unsent.contains(
            "The verification code will expire within 30 seconds for proper login, make sure you have access to the email \
             address at the time you are selecting Send Verification Code to avoid having to repeat the process."
        ),
        "{unsent}"
    );
    assert!(unsent.contains("Send verification code Continue"), "{unsent}");
    let sent = shown("email_verify_sent");
    assert!(sent.contains("Verification code has been sent to your inbox. Please copy it to the input box below."));
    assert!(sent.contains("Verify code Send new code Continue"), "{sent}");
    let verified = shown("email_verify_verified");
    assert!(verified.contains("E-mail address verified. You can now continue."));
}

/// Every page with what the guides show on it, and their requirement.
const SAID: &[(&str, &[&str])] = &[
    (
        "portal_login",
        &[
            "LOGIN If you have not already registered for multi-factor authentication, use your Atrezzo login to complete \
         registration. Otherwise use the back button to return to the primary login page.",
            "USERNAME * ",
            "PASSWORD * ",
            "LOGIN >",
            "< BACK",
        ],
    ),
    (
        "login_method",
        &[
            "LOGIN METHOD Please select the method of multi-factor authentication to continue. Note: phone multi-factor \
         authentication must be a 10-digit phone number and cannot use an extension. PHONE EMAIL",
            "you will be required to enter an email address for both options. Only choose the Email option if you do not \
         have access to a direct phone line (landline or mobile).",
            "a direct line with 10-digits; extensions are not supported",
        ],
    ),
    (
        "registration_email_unsent",
        &["Enter your work email address, then click Send Verification Code. A code will be sent to your email."],
    ),
    (
        "registration_email_sent",
        &[
            "Verification code has been sent. Please copy it to the input box below.",
            "Verification Code",
            "Verify code Send new code Change",
        ],
    ),
    ("registration_email_verified", &["The code has been verified. You can now continue.", "Continue Change"]),
    (
        "new_password_registration",
        &[
            "This is creating a password for the Multi-Factor Authentication Registration.",
            "New Password",
            "Confirm New Password",
            "Create",
        ],
    ),
    ("new_password", &["Enter a new password and confirm the password.", "Confirm New Password Continue"]),
    (
        "phone_number_unsent",
        &[
            "Enter a number below that we can send a code via SMS or phone to authenticate you. Country Code United States (+1)",
            "Phone Number",
            "Send Code Call Me",
            "press the # key to complete authentication",
        ],
    ),
    ("phone_number_sent", &["+18015553661 Enter your verification code below, or send a new code"]),
    ("new_password_known", &["Display Name", "Email", "New Password", "Confirm New Password", "Create"]),
    ("reset_sent", &["Click the link in the email within 20 minutes, this will complete the registration process."]),
    (
        "help",
        &[
            "Remembers your login for four (4) hours, as long as the browser remains open.",
            "An invitation by your administrator is valid for 2 days; the links of other emails are valid for 20 minutes.",
        ],
    ),
    ("terms", &["I have read and agree to these terms of use. CONTINUE >"]),
    (
        "organization",
        &[
            "Create a New Account - Specify Your Organization",
            "NPI * ",
            "PROVIDER REGISTRATION CODE *",
            "Enter NPI and Registration Code, then click Next.",
            "If you do not have an NPI, utilize the BCBS ID in both the NPI field and Registration Code field.",
            "Please refer to the registration section of the Atrezzo Connect Provider Portal End User Guide for more \
         information on how to register. You can find this document on your payer-specific Acentra Health website. NEXT",
        ],
    ),
    (
        "user_information",
        &[
            "Create a New Account - Enter User Information Organizational Information",
            "Please enter the required (*) fields Account Information USERNAME * Contact Information FIRST NAME * LAST NAME * \
         ADDRESS 1 ADDRESS 2 CITY STATE Select State Alabama",
            "ZIP CODE EMAIL * CONFIRM EMAIL * PHONE Providers in receipt of Faxed Determination Letters: Official communication \
         of service authorization will be sent to the fax number entered below. FAX * NEXT →",
            "← LOGIN",
        ],
    ),
    (
        "registration_sent",
        &[
            "Registration is complete. To complete the Multi-Factor Authentication registration, you must click the link in your email within 20 minutes.",
        ],
    ),
    (
        "phone_verify_unsent",
        &[
            "We have the following number on record for you. We can send a code via SMS or phone to authenticate you. XXX-XXX-3661",
            "Send Code Call Me",
            "< Cancel",
        ],
    ),
    ("phone_verify_ask", &["Enter the phone number on file."]),
    ("phone_verify_sent", &["XXX-XXX-3661 Enter your verification code below, or send a new code", "Verify Code"]),
    (
        "phone_verify_calling",
        &[
            "press the # key on the keypad to complete authentication. The page will go on by itself.",
            "Continue Call me again Send Code",
        ],
    ),
    ("phone_verify_keypad", &["type these digits on the keypad of your phone, then press the # key. 47"]),
    (
        "help_browser",
        &[
            "Google Chrome is the preferred browser for Atrezzo.",
            "click the three (3) menu dots in the upper right corner of the browser. Then click Settings. Click On startup in \
         the left menu. Then click the selection for “Continue where you left off”.",
            "Edge Configuration",
        ],
    ),
    (
        "registration_error_link",
        &[
            "REGISTRATION ERROR Your multi-factor authentication attempt failed to complete. If you were attempting to login or \
         recover your password, click the Login button to return to the login page and try again. If you were attempting to \
         register, please click the Reset button, enter your Atrezzo username, and you will receive an email containing a \
         link to use to complete your registration. ← LOGIN RESET →",
        ],
    ),
    (
        "reset_username",
        &[
            "LOGIN Enter username to send a new link to the registered email to complete multi-factor authentication \
         registration. USERNAME * SUBMIT →",
            "← BACK",
        ],
    ),
    (
        "login_help",
        &[
            "LOGIN HELP Acentra Health Users",
            "Customer/Provider Users",
            "Multi-factor Authentication Help Registration If you already have an Atrezzo user account, return to the login page",
            "Incomplete Registration Prerequisite: you began the multi-factor registration process, verified your email, created \
         a password, but did not complete the process. Click here",
            "You will need the email and password you used to initiate the multi-factor authentication registration.",
            "< BACK",
        ],
    ),
    ("forgot_email_unsent", &["Email Address", "Send verification code", "6-digit code"]),
    ("forgot_email_verified", &["E-mail address verified. You can now continue.", "Continue Change e-mail"]),
];

#[test]
fn every_page_of_the_guides_says_their_words() {
    let pages = pages();
    for (name, said) in SAID {
        let text = visible(&pages.render(&sample(name)).unwrap());
        for words in *said {
            assert!(text.contains(words), "{name}: {words}\n{text}");
        }
    }
}
