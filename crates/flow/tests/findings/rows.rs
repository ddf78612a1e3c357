//! One row or more for every code: a small set that provokes it.

/// What a finding shows.
pub enum Shows {
    /// The way there, which the machine is led through.
    Path(&'static [&'static str]),
    /// The loop, in which the machine stops.
    Loop(&'static [&'static str]),
    /// The way of one account; the same deeds lead another one, which differs in this trait, elsewhere.
    Apart(&'static [&'static str], Trait),
    /// No path, and why.
    Place(&'static str),
}

/// What two accounts differ in.
#[derive(Clone, Copy)]
pub enum Trait {
    Incomplete,
}

pub struct Row {
    pub code: &'static str,
    /// Files that are changed: a name, and pieces of text with what stands in their place.
    pub files: &'static [(&'static str, &'static [(&'static str, &'static str)])],
    /// The policy it is found in.
    pub policy: &'static str,
    /// What stands at its place.
    pub at: &'static str,
    /// What its message contains.
    pub says: &'static str,
    pub shows: Shows,
}

/// Password and an authenticator app; docs/POLICIES.md has the same one.
pub const STAFF: &str = r#"
format  = 1
id      = "staff"
purpose = "login"
entry   = ["authorize"]
start   = "credentials"
require = [{ factors = ["password", "totp"] }]
acr     = "urn:example:acr:staff"
limits  = { lifetime = "15m", idle = "5m", advances = 40 }
cancel  = { to = "cancelled" }

[step]
issue     = { kind = "issue" }
wait      = { kind = "stop", page = "try_later" }
cancelled = { kind = "stop", page = "none" }

[step.credentials]
kind   = "password"
page   = "sign_in"
login  = "username"
limits = { attempts = 10, lock = { scope = "identifier", after = 10, for = "1m", backoff = 2, max = "5h" } }
on     = { ok = "code", spent = "wait" }

[step.code]
kind   = "totp"
page   = "totp"
limits = { attempts = 5, lock = { scope = "account", after = 20, for = "1m", backoff = 2, max = "5h" } }
on     = { ok = "issue", spent = "wait" }
"#;

/// Password and a mailed code.
pub const DOOR: &str = r#"
format  = 1
id      = "door"
purpose = "login"
entry   = ["authorize", "switch"]
start   = "credentials"
require = [{ factors = ["password", "mailbox"] }]
acr     = "urn:example:acr:door"
cancel  = { to = "cancelled" }

[step]
issue     = { kind = "issue" }
wait      = { kind = "stop", page = "try_later" }
cancelled = { kind = "stop", page = "none" }

[step.credentials]
kind   = "password"
page   = "sign_in"
login  = "email"
limits = { attempts = 10, lock = { scope = "identifier", after = 10, for = "1m", backoff = 2, max = "5h" } }
on     = { ok = "mailbox", spent = "wait" }

[step.mailbox]
kind    = "otp"
page    = "email_verify"
channel = ["email"]
to      = "account.mailbox"
code    = { digits = 6, ttl = "10m" }
limits  = { attempts = 5, sends = 10, lock = { scope = "account", after = 20, for = "1m", backoff = 2, max = "5h" } }
on      = { ok = "issue", spent = "wait" }
"#;

/// A new password for who reads the mailbox and has nothing else, under a waiver.
pub const LOST: &str = r#"
format  = 1
id      = "lost"
purpose = "recover"
entry   = ["authorize", "switch"]
start   = "address"
require = [{ factors = ["mailbox", "password"], waive = { id = "W-9", why = "they hold nothing else", until = "2027-06-30" } }]
claims_acr_of = "door"
cancel  = { to = "cancelled" }

[step]
phone     = { kind = "branch", when = [{ if = "account.phone", then = "wait" }], else = "app" }
app       = { kind = "branch", when = [{ if = "account.totp", then = "wait" }], else = "key" }
key       = { kind = "branch", when = [{ if = "account.passkey", then = "wait" }], else = "new_password" }
issue     = { kind = "issue" }
wait      = { kind = "stop", page = "try_later" }
cancelled = { kind = "stop", page = "none" }

[step.address]
kind    = "otp"
page    = "email_verify"
channel = ["email"]
to      = "input.email"
unknown = "pretend"
code    = { digits = 6, ttl = "10m" }
limits  = { attempts = 5, sends = 10, lock = { scope = "target", after = 20, for = "1m", backoff = 2, max = "5h" } }
on      = { ok = "phone", spent = "wait" }

