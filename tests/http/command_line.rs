//! The command line: exit 0 fine, 1 a finding or a refusal, 2 usage (CONTRACT.md).

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_tests::servers::binary;
use serde_json::Value;
use tempfile::TempDir;

/// What the binary says there.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.current_dir(folder).args(arguments).env("RUST_LOG", "warn");
    command.output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Its standard error.
pub fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
pub fn assert_exit(output: &Output, code: i32, case: &str) {
    assert_eq!(output.status.code(), Some(code), "{case}: {}{}", out(output), err(output));
}

/// The policies of `config/policies`, with changes.
fn policies(changes: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/policies");
    for name in ["login-options.toml", "email.toml", "totp.toml"] {
        fs::copy(shipped.join(name), folder.path().join(name)).unwrap();
    }
    for (name, text) in changes {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Every policy of `config/policies`, each as `edit` leaves it.
fn all_policies(edit: impl Fn(&str, String) -> String) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let shipped = fs::read_dir(Path::new(HERE).join("../config/policies")).unwrap();
    for entry in shipped.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let name = entry.file_name().unwrap().to_str().unwrap();
        fs::write(folder.path().join(name), edit(name, fs::read_to_string(&entry).unwrap())).unwrap();
    }
    folder
}

const HERE: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn usage_errors_exit_2() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &[][..],
        &["dance"],
        &["serve", "--nonsense"],
        &["policy"],
        &["policy", "check", "--jsn"],
        &["keys", "rotate", "x"],
        &["demo", "--idp-port", "x"],
    ] {
        let output = run(folder.path(), arguments);
        assert_exit(&output, 2, &format!("{arguments:?}"));
        assert!(err(&output).contains("--help") && out(&output).is_empty(), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["--version"], &["policy", "check", "--help"]] {
        assert_exit(&run(folder.path(), arguments), 0, &format!("{arguments:?}"));
    }
    // Where the demo's settings travel is nothing to offer.
    assert!(!out(&run(folder.path(), &["--help"])).contains("demo-child"));
}

