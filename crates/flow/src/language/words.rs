//! The closed vocabulary: every word a policy file may use where a choice is asked for.

/// A closed choice of words.
pub(crate) trait Word: Copy + 'static {
    /// Every value.
    fn list_all() -> &'static [Self];
    /// Its word.
    fn word(self) -> &'static str;
}

/// Makes an enum whose variants are words of the language.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every one, in the order of the declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word in the file.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The meaning of `word`.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }

        impl Word for $name {
            fn list_all() -> &'static [Self] {
                Self::ALL
            }

            fn word(self) -> &'static str {
                self.as_str()
            }
        }
    )*};
}

words! {
    /// What a policy is for.
    Purpose {
        /// Sign in.
        Login = "login",
        /// Get back in.
        Recover = "recover",
        /// Add a factor to an account.
        Enrol = "enrol",
        /// Make an account or finish one.
        Register = "register",
        /// Accept an administrator's invitation.
        Invite = "invite",
        /// Set a registration back.
        Reset = "reset",
    }
    /// How an instance may be born.
    Entry {
        /// An authorization request.
        Authorize = "authorize",
        /// A mailed link.
        Link = "link",
        /// An administrator's act.
        Admin = "admin",
        /// A switch from another policy.
        Switch = "switch",
    }
    /// What a new version does to running instances.
    OnEdit {
        /// They finish on the version they began with.
        Pin = "pin",
        /// They start again.
        Restart = "restart",
        /// They end.
        Kill = "kill",
    }
    /// Whether a browser session may answer a new request.
    Sso {
        /// Only with a remembered login of the same policy.
        Remembered = "remembered",
        /// Always.
        Always = "always",
    }
    /// Life of the cookie behind a remembered login.
    CookieLife {
        /// Until the browser closes.
        Session = "session",
        /// As long as the remembered login.
        Persistent = "persistent",
    }
    /// Which mailbox a registration uses.
    MailboxRule {
        /// The one on file, where there is one.
        OnFile = "on_file",
        /// The one typed, announced to the one on file.
        Typed = "typed",
    }
    /// What a step can end with.
    Outcome {
        /// Done.
        Ok = "ok",
        /// A limit was reached.
        Spent = "spent",
        /// Nothing could be sent.
        Undeliverable = "undeliverable",
        /// "Forgot your password?"
        Forgot = "forgot",
        /// The typed address belongs to an upstream provider that this way leads to.
        Upstream = "upstream",
        /// "Change e-mail".
        Change = "change",
        /// Agreed.
        Accepted = "accepted",
        /// Not agreed.
        Declined = "declined",
    }
    /// The name a person signs in with.
    LoginName {
        /// Mail address.
        Email = "email",
        /// User name.
        Username = "username",
        /// User name of the legacy portal, checked against its store.
        Legacy = "legacy",
    }
    /// How a message reaches a person.
    Channel {
        /// Mail.
        Email = "email",
        /// Text message.
        Sms = "sms",
        /// Call.
        Voice = "voice",
    }
    /// Where a code is sent.
    SendTo {
        /// The account's mailbox factor.
        AccountMailbox = "account.mailbox",
        /// The account's phone factor.
        AccountPhone = "account.phone",
        /// The address typed on the page.
        InputEmail = "input.email",
        /// The number typed on the page.
        InputPhone = "input.phone",
    }
    /// How the number on file is confirmed.
    PhoneShow {
        /// Shown, masked.
        Masked = "masked",
        /// Asked for.
        Ask = "ask",
    }
    /// What an unknown address sees.
    UnknownRule {
        /// The same as a known one.
        Pretend = "pretend",
        /// The truth.
        Say = "say",
    }
    /// How a code is handed in.
    Submit {
        /// By its button.
        Button = "button",
        /// At the last digit.
        Auto = "auto",
        /// Both.
        AutoButton = "auto+button",
    }
    /// What proves that a call was answered.
    Voice {
        /// Any press of `#`.
        PressHash = "press_hash",
        /// The digits on the page, typed on the keypad.
        KeypadMatch = "keypad_match",
        /// A code read out, typed on the page.
        ReadCode = "read_code",
    }
    /// What a counter counts by.
    CountScope {
        /// The running instance.
        Instance = "instance",
        /// The name that was typed.
        Identifier = "identifier",
        /// The account; an unknown name counts as a phantom account.
        Account = "account",
        /// The mailbox or number sent to.
        Target = "target",
        /// The address of the browser.
        Ip = "ip",
        /// The client of the request.
        Client = "client",
    }
    /// What an effect takes away.
    Revocation {
        /// Browser sessions.
        Sessions = "sessions",
        /// Remembered logins.
        Remembered = "remembered",
        /// Refresh tokens.
        RefreshTokens = "refresh_tokens",
    }
    /// The fields a form may have.
    FieldName {
        /// National provider identifier, or what stands in for it.
        Npi = "npi",
        /// The organization's registration code.
        RegistrationCode = "registration_code",
        /// User name.
        Username = "username",
        /// First and last name.
        Name = "name",
        /// Postal address.
        Address = "address",
        /// Mail address, typed twice.
        Email = "email",
        /// Phone.
        Phone = "phone",
        /// Fax.
        Fax = "fax",
    }
    /// The inputs of a form's fields: their names in the form.
    FormInput {
        /// National provider identifier.
        Npi = "npi",
        /// Registration code; never shown again.
        RegistrationCode = "registration_code",
        /// User name.
        Username = "username",
        /// First name.
        FirstName = "first_name",
        /// Last name.
        LastName = "last_name",
        /// Street and number.
        Address1 = "address1",
        /// More of the address.
        Address2 = "address2",
        /// City.
        City = "city",
        /// State, two letters.
        State = "state",
        /// ZIP code.
        Zip = "zip",
        /// Mail address.
        Email = "email",
        /// The same again.
        ConfirmEmail = "confirm_email",
        /// Phone.
        Phone = "phone",
        /// Fax.
        Fax = "fax",
    }
    /// Checks of a form field.
    Validator {
        /// The NPI's check digit.
        Npi = "npi",
        /// An NPI or another id in its place.
        NpiOrOther = "npi_or_other",
        /// A ten-digit number of the United States.
        UsPhone = "us_phone",
        /// A mail address.
        Email = "email",
        /// A five- or nine-digit ZIP code.
        Zip = "zip",
    }
}

impl Purpose {
    /// Whether `issue` completes a registration.
    pub const fn completes(self) -> bool {
        matches!(self, Self::Register | Self::Invite | Self::Reset)
    }
}

impl FieldName {
    /// The inputs it consists of, in order.
    pub const fn list_inputs(self) -> &'static [FormInput] {
        use FormInput::{
            Address1, Address2, City, ConfirmEmail, Email, Fax, FirstName, LastName, Npi, Phone, RegistrationCode,
            State, Username, Zip,
        };
        match self {
            Self::Npi => &[Npi],
            Self::RegistrationCode => &[RegistrationCode],
            Self::Username => &[Username],
            Self::Name => &[FirstName, LastName],
            Self::Address => &[Address1, Address2, City, State, Zip],
            Self::Email => &[Email, ConfirmEmail],
            Self::Phone => &[Phone],
            Self::Fax => &[Fax],
        }
    }
}

impl CountScope {
    /// Whether it counts many people together: those of a network, those of a client.
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Ip | Self::Client)
    }
}