[step.new_password]
kind   = "set_password"
page   = "new_password"
revoke = ["sessions", "remembered", "refresh_tokens"]
notify = "password_changed"
on     = { ok = "issue" }
"#;

/// A mail for who is named.
pub const RESET: &str = r#"
format  = 1
id      = "reset"
purpose = "reset"
entry   = ["authorize"]
start   = "name"
cancel  = { to = "cancelled" }

[step]
which     = { kind = "branch", when = [{ if = "registration.incomplete", then = "tell" }], else = "warn" }
tell      = { kind = "effect", effect = "send:registration_reset", on = { ok = "sent" } }
warn      = { kind = "effect", effect = "send:already_registered", on = { ok = "sent" } }
sent      = { kind = "stop", page = "reset_sent" }
wait      = { kind = "stop", page = "try_later" }
cancelled = { kind = "stop", page = "none" }

[step.name]
kind   = "form"
page   = "reset_username"
fields = [{ name = "username" }]
limits = { attempts = 5, lock = { scope = "ip", after = 20, for = "5m" } }
on     = { ok = "which", spent = "wait" }
"#;

const SHAPE: &str = "of the file's text: nothing runs";
const NAME: &str = "of a name that stands in the file";
const SETTING: &str = "of a setting of the whole policy: it holds wherever one is in it";