#[test]
fn policy_check_finds_where_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let sound = policies(&[]);
    for arguments in [&["policy", "check"][..], &["policy", "check", sound.path().to_str().unwrap()]] {
        let output = run(folder.path(), arguments);
        assert_exit(&output, 0, "sound policies");
        assert!(out(&output).contains("policies, 0 errors"), "{}", out(&output));
    }
    let lab = fs::read_to_string(Path::new(HERE).join("../config/policies/demo/lab.toml")).unwrap();
    let demands_more = lab
        .replace(r#"require = [{ factors = ["password"] }]"#, r#"require = [{ factors = ["password", "mailbox"] }]"#);
    assert_ne!(lab, demands_more);
    let unknown_step = lab.replace(r#"ok = "issue""#, r#"ok = "nowhere""#);
    for (case, text, place) in [
        ("syntax", "format = 1\nid = \n", ":2:"),
        ("a step that is not there", unknown_step.as_str(), ".toml:"),
        ("a path without a factor", demands_more.as_str(), ".toml:"),
        ("an unknown key", &format!("{lab}\nsurprise = 1\n"), ".toml:"),
    ] {
        let broken = policies(&[("lab.toml", text)]);
        let path = broken.path().to_str().unwrap();
        let output = run(folder.path(), &["policy", "check", path]);
        assert_exit(&output, 1, case);
        let said = out(&output);
        assert!(said.contains("lab.toml:") && said.contains(place), "{case}: {said}");
        let output = run(folder.path(), &["policy", "check", "--json", path]);
        assert_exit(&output, 1, case);
        let findings: Value = serde_json::from_str(&out(&output)).unwrap();
        let error = findings.as_array().unwrap().iter().find(|finding| finding["severity"] == "error").unwrap().clone();
        assert!(error["file"].as_str().unwrap().ends_with("lab.toml"), "{case}: {error}");
        assert!(error["line"].as_u64() > Some(0) && error["column"].as_u64() > Some(0), "{case}: {error}");
        let (line, column) = (&error["line"], &error["column"]);
        assert!(
            said.contains(&format!("lab.toml:{line}:{column}: {} ", error["code"].as_str().unwrap())),
            "{case}: {said}"
        );
        assert!(!error["message"].as_str().unwrap().is_empty());
        if case == "a path without a factor" {
            // The counterexample: the steps from the start to the token.
            assert!(error["path"].as_array().is_some_and(|path| path.len() > 1), "{error}");
        }
        // What does not pass does not run.
        let node = Node::new(&format!("[policies]\ndirectory = \"{path}\"\n"));
        assert_exit(&node.run(&["migrate"]), 0, "migrate");
        let output = node.run(&["serve"]);
        assert_exit(&output, 1, case);
        assert!(err(&output).contains("lab.toml:"), "{case}: {}", err(&output));
    }
    let missing = run(folder.path(), &["policy", "check", "no/such/folder"]);
    assert_exit(&missing, 1, "missing folder");
    assert!(err(&missing).contains("no/such/folder"));
}

/// Somebody to carry texts and calls.
pub const CARRIER: &str = "[[telephone.carriers]]\nname = \"main\"\nbase_url = \"https://carrier.example.org\"\n\
     account_sid = \"AC0123\"\nauth_token = \"a-token-of-the-tests\"\nfrom = \"+12025550100\"\n";

/// A folder with a sound configuration.
pub struct Node {
    /// Where it is.
    pub folder: TempDir,
}

impl Node {
    /// With lines of one further section.
    pub fn new(more: &str) -> Self {
        let node = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(node.folder.path().join("master.key"), STANDARD.encode([7; 32])).unwrap();
        node.configure(&format!(
            "[server]\nissuer = \"https://login.example.org\"\nlisten = [\"127.0.0.1:0\"]\n\
             management_listen = \"127.0.0.1:1\"\n[secrets]\nmaster_key_file = \"master.key\"\n\
             [database]\nurl = \"sqlite:node.db\"\n{more}\n{CARRIER}"
        ));
        node
    }

    fn configure(&self, text: &str) {
        fs::write(self.folder.path().join("countersign.toml"), text).unwrap();
    }

    /// With words replaced.
    pub fn change(&self, from: &str, to: &str) {
        let file = self.folder.path().join("countersign.toml");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(file, text.replace(from, to)).unwrap();
    }

    /// What a command says.
    pub fn run(&self, command: &[&str]) -> Output {
        run(self.folder.path(), &[command, &["--config", "countersign.toml"]].concat())
    }
}

const CLIENTS: &str = r#"[{"client_id": "strict", "client_secret": "a-secret-of-the-tests-0123456789",
    "redirect_uris": ["https://strict.example/cb"], "countersign_policy": "login-options",
    "countersign_policies": ["login-options", "email"],
    "countersign_required_acr": ["urn:countersign:acr:password-phone"]}]"#;

#[test]
fn what_policy_check_refuses_of_clients_and_pages_serve_refuses_too() {
    let node = Node::new("");
    node.change("[server]", "clients_file = \"clients.json\"\n[server]");
    let clients = node.folder.path().join("clients.json");
    fs::write(&clients, "[]").unwrap();
    assert_exit(&node.run(&["migrate"]), 0, "migrate");
    assert_exit(&node.run(&["policy", "check"]), 0, "no clients");
    assert_exit(&node.run(&["config", "check"]), 0, "no clients");
    fs::write(&clients, CLIENTS).unwrap();
    let checked = node.run(&["policy", "check", "--json"]);
    assert_exit(&checked, 1, "a client that requires more than a policy gives");
    let findings: Vec<Value> = serde_json::from_str(&out(&checked)).unwrap();
    let errors: Vec<_> = findings.iter().filter(|finding| finding["severity"] == "error").collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!((&errors[0]["code"], &errors[0]["policy"]), (&Value::from("E60"), &Value::from("email")));
    for command in [&["serve"][..], &["config", "check"]] {
        let refused = node.run(command);
        assert_exit(&refused, 1, "E60");
        assert!(err(&refused).contains("E60") && err(&refused).contains("`strict`"), "{}", err(&refused));
    }
    fs::write(&clients, CLIENTS.replace(", \"email\"]", "]")).unwrap();
    assert_exit(&node.run(&["policy", "check"]), 0, "every policy is enough");
    assert_exit(&node.run(&["config", "check"]), 0, "every policy is enough");

    // A page that is not there.
    let email = fs::read_to_string(Path::new(HERE).join("../config/policies/email.toml")).unwrap();
    assert!(email.contains("\"sign_in\""));
    let folder = policies(&[("email.toml", &email.replace("\"sign_in\"", "\"sing_in\""))]);
    let line = format!("[policies]\ndirectory = \"{}\"\n[server]", folder.path().display());
    node.change("[server]", &line);
    for command in [&["serve"][..], &["config", "check"], &["policy", "check"]] {
        let refused = node.run(command);
        assert_exit(&refused, 1, "E10");
        let told = format!("{}{}", err(&refused), out(&refused));
        assert!(told.contains("E10") && told.contains("sing_in"), "{command:?}: {told}");
    }
}

