//! What happened last, as the page says it: one key per text.

use serde::{Deserialize, Serialize};

/// How a notice is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Plainly.
    Info,
    /// As good news.
    Success,
    /// As an error, in words beside the field and in the summary.
    Error,
}

impl Tone {
    /// The word for templates.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

/// Declares the notices: variant, key, tone, and the field it stands beside.
macro_rules! notices {
    ($($(#[$doc:meta])* $variant:ident = $key:literal $tone:ident $($field:literal)?),* $(,)?) => {
        /// A notice on the page.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum NoticeKey { $($(#[$doc])* $variant,)* }

        impl NoticeKey {
            /// Every key.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Last part of its message key.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $key,)* }
            }

            /// How it is shown.
            pub const fn tone(self) -> Tone {
                match self { $(Self::$variant => Tone::$tone,)* }
            }

            /// Field it always belongs to; an error of a form says so itself.
            pub const fn field(self) -> Option<&'static str> {
                match self { $(Self::$variant => notices!(@field $($field)?),)* }
            }
        }
    };
    (@field $field:literal) => { Some($field) };
    (@field) => { None };
}

notices! {
    /// Name and password do not belong together.
    Wrong = "wrong" Error,
    /// No address was typed.
    EmailMissing = "email_required" Error "email",
    /// No address can look like that.
    EmailMalformed = "email_invalid" Error "email",
    /// No user name was typed.
    UsernameMissing = "username_required" Error "username",
    /// No password was typed.
    PasswordMissing = "password_required" Error "password",
    /// A code was sent.
    Sent = "sent" Success,
    /// A code was sent again.
    Resent = "resent" Success,
    /// Too early to send again.
    TooSoon = "resend_wait" Info,
    /// No code was typed.
    CodeMissing = "code_required" Error "code",
    /// Not digits, or not so many.
    CodeMalformed = "code_format" Error "code",
    /// It is not the code.
    CodeWrong = "wrong" Error "code",
    /// The code is past its life.
    Expired = "expired" Error "code",
    /// The code was right.
    Verified = "verified" Success,
    /// Nobody has this address; only where a policy says the truth.
    EmailUnknown = "email_unknown" Error "email",
    /// The two addresses differ.
    EmailMismatch = "email_mismatch" Error "confirm_email",
    /// No user name can look like that.
    UsernameMalformed = "username_invalid" Error "username",
    /// Somebody has this user name.
    UsernameTaken = "username_taken" Error "username",
    /// No number was typed.
    PhoneMissing = "phone_required" Error "phone_number",
    /// No number can look like that.
    PhoneMalformed = "phone_invalid" Error "phone_number",
    /// A number of +1 has ten digits.
    PhoneDigits = "phone_ten_digits" Error "phone_number",
    /// A number with an extension.
    PhoneExtension = "extension_refused" Error "phone_number",
    /// A number of a country that is not served.
    PhoneCountry = "country_refused" Error "phone_number",
    /// It is not the number on file.
    PhoneNotOnFile = "phone_not_on_file" Error "phone_number",
    /// A call is on its way.
    Called = "called" Success,
    /// The call was not answered yet, or not with the key that was asked for.
    CallWaiting = "call_waiting" Info,
    /// The text can not be delivered; a call may.
    SendFailed = "send_failed" Error,
    /// The call is past its life.
    CallExpired = "call_expired" Error,
    /// No new password was typed.
    NewPasswordMissing = "new_password_required" Error "new_password",
    /// Under 8 characters.
    PasswordShort = "password_short" Error "new_password",
    /// Under 15 characters, and nothing else would guard the account.
    PasswordShortAlone = "password_short_alone" Error "new_password",
    /// Over 1024 bytes.
    PasswordLong = "password_long" Error "new_password",
    /// Easily guessed.
    PasswordWeak = "password_weak" Error "new_password",
    /// It is the person's own name or address.
    PasswordPersonal = "password_personal" Error "new_password",
    /// The two passwords differ.
    PasswordMismatch = "password_mismatch" Error "confirm_password",
    /// The box was not ticked.
    AcceptMissing = "accept_required" Error "accept",
    /// There is a newer version of the terms since the page was shown.
    TermsChanged = "terms_changed" Info,
    /// The browser handed in no passkey: script is off, or the person broke off.
    PasskeyMissing = "passkey_missing" Error,
    /// The passkey is not known, or not this account's.
    PasskeyFailed = "passkey_failed" Error,
    /// The link is past its end.
    LinkExpired = "link_expired" Error,
    /// The link was used, replaced by a newer one, or never was.
    LinkUsed = "link_used" Error,
    /// The organization and its registration code do not belong together.
    OrganizationUnknown = "organization_unknown" Error "registration_code",
    /// A field that must be filled in is empty; of a form.
    FieldMissing = "field_required" Error,
    /// More than the field takes; of a form.
    FieldTooLong = "field_too_long" Error,
    /// Signs that can not be part of it; of a form.
    FieldMalformed = "field_invalid" Error,
    /// No NPI: ten digits with the right check digit.
    NpiMalformed = "npi_invalid" Error "npi",
    /// No state of the United States.
    StateMalformed = "state_invalid" Error "state",
    /// No ZIP code.
    ZipMalformed = "zip_invalid" Error "zip",
    /// No number can look like that; of a form.
    NumberMalformed = "number_invalid" Error,
    /// A number with an extension; of a form.
    NumberExtension = "number_extension" Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notice_beside_a_field_is_an_error() {
        for key in NoticeKey::ALL {
            assert!(key.field().is_none() || key.tone() == Tone::Error, "{}", key.as_str());
        }
    }
}