pub const ROWS: &[Row] = &[
    Row {
        code: "E00",
        files: &[("staff", &[("format  = 1", "format  = 2")])],
        policy: "",
        at: "2\n",
        says: "`format`",
        shows: Shows::Place(SHAPE),
    },
    Row {
        code: "E01",
        files: &[("staff", &[("kind   = \"totp\"", "kind   = \"top\"")])],
        policy: "staff",
        at: "\"top\"",
        says: "unknown kind `top`",
        shows: Shows::Place(NAME),
    },
    Row {
        code: "E02",
        files: &[("staff", &[("ok = \"issue\", spent", "ok = \"issue\", lost = \"wait\", spent")])],
        policy: "staff",
        at: "lost = \"wait\"",
        says: "unknown outcome `lost`",
        shows: Shows::Place(NAME),
    },
    Row {
        code: "E03",
        files: &[(
            "staff",
            &[
                ("ok = \"code\"", "ok = \"ask\""),
                (
                    "issue     =",
                    "ask = { kind = \"branch\", when = [{ if = \"account.top\", then = \"code\" }], else = \"wait\" }\nissue =",
                ),
            ],
        )],
        policy: "staff",
        at: "\"account.top\"",
        says: "unknown guard `account.top`",
        shows: Shows::Place(NAME),
    },
    Row {
        code: "E04",
        files: &[("staff", &[("ok = \"code\"", "ok = \"cod\"")])],
        policy: "staff",
        at: "\"cod\"",
        says: "unknown target `cod`",
        shows: Shows::Place(NAME),
    },
    Row {
        code: "E04",
        files: &[("staff", &[("ok = \"issue\", spent = \"wait\"", "ok = \"issue\", spent = \"@nowhere\"")])],
        policy: "staff",
        at: "\"@nowhere\"",
        says: "no such policy in the set",
        shows: Shows::Path(&["credentials", "code"]),
    },
    Row {
        code: "E05",
        files: &[("staff", &[("ok = \"issue\", spent = \"wait\"", "ok = \"issue\"")])],
        policy: "staff",
        at: "{ ok = \"issue\" }",
        says: "`spent` is not routed",
        shows: Shows::Place(NAME),
    },
    Row {
        code: "E06",
        files: &[(
            "staff",
            &[
                ("ok = \"issue\"", "ok = \"here\""),
                (
                    "issue     =",
                    "here = { kind = \"notice\", on = { ok = \"there\" } }\nthere = { kind = \"notice\", on = { ok = \"here\" } }\nissue =",
                ),
            ],
        )],
        policy: "staff",
        at: "there = {",
        says: "can be reached from `there`",
        shows: Shows::Path(&["credentials", "code", "here", "there"]),
    },
    Row {
        code: "E07",
        files: &[(
            "staff",
            &[
                ("start   = \"credentials\"", "start   = \"one\""),
                (
                    "issue     =",
                    "one = { kind = \"branch\", when = [{ if = \"locale:es\", then = \"credentials\" }], else = \"two\" }\ntwo = { kind = \"branch\", when = [{ if = \"locale:es\", then = \"credentials\" }], else = \"one\" }\nissue =",
                ),
            ],
        )],
        policy: "staff",
        at: "\"one\" }",
        says: "loop of automatic steps",
        shows: Shows::Loop(&["one", "two", "one"]),
    },
    Row {
        code: "W08",
        files: &[("staff", &[("issue     =", "island = { kind = \"notice\", on = { ok = \"issue\" } }\nissue =")])],
        policy: "staff",
        at: "island = {",
        says: "can not be reached",
        shows: Shows::Place("no path leads there: that is the finding"),
    },
    Row {
        code: "W08",
        files: &[(
            "staff",
            &[
                ("ok = \"code\"", "ok = \"ask\""),
                (
                    "issue     =",
                    "ask = { kind = \"branch\", when = [{ if = \"account.totp\", then = \"wait\" }], else = \"code\" }\nissue =",
                ),
            ],
        )],
        policy: "staff",
        at: "code]",
        says: "nobody passes `code`",
        shows: Shows::Path(&["credentials", "ask", "code"]),
    },
    Row {
        code: "E09",
        files: &[("staff", &[("cancel  =", "remember = { for = \"4h\", cookie = \"persistent\" }\ncancel  =")])],
        policy: "staff",
        at: "\"persistent\"",
        says: "cookie = \"persistent\"",
        shows: Shows::Place(SETTING),
    },
    Row {
        code: "E10",
        files: &[("staff", &[("page   = \"totp\"", "page   = \"no_such\"")])],
        policy: "staff",
        at: "code]",
        says: "the page `no_such` of `code` does not exist",
        shows: Shows::Path(&["credentials", "code"]),
    },
    Row {
        code: "E11",
        files: &[("door", &[("to      = \"account.mailbox\"", "to = \"account.mailbox\"\ntemplate = \"no_such\"")])],
        policy: "door",
        at: "mailbox]",
        says: "the mail `no_such` of `mailbox` is missing in `es`",
        shows: Shows::Path(&["credentials", "mailbox"]),
    },
    Row {
        code: "E20",
        files: &[("staff", &[("attempts = 5, ", "")])],
        policy: "staff",
        at: "{ lock = { scope = \"account\"",
        says: "no attempt limit on `code`",
        shows: Shows::Path(&["credentials", "code"]),
    },
    Row {
        code: "E21",
        files: &[("door", &[("sends = 10, ", "")])],
        policy: "door",
        at: "{ attempts = 5, lock",
        says: "no send limit on `mailbox`",
        shows: Shows::Path(&["credentials", "mailbox"]),
    },
    Row {
        code: "E21",
        files: &[("reset", &[("attempts = 5, ", "")])],
        policy: "reset",
        at: "{ lock = { scope = \"ip\"",
        says: "no limit on `name`, which leads to a message",
        shows: Shows::Path(&["name"]),
    },
    Row {
        code: "E22",
        files: &[("door", &[("ttl = \"10m\"", "ttl = \"11m\"")])],
        policy: "door",
        at: "\"11m\" }",
        says: "over 10 minutes",
        shows: Shows::Path(&["credentials", "mailbox"]),
    },
    Row {
        code: "W22",
        files: &[("door", &[("ttl = \"10m\"", "ttl = \"59s\"")])],
        policy: "door",
        at: "\"59s\" }",
        says: "under 60 s",
        shows: Shows::Path(&["credentials", "mailbox"]),
    },
    Row {
        code: "E30",
        files: &[("reset", &[("else = \"warn\"", "else = \"wait\"")])],
        policy: "reset",
        at: "which     = {",
        says: "`registration.incomplete` shows",
        shows: Shows::Apart(&["name", "which", "tell", "sent"], Trait::Incomplete),
    },
    Row {
        code: "E30",
        files: &[("lost", &[("unknown = \"pretend\"", "unknown = \"say\"")])],
        policy: "lost",
        at: "address]",
        says: "tells whether an account has the typed address",
        shows: Shows::Path(&["address"]),
    },
    Row {
        code: "E31",
        files: &[("reset", &[("else = \"warn\"", "else = \"sent\"")])],
        policy: "reset",
        at: "which     = {",
        says: "one way queues a message, the other does nothing",
        shows: Shows::Apart(&["name", "which", "tell", "sent"], Trait::Incomplete),
    },
    Row {
        code: "E40",
        files: &[("door", &[("ok = \"mailbox\"", "ok = \"issue\"")])],
        policy: "door",
        at: "\"issue\", spent",
        says: "issue reached with ['password'], needs ['password','mailbox']",
        shows: Shows::Path(&["credentials", "issue"]),
    },
    Row {
        code: "E40",
        files: &[("staff", &[("ok = \"issue\", spent = \"wait\"", "ok = \"issue\", spent = \"issue\"")])],
        policy: "staff",
        at: "\"issue\" }",
        says: "issue reached with ['password'], needs ['password','totp']",
        shows: Shows::Path(&["credentials", "code", "issue"]),
    },
    Row {
        code: "E40",
        files: &[("door", &[]), ("lost", &[("until = \"2027-06-30\"", "until = \"2026-01-01\"")])],
        policy: "lost",
        at: "\"issue\" }",
        says: "which only the expired waiver W-9 allowed",
        shows: Shows::Path(&["address", "phone", "app", "key", "new_password", "issue"]),
    },
    Row {
        code: "N40",
        files: &[("door", &[]), ("lost", &[])],
        policy: "lost",
        at: "{ id = \"W-9\"",
        says: "in force until 2027-06-30",
        shows: Shows::Place("of a line of `require`: what it excuses, and no fault"),
    },
    Row {
        code: "W41",
        files: &[("door", &[]), ("lost", &[("until = \"2027-06-30\"", "until = \"2026-01-01\"")])],
        policy: "lost",
        at: "{ id = \"W-9\"",
        says: "expired on 2026-01-01",
        shows: Shows::Place("of a line of `require`; E40 beside it has the path that rests on it"),
    },
    Row {
        code: "W42",
        files: &[("door", &[("[\"password\", \"mailbox\"]", "[\"password\"]")])],
        policy: "door",
        at: "{ factors = [\"password\"] }",
        says: "asks less than every path proves: ['mailbox'] too",
        shows: Shows::Place("every path proves it: none is the counterexample"),
    },
    Row {
        code: "E50",
        files: &[
            ("door", &[]),
            ("lost", &[(", waive = { id = \"W-9\", why = \"they hold nothing else\", until = \"2027-06-30\" }", "")]),
        ],
        policy: "door",
        at: "{ factors = [\"password\", \"mailbox\"] }",
        says: "['mailbox'] is enough to pass `door`",
        shows: Shows::Path(&["lost/address", "lost/phone", "lost/app", "lost/key", "lost/new_password", "lost/issue"]),
    },
    Row {
        code: "E60",
        files: &[("staff", &[]), ("door", &[])],
        policy: "door",
        at: "{ factors = [\"password\", \"mailbox\"] }",
        says: "which gives ['password','mailbox'], and requires ['password','totp']",
        shows: Shows::Path(&["credentials", "mailbox", "issue"]),
    },
    Row {
        code: "E61",
        files: &[("staff", &[]), ("door", &[("acr:door", "acr:staff")])],
        policy: "door",
        at: "\"urn:example:acr:staff\"",
        says: "is taken by the login policy `staff`",
        shows: Shows::Place(NAME),
    },
    Row {
        code: "N05",
        files: &[("door", &[("ok = \"mailbox\"", "forgot = { to = \"@lost\", optional = true }, ok = \"mailbox\"")])],
        policy: "door",
        at: "\"@lost\"",
        says: "the optional policy `lost` is not in the set",
        shows: Shows::Path(&["credentials"]),
    },
    Row {
        code: "W70",
        files: &[("staff", &[("cancel  = { to = \"cancelled\" }\n", "")])],
        policy: "staff",
        at: "\"staff\"",
        says: "no `cancel`",
        shows: Shows::Place(SETTING),
    },
    Row {
        code: "W70",
        files: &[("staff", &[("ok = \"issue\", spent = \"wait\"", "ok = \"issue\", spent = \"code\"")])],
        policy: "staff",
        at: "\"code\" }",
        says: "`spent` of `code` leads back to it",
        shows: Shows::Path(&["credentials", "code"]),
    },
    Row {
        code: "W71",
        files: &[("staff", &[("attempts = 5, ", "attempts = 2, ")])],
        policy: "staff",
        at: "{ attempts = 2, lock",
        says: "`code` allows 2 tries",
        shows: Shows::Path(&["credentials", "code"]),
    },
    Row {
        code: "W71",
        files: &[("staff", &[("idle = \"5m\"", "idle = \"1m\"")])],
        policy: "staff",
        at: "\"staff\"",
        says: "`idle` is under two minutes",
        shows: Shows::Place(SETTING),
    },
    Row {
        code: "W72",
        files: &[("staff", &[("lifetime = \"15m\"", "lifetime = \"25h\"")])],
        policy: "staff",
        at: "\"staff\"",
        says: "`lifetime` is over a day",
        shows: Shows::Place(SETTING),
    },
];