#[test]
fn database_is_migrated_keys_are_listed_and_rotated() {
    let node = Node::new("");
    let checked = node.run(&["config", "check"]);
    assert_exit(&checked, 0, "config check");
    for is_applied in [true, false] {
        let migrated = node.run(&["migrate"]);
        assert_exit(&migrated, 0, "migrate");
        let told = out(&migrated);
        assert!(told.ends_with("the schema is up to date\n"), "{told}");
        assert_eq!(told.contains("applied 2026"), is_applied, "{told}");
    }
    let list = || {
        let output = node.run(&["keys", "list", "--json"]);
        assert_exit(&output, 0, "keys list");
        out(&output).lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    let first = list();
    let algorithms =
        |keys: &[Value]| keys.iter().map(|key| key["alg"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let mut names = algorithms(&first);
    names.sort();
    assert_eq!(names, ["ES256", "EdDSA", "PS256", "RS256"]);
    assert_eq!(list(), first);
    assert_exit(&node.run(&["keys", "rotate"]), 0, "keys rotate");
    let second = list();
    assert_eq!(second.len(), 8);
    // Published until the last token is dead: sessions of half a day, and five minutes.
    let followed = |old: &Value| second.iter().find(|key| key["kid"] == old["kid"]).unwrap()["retire_at"].as_i64();
    let is_old = |key: &&Value| first.iter().any(|old| old["kid"] == key["kid"]);
    let from = second.iter().filter(|key| !is_old(key)).map(|key| key["use_from"].as_i64().unwrap()).min().unwrap();
    assert!(first.iter().all(|old| old["retire_at"].is_null() && followed(old) >= Some(from + 43_500)));
    // Published before use.
    for new in second.iter().filter(|key| !is_old(key)) {
        assert_eq!(new["use_from"].as_i64().unwrap() - new["created_at"].as_i64().unwrap(), 86_400, "{new}");
    }
    let text = out(&node.run(&["keys", "list"]));
    assert_eq!(text.lines().count(), 8);
    assert!(text.lines().all(|line| line.contains("  signs from 20") && line.contains(" UTC")), "{text}");
    let database = fs::read(node.folder.path().join("node.db")).unwrap();
    let holds = |needle: &[u8]| database.windows(needle.len()).any(|window| window == needle);
    assert!(!holds(b"PRIVATE KEY") && !holds(b"\"d\":"));

    // Another master key opens nothing.
    fs::write(node.folder.path().join("master.key"), STANDARD.encode([8; 32])).unwrap();
    for command in [&["keys", "list"][..], &["serve"]] {
        let output = node.run(command);
        assert_exit(&output, 1, "another master key");
        assert!(err(&output).contains("master key"), "{}", err(&output));
    }
    node.change("https://login", "http://login");
    let refused = node.run(&["config", "check"]);
    assert_exit(&refused, 1, "config check");
    assert!(err(&refused).contains("in clear"));
}

#[test]
fn people_are_imported_invited_disabled_and_told_of() {
    let node = Node::new("");
    assert_exit(&node.run(&["migrate"]), 0, "migrate");
    let hash = "$2b$04$abcdefghijklmnopqrstuu5pTTdzW1hCDd3xLtvje8LLGZ4uI9cVe";
    let file = format!("username,email,hash\nwnurse,ward.nurse@example.com,{hash}\nother,,$md5$00\n");
    fs::write(node.folder.path().join("legacy.csv"), file).unwrap();
    let import =
        |more: &[&str]| node.run(&[&["user", "import", "legacy.csv", "--format", "csv", "--json"], more].concat());
    for (more, imported, skipped) in [(&["--dry-run"][..], 1, 0), (&[], 1, 0), (&[], 0, 1)] {
        let output = import(more);
        assert_exit(&output, 1, "a rejected line");
        let report: Value = serde_json::from_str(&out(&output)).unwrap();
        assert_eq!((&report["imported"], &report["skipped"]), (&imported.into(), &skipped.into()), "{report}");
        assert_eq!(report["rejected_lines"][0]["line"], 3);
        assert!(!out(&output).contains("$2b$") && !out(&output).contains("$md5"));
    }
    let email = "ward.nurse@example.com";
    let invite = ["user", "invite", "--email", email, "--name", "Ward Nurse"];
    assert_exit(&node.run(&invite), 0, "invite");
    let reset = ["user", "reset-registration", "wnurse", "--reason", "lost the link"];
    assert_exit(&node.run(&reset), 0, "reset");
    assert_exit(&node.run(&["user", "disable", email, "--reason", "left"]), 0, "disable");
    let refused = node.run(&invite);
    assert_exit(&refused, 1, "a disabled account");
    assert!(err(&refused).contains("disabled"), "{}", err(&refused));
    assert_exit(&node.run(&["user", "enable", email, "--reason", "back", "--json"]), 0, "enable");

    let told = node.run(&["user", "timeline", "WNurse", "--json"]);
    assert_exit(&told, 0, "timeline");
    let timeline: Value = serde_json::from_str(&out(&told)).unwrap();
    assert_eq!(timeline["person"]["email"], "w*****@example.com");
    let mailed = timeline["attempts"].as_array().unwrap();
    assert_eq!(mailed.iter().map(|attempt| &attempt["result"]).collect::<Vec<_>>(), ["mailed", "mailed"]);
    assert_eq!(mailed[0]["sends"][0]["template"], "registration_reset");
    let lines = out(&node.run(&["user", "timeline", email]));
    assert!(lines.contains("Account: disabled by operator: left") && lines.contains("next: "), "{lines}");
    assert!(!lines.contains(email), "{lines}");
    assert_exit(&node.run(&["user", "timeline", "nobody"]), 1, "nobody");
    assert_exit(&node.run(&["user", "disable", email]), 2, "without a reason");
    let role = |verb: &str, role: &str, more: &[&str]| {
        node.run(&[&["user", "role", verb, email, role, "--reason", "of the test"], more].concat())
    };
    assert_exit(&role("grant", "provider-administrator", &[]), 1, "of no organization");
    assert_exit(&role("grant", "provider-administrator", &["--organization", "0000000000"]), 1, "of none there is");
    let granted = role("grant", "help-desk", &["--json"]);
    assert_exit(&granted, 0, "granted");
    assert_eq!(serde_json::from_str::<Value>(&out(&granted)).unwrap()["role"], "help_desk");
    assert_exit(&role("grant", "help-desk", &[]), 1, "held already");
    assert_exit(&role("revoke", "help-desk", &[]), 0, "revoked");
    assert_exit(&role("revoke", "help-desk", &[]), 1, "held no more");
    assert_exit(&role("grant", "king", &[]), 2, "no such role");
    let lines = out(&node.run(&["user", "timeline", email]));
    assert!(lines.contains("Account: role granted by operator: of the test"), "{lines}");
    assert_exit(&node.run(&["user", "import", "legacy.csv", "--format", "xml"]), 2, "another format");
}

#[test]
fn policy_tools_draw_list_compare_and_format() {
    let folder = tempfile::tempdir().unwrap();
    let sound = policies(&[]);
    let path = sound.path().to_str().unwrap();

    let svg = run(folder.path(), &["policy", "draw", "email", path]);
    assert_exit(&svg, 0, "draw");
    assert!(out(&svg).starts_with("<svg") && out(&svg).trim_end().ends_with("</svg>") && out(&svg).contains("mailbox"));
    let mermaid = run(folder.path(), &["policy", "draw", "email", path, "--mermaid"]);
    assert!(out(&mermaid).contains("flowchart") && out(&mermaid).contains("credentials"));
    assert_exit(&run(folder.path(), &["policy", "draw", "nobody", path]), 1, "no such policy");

    let text = run(folder.path(), &["policy", "paths", "email", path]);
    assert_exit(&text, 0, "paths");
    assert!(
        out(&text).lines().any(|line| line == "remembered [session.remembered] > issue: signed in"),
        "{}",
        out(&text)
    );
    let listed: Value =
        serde_json::from_str(&out(&run(folder.path(), &["policy", "paths", "email", path, "--json"]))).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), out(&text).lines().count());
    assert!(listed.as_array().unwrap().iter().any(|path| path["end"]["kind"] == "issue" && path["legs"].is_array()));

    let shipped = fs::read_to_string(Path::new(HERE).join("../config/policies/email.toml")).unwrap();
    let looser = shipped.replacen("attempts = 5", "attempts = 9", 1);
    assert_ne!(shipped, looser);
    let changed = policies(&[("email.toml", &looser)]);
    let changed = changed.path().to_str().unwrap();
    assert_exit(&run(folder.path(), &["policy", "diff", path, path]), 0, "no difference");
    let diff = run(folder.path(), &["policy", "diff", path, changed]);
    assert_exit(&diff, 1, "a difference");
    assert!(out(&diff).contains("email: changed") && out(&diff).contains("limits"), "{}", out(&diff));
    let diff: Value =
        serde_json::from_str(&out(&run(folder.path(), &["policy", "diff", path, changed, "--json"]))).unwrap();
    assert_eq!((&diff[0]["policy"], &diff[0]["change"]), (&Value::from("email"), &Value::from("changed")));

    let text = out(&run(folder.path(), &["policy", "diff", path, changed]));
    assert!(text.contains("running instances: not counted; --config names the deployment"), "{text}");

    let odd = shipped.replacen("id ", "id    ", 1).replacen("# ", "#  odd ", 1);
    let unformatted = policies(&[("email.toml", &odd)]);
    let unformatted = unformatted.path().to_str().unwrap();
    let check = run(folder.path(), &["policy", "fmt", "--check", unformatted]);
    assert_exit(&check, 1, "not canonical");
    assert!(out(&check).contains("email.toml"), "{}", out(&check));
    assert_exit(&run(folder.path(), &["policy", "fmt", unformatted]), 0, "fmt");
    assert_exit(&run(folder.path(), &["policy", "fmt", "--check", unformatted]), 0, "canonical now");
    let formatted = fs::read_to_string(Path::new(unformatted).join("email.toml")).unwrap();
    assert!(formatted.contains("#  odd "), "comments stay");
    assert_eq!(formatted.matches('#').count(), odd.matches('#').count());

    let half_broken = policies(&[("email.toml", &odd), ("phone.toml", "no TOML")]);
    let fmt = run(folder.path(), &["policy", "fmt", half_broken.path().to_str().unwrap()]);
    assert_exit(&fmt, 1, "one of two is no TOML");
    assert_eq!(fs::read_to_string(half_broken.path().join("email.toml")).unwrap(), odd, "nothing was written");
}

#[test]
fn policy_check_answers_what_the_readme_shows() {
    let without_code = all_policies(|name, text| match name {
        "email.toml" => text.replace(r#"else = "mailbox" }"#, r#"else = "terms_due" }"#),
        _ => text,
    });
    let folder = without_code.path().to_str().unwrap();
    let found = out(&run(without_code.path(), &["policy", "check", folder])).replace(folder, "my-policies");
    let readme = fs::read_to_string(Path::new(HERE).join("../README.md")).unwrap();
    let shown: Vec<&str> = readme.lines().filter(|line| line.starts_with("my-policies/")).collect();
    assert_eq!(shown.len(), 2);
    for line in shown {
        assert!(found.lines().any(|own| own == line), "{line}\n{found}");
    }
}

#[test]
fn policy_check_lists_the_least_sets_and_finds_the_way_round() {
    let folder = tempfile::tempdir().unwrap();
    let sets = run(folder.path(), &["policy", "check", "--sets"]);
    assert_exit(&sets, 0, "shipped policies");
    let is_listed = |policy: &str, account: &str, held: &str| {
        out(&sets).lines().any(|line| {
            let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
            line == format!("{policy} {account} {held}")
        })
    };
    assert!(is_listed("phone", "phone", "mailbox + phone") && is_listed("phone", "phone", "password + phone"));
    assert!(!is_listed("phone", "phone", "mailbox"));
    let unguarded = all_policies(|name, text| match name {
        "registration-reset.toml" => text.replace(r#"else = "told""#, r#"else = "send""#),
        "registration-link.toml" => text.replace(r#"else = "already""#, r#"else = "method""#),
        _ => text,
    });
    let found = run(folder.path(), &["policy", "check", unguarded.path().to_str().unwrap()]);
    assert_exit(&found, 1, "the reset without its guard");
    assert!(out(&found).contains("E50 ['mailbox'] is enough to pass `phone`"), "{}", out(&found));
}

#[test]
fn policy_run_tries_a_policy_out() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    let play = |lines: &str, more: &[&str]| {
        fs::write(&script, lines).unwrap();
        let script = script.to_str().unwrap();
        run(folder.path(), &[&["policy", "run", "phone", "--json", "--script", script], more].concat())
    };
    let events = |output: &Output| {
        let lines = out(output);
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    let sign_in = "login email=person@example.com password=\"velvet tuba lagoon\"\nsend\n";
    let begun = play(sign_in, &["--account", "phone"]);
    assert_exit(&begun, 1, "the input ends first");
    let all = events(&begun);
    let message = &all.iter().find(|event| event["message"].is_object()).unwrap()["message"];
    assert_eq!((&message["carrier"], &message["to"]), (&Value::from("sms"), &Value::from("+12025553661")));
    assert_eq!(all.last().unwrap()["page"]["state"], "sent");
    // The same run has the same code.
    let code = message["code"].as_str().unwrap();
    let done = play(&format!("# in a file\n{sign_in}verify code={code}\n"), &["--account", "phone"]);
    assert_exit(&done, 0, "signed in");
    let issued = events(&done).pop().unwrap()["issued"].clone();
    assert_eq!(issued["acr"], "urn:countersign:acr:password-phone");
    assert_eq!(issued["facts"], serde_json::json!(["password", "phone"]));

    let called = play(&sign_in.replace("send", "call\n:answer\ncontinue"), &["--account", "phone"]);
    assert_exit(&called, 0, "by a call");
    let lost = play(&sign_in.replace("send", "call\n:lose\ncontinue"), &["--account", "phone"]);
    assert_exit(&lost, 0, "stopped");
    assert_eq!(events(&lost).pop().unwrap()["page"]["page"], "registration_error");
    let mail_only = play("login email=person@example.com password=\"velvet tuba lagoon\"\n", &[]);
    assert_eq!(events(&mail_only).pop().unwrap()["page"]["page"], "no_phone_registered");
    let nobody = play(sign_in, &["--account", "nobody"]);
    assert_exit(&nobody, 1, "the page has no button to send");
    assert!(err(&nobody).contains("`send`"), "{}", err(&nobody));
    let left = play("cancel\n", &[]);
    assert_exit(&left, 0, "back to the application");
    assert_eq!(events(&left).pop().unwrap()["returned"], "access_denied");
    let text = run(folder.path(), &["policy", "run", "phone", "--script", script.to_str().unwrap()]);
    assert!(out(&text).contains("controls: login forgot cancel"), "{}", out(&text));
    assert_exit(&run(folder.path(), &["policy", "run", "nothing", "--script", script.to_str().unwrap()]), 1, "unknown");
}

#[test]
fn the_configuration_is_judged_by_the_yardstick_that_is_asked_for() {
    let node = Node::new("");
    assert_exit(&node.run(&["migrate"]), 0, "migrate");
    let report = |more: &[&str]| node.run(&[&["config", "report"], more].concat());
    assert_exit(&report(&["--fail-on", "oauth2.1,rfc9700"]), 0, "safe by default");
    node.change("[database]", "[lifetimes]\ncode = 120\n[protocol]\nimplicit = true\n[database]");
    assert_exit(&report(&[]), 0, "nothing was to fail");
    assert_exit(&report(&["--fail-on", "oauth2.1"]), 1, "implicit");
    assert_exit(&report(&["--fail-on", "rfc9700"]), 0, "RFC 9700 recommends");
    assert_exit(&report(&["--fail-on", "rfc9700:should"]), 1, "and that counts when asked for");
    let json = report(&["--format", "json", "--fail-on", "fapi2"]);
    assert_exit(&json, 1, "a code of two minutes");
    let deviations: Vec<Value> = serde_json::from_str(&out(&json)).unwrap();
    let code = deviations.iter().find(|one| one["text"].as_str().is_some_and(|text| text.contains("lifetimes.code")));
    let code = code.expect("the deviation");
    assert_eq!(
        (&code["yardstick"], &code["section"], &code["weight"]),
        (&"fapi2".into(), &"5.3.2.2".into(), &"must".into())
    );
    assert_eq!(code["client"], Value::Null);
    assert!(out(&report(&["--format", "html"])).starts_with("<!doctype html>"));
    assert_exit(&report(&["--fail-on", "fapi1"]), 2, "no such yardstick");
}

/// A switch that is turned off later: the client that has the part already goes on, and is named.
#[test]
fn who_keeps_what_was_switched_off_is_named_by_the_report() {
    let node = Node::new("");
    assert_exit(&node.run(&["migrate"]), 0, "migrate");
    let clients = r#"[{"client_id": "keeper", "redirect_uris": ["https://keeper.example/cb"], "subject_type": "pairwise"},
        {"client_id": "plain", "redirect_uris": ["https://plain.example/cb"]}]"#;
    fs::write(node.folder.path().join("new.json"), clients).unwrap();
    assert_exit(&node.run(&["client", "add", "new.json"]), 0, "add");
    let report = || node.run(&["config", "report", "--fail-on", "protocol"]);
    let on = report();
    assert_exit(&on, 0, "it is on");
    assert!(out(&on).contains("What is off in [protocol]: nothing deviates"), "{}", out(&on));
    node.change("[database]", "[protocol]\npairwise = false\n[database]");
    let off = report();
    assert_exit(&off, 1, "and then off");
    let told = "What is off in [protocol]: 1 deviation\n  must   pairwise client keeper: It still knows";
    assert!(out(&off).contains(told), "{}", out(&off));
    assert_exit(&node.run(&["client", "add", "new.json"]), 1, "nobody else gets it");
}

#[test]
fn clients_are_added_listed_and_given_another_secret() {
    let node = Node::new("");
    assert_exit(&node.run(&["migrate"]), 0, "migrate");
    let file = node.folder.path().join("new.json");
    let clients = r#"[{"client_id": "drawn", "redirect_uris": ["https://drawn.example/cb"]},
        {"client_id": "spa", "redirect_uris": ["https://spa.example/cb"], "token_endpoint_auth_method": "none"}]"#;
    fs::write(&file, clients).unwrap();
    let added = node.run(&["client", "add", "new.json"]);
    assert_exit(&added, 0, "add");
    let lines: Vec<String> = out(&added).lines().map(str::to_owned).collect();
    let secret = lines[0].strip_prefix("drawn  ").expect("the secret that was drawn").to_owned();
    assert!(secret.len() >= 43 && lines[1] == "spa", "{lines:?}");

    let rotated = node.run(&["client", "rotate-secret", "drawn", "--keep-hours", "2"]);
    assert_exit(&rotated, 0, "rotate");
    assert_ne!(out(&rotated).trim(), secret);
    assert_exit(&node.run(&["client", "rotate-secret", "spa"]), 1, "no secret");
    assert_exit(&node.run(&["client", "rotate-secret", "nobody"]), 1, "no client");

    // The file of before, with the first secret: the rotation stands.
    let again = clients.replace("\"drawn\",", &format!("\"drawn\", \"client_secret\": \"{secret}\","));
    fs::write(&file, again).unwrap();
    assert_exit(&node.run(&["client", "add", "new.json"]), 0, "add again");
    let listed = node.run(&["client", "list", "--json"]);
    let drawn: Value = serde_json::from_str(out(&listed).lines().next().unwrap()).unwrap();
    let secrets = drawn["secrets"].as_array().unwrap();
    assert_eq!((secrets.len(), &secrets[0]["expires_at"]), (2, &Value::Null), "{drawn}");
    assert!(secrets[1]["expires_at"].is_i64());
    for output in [&listed, &node.run(&["client", "list"])] {
        assert!(out(output).contains("drawn") && !out(output).contains(&secret) && !out(output).contains("hash"));
    }
    fs::write(&file, "[{}]").unwrap();
    assert_exit(&node.run(&["client", "add", "new.json"]), 1, "no client_id");
}

#[test]
fn a_diff_counts_what_runs_in_redis_and_says_where_it_cannot() {
    let shipped = fs::read_to_string(Path::new(HERE).join("../config/policies/email.toml")).unwrap();
    let (old, new) =
        (policies(&[]), policies(&[("email.toml", &shipped.replacen("on_edit  = \"pin\"", "on_edit  = \"kill\"", 1))]));
    let diff = ["policy", "diff", old.path().to_str().unwrap(), new.path().to_str().unwrap()];
    let node = Node::new("");
    assert_exit(&node.run(&["migrate"]), 0, "migrate");
    let in_process = node.run(&diff);
    assert_exit(&in_process, 1, "a difference");
    let line = "running instances: not counted: short_lived.store is in_process";
    assert!(out(&in_process).contains("email: changed") && out(&in_process).contains(line), "{}", out(&in_process));

    let url =
        std::env::var("COUNTERSIGN_TEST_REDIS_URL").expect("COUNTERSIGN_TEST_REDIS_URL is not set: run ./tests/run");
    let node = Node::new(&format!(
        "[short_lived]\nstore = \"redis\"\nurls = [\"{url}\"]\nprefix = \"diff{}:\"",
        std::process::id()
    ));
    assert_exit(&node.run(&["migrate"]), 0, "migrate");
    let counted = node.run(&diff);
    assert_exit(&counted, 1, "a difference");
    let line = "  running instances: 0, 0 of them on the old version; kill: they start anew";
    assert!(out(&counted).lines().any(|told| told == line), "{}{}", out(&counted), err(&counted));
}

#[test]
fn a_diff_is_told_where_nothing_can_be_counted_and_no_failure_looks_like_a_difference() {
    let shipped = fs::read_to_string(Path::new(HERE).join("../config/policies/email.toml")).unwrap();
    let (old, new) = (policies(&[]), policies(&[("email.toml", &shipped.replacen("attempts = 5", "attempts = 9", 1))]));
    let (old, new) = (old.path().to_str().unwrap(), new.path().to_str().unwrap());
    let (same, other) = (["policy", "diff", old, old], ["policy", "diff", old, new]);
    let cluster = std::env::var("COUNTERSIGN_TEST_REDIS_CLUSTER_URL").expect("no cluster: run ./tests/run");
    let urls: Vec<&str> = cluster.split(',').collect();
    for (lines, why) in [
        (format!("mode = \"cluster\"\nurls = {urls:?}"), "a cluster does not list its keys"),
        ("urls = [\"redis://127.0.0.1:1\"]".to_owned(), "redis"),
    ] {
        let node = Node::new(&format!("[short_lived]\nstore = \"redis\"\n{lines}"));
        assert_exit(&node.run(&["migrate"]), 0, "migrate");
        assert_exit(&node.run(&same), 0, why);
        let told = node.run(&other);
        assert_exit(&told, 1, why);
        let counted = out(&told).lines().find(|line| line.contains("running instances")).unwrap().to_owned();
        assert!(counted.starts_with("  running instances: not counted: ") && counted.contains(why), "{counted}");
        let told: Value = serde_json::from_str(&out(&node.run(&[other.as_slice(), &["--json"]].concat()))).unwrap();
        let counted = told[0]["instances"]["unknown"].as_str().unwrap();
        assert!(counted.contains(why), "{told}");
    }
    let folder = tempfile::tempdir().unwrap();
    let lost = run(folder.path(), &["policy", "diff", old, new, "--config", "nowhere.toml"]);
    assert_exit(&lost, 1, "no such configuration");
    assert!(out(&lost).contains("email: changed") && out(&lost).contains("not counted: "), "{}", out(&lost));
    let broken = policies(&[("email.toml", "no TOML")]);
    for (old, new) in [("nowhere", new), (old, "nowhere"), (broken.path().to_str().unwrap(), new)] {
        let refused = run(folder.path(), &["policy", "diff", old, new]);
        assert_exit(&refused, 2, "nothing to compare");
        assert!(out(&refused).is_empty() && !err(&refused).is_empty(), "{}", out(&refused));
    }
}
