//! docs/ARCHITECTURE.md as tests: who may depend on whom, who owns which library, habits of files and manifests.
//! Each rule is a plain function from data to complaints, and is shown to complain about bad data.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The arrows: each product crate and exactly the product crates it depends on.
const ARROWS: [(&str, &[&str]); 9] = [
    ("model", &[]),
    ("audit", &["model"]),
    ("protocol", &["model"]),
    ("flow", &["model"]),
    ("store", &["model"]),
    ("outbound", &["model"]),
    ("service", &["model", "audit", "protocol", "flow", "store", "outbound"]),
    // And the sandbox, optionally: see `complain_of_the_demo`.
    ("server", &["model", "protocol", "service"]),
    ("sandbox", &[]),
];

/// The "owns" column: a library (and those whose names begin with it and a dash or underscore) and its owner.
const OWNED: [(&str, &str); 9] = [
    ("oxide-auth", "protocol"),
    ("jsonwebtoken", "protocol"),
    ("argon2", "flow"),
    ("totp-rs", "flow"),
    ("diesel", "store"),
    ("redis", "store"),
    ("lettre", "outbound"),
    ("reqwest", "outbound"),
    ("actix", "server"),
];

/// "Owns" binds the product's crates; these two use what they need.
const UNBOUND: [&str; 2] = ["sandbox", "tests"];

const PREFIX: &str = "countersign-";

#[derive(Clone, Debug, PartialEq)]
struct Dependency {
    name: String,
    optional: bool,
    /// Normal or build: part of what is shipped.
    shipped: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Package {
    dependencies: Vec<Dependency>,
    features: BTreeMap<String, Vec<String>>,
}

/// The workspace's packages, without the prefix of their names.
type Graph = BTreeMap<String, Package>;

fn short(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

fn parse_graph(metadata: &Value) -> Graph {
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| (short(package["name"].as_str().unwrap()).to_owned(), parse_package(package)))
        .collect()
}

fn parse_package(package: &Value) -> Package {
    let dependencies = package["dependencies"].as_array().unwrap().iter().map(|dependency| Dependency {
        name: dependency["name"].as_str().unwrap().to_owned(),
        optional: dependency["optional"].as_bool().unwrap(),
        shipped: dependency["kind"].as_str() != Some("dev"),
    });
    Package {
        dependencies: dependencies.collect(),
        features: serde_json::from_value(package["features"].clone()).unwrap(),
    }
}

fn complain_of_arrows(graph: &Graph) -> Vec<String> {
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).chain(["tests"]).collect();
    let mut complaints: Vec<String> = graph
        .keys()
        .filter(|name| !known.contains(name.as_str()))
        .map(|name| format!("{name} is not in the table"))
        .collect();
    for (name, allowed) in ARROWS {
        let Some(package) = graph.get(name) else {
            complaints.push(format!("{name} is missing"));
            continue;
        };
        let shipped = package.dependencies.iter().filter(|dependency| dependency.shipped && !dependency.optional);
        let actual: BTreeSet<&str> = shipped.filter_map(|dependency| dependency.name.strip_prefix(PREFIX)).collect();
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        complaints.extend(actual.difference(&allowed).map(|other| format!("{name} must not depend on {other}")));
        complaints.extend(allowed.difference(&actual).map(|other| format!("{name} no longer depends on {other}")));
    }
    complaints
}

/// Not even a test of the sandbox may name the product: it is everybody else's stand-in.
fn complain_of_the_sandbox(graph: &Graph) -> Vec<String> {
    let named = graph["sandbox"].dependencies.iter().filter(|dependency| dependency.name.starts_with(PREFIX));
    named.map(|dependency| format!("sandbox names {}", dependency.name)).collect()
}

/// `demo` is the one way to the sandbox, on by default and removable.
fn complain_of_the_demo(graph: &Graph) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, package) in graph.iter().filter(|(name, _)| *name != "tests") {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.name == "countersign-sandbox") {
            if name != "server" || !dependency.optional || !dependency.shipped {
                complaints.push(format!("{name} depends on the sandbox without the choice to leave it out"));
            }
        }
    }
    let features = &graph["server"].features;
    let has =
        |feature: &str, what: &str| features.get(feature).is_some_and(|list| list.iter().any(|item| item == what));
    if !has("demo", "dep:countersign-sandbox") || !has("default", "demo") {
        complaints.push("server's feature demo must bring the sandbox and be on by default".to_owned());
    }
    complaints
}

fn complain_of_owners(graph: &Graph) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, package) in graph.iter().filter(|(name, _)| !UNBOUND.contains(&name.as_str())) {
        for dependency in &package.dependencies {
            let owner =
                OWNED.iter().find(|(library, _)| belongs_to(&dependency.name, library)).map(|(_, owner)| *owner);
            if owner.is_some_and(|owner| owner != name) {
                complaints.push(format!("{name} must not use {}: it is {}'s", dependency.name, owner.unwrap_or("")));
            }
        }
    }
    complaints
}

fn belongs_to(crate_name: &str, library: &str) -> bool {
    crate_name.strip_prefix(library).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

/// Unsafe code is forbidden for all, and nobody opts out of the workspace's lints.
fn complain_of_lints(workspace: &toml::Table, members: &[(String, toml::Table)]) -> Vec<String> {
    let lint = workspace.get("workspace").and_then(|table| table.get("lints")?.get("rust")?.get("unsafe_code"));
    let level = lint.and_then(|lint| lint.get("level").unwrap_or(lint).as_str());
    let mut complaints = Vec::new();
    if level != Some("forbid") {
        complaints.push("the workspace does not forbid unsafe code".to_owned());
    }
    for (path, manifest) in members {
        if manifest.get("lints").and_then(|lints| lints.get("workspace")?.as_bool()) != Some(true) {
            complaints.push(format!("{path} does not inherit the workspace's lints"));
        }
    }
    complaints
}

/// What no file may contain: where somebody's machine keeps things, and where packages come from.
fn complain_of_text(path: &str, text: &str) -> Vec<String> {
    // In two pieces, so that this file does not contain them.
    let folders = [("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/")];
    let hosts = [
        ("crates", ".io/"),
        ("static.crates", ".io"),
        ("index.crates", ".io"),
        ("registry.npmjs", ".org"),
        ("files.pythonhosted", ".org"),
        ("pypi", ".org"),
        ("deb.debian", ".org"),
        ("proxy.golang", ".org"),
    ];
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        for folder in folders.map(|(one, two)| format!("{one}{two}")) {
            if line.match_indices(&folder).any(|(at, _)| starts_a_path(&line[..at])) {
                complaints.push(format!("{path}:{number}: names a path of a machine, {folder}"));
            }
        }
        for host in hosts.map(|(one, two)| format!("{one}{two}")) {
            if line.contains(&host) {
                complaints.push(format!("{path}:{number}: names a package registry, {host}"));
            }
        }
        if line.trim_start().starts_with(concat!("#[", "ignore")) {
            complaints.push(format!("{path}:{number}: a test that does not run"));
        }
    }
    complaints
}

/// Whether what follows `before` is absolute, not the middle of a longer path or of a URL.
fn starts_a_path(before: &str) -> bool {
    !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | '}' | '*' | '~'))
}

fn complain_of_names(paths: &[String]) -> Vec<String> {
    let named_mod = paths.iter().filter(|path| path.ends_with("/mod.rs"));
    named_mod.map(|path| format!("{path}: name the file after the module, beside its folder")).collect()
}

fn root() -> PathBuf {
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    manifest.parent().unwrap().to_owned()
}

/// Every file of the project, by its path from the root: not what git ignores, what tools made or what is not text.
fn list_files() -> Vec<String> {
    const SKIPPED: [&str; 7] = [".git", "target", ".tests", ".venv", "node_modules", "Cargo.lock", "package-lock.json"];
    let root = root();
    let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if SKIPPED.iter().any(|skipped| path.ends_with(skipped)) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}

fn read_toml(path: &Path) -> toml::Table {
    let text = std::fs::read_to_string(path).unwrap();
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn workspace_graph() -> Graph {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    parse_graph(&serde_json::from_slice(&output.stdout).unwrap())
}

fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn arrows_are_those_of_the_table() {
    assert_none(&complain_of_arrows(&workspace_graph()));
}

#[test]
fn the_sandbox_names_no_product_crate_and_can_be_left_out() {
    let graph = workspace_graph();
    assert_none(&complain_of_the_sandbox(&graph));
    assert_none(&complain_of_the_demo(&graph));
}

#[test]
fn libraries_are_used_by_their_owners_alone() {
    assert_none(&complain_of_owners(&workspace_graph()));
}

#[test]
fn unsafe_is_forbidden_and_every_crate_inherits_the_lints() {
    let root = root();
    let manifests = list_files().into_iter().filter(|path| path.ends_with("/Cargo.toml"));
    let members: Vec<_> = manifests.map(|path| (path.clone(), read_toml(&root.join(path)))).collect();
    assert!(members.len() >= ARROWS.len());
    assert_none(&complain_of_lints(&read_toml(&root.join("Cargo.toml")), &members));
}

#[test]
fn every_toml_file_parses() {
    let files: Vec<_> =
        list_files().into_iter().filter(|path| Path::new(path).extension().is_some_and(|e| e == "toml")).collect();
    assert!(files.iter().any(|path| path.starts_with("config/")), "{files:?}");
    for path in files {
        read_toml(&root().join(path));
    }
}

#[test]
fn files_name_no_machine_and_no_registry() {
    let root = root();
    for path in list_files() {
        if let Ok(text) = std::fs::read_to_string(root.join(&path)) {
            assert_none(&complain_of_text(&path, &text));
        }
    }
}

#[test]
fn no_file_is_called_mod() {
    assert_none(&complain_of_names(&list_files()));
}

mod the_rules_can_fail {
    use super::*;

    fn dependency(name: &str) -> Dependency {
        Dependency { name: name.to_owned(), optional: false, shipped: true }
    }

    /// A workspace that breaks no rule.
    fn good() -> Graph {
        let mut graph: Graph = ARROWS
            .iter()
            .map(|(name, others)| {
                let dependencies = others.iter().map(|other| dependency(&format!("{PREFIX}{other}"))).collect();
                ((*name).to_owned(), Package { dependencies, ..Package::default() })
            })
            .collect();
        for (library, owner) in OWNED {
            graph.get_mut(owner).unwrap().dependencies.push(dependency(library));
        }
        let server = graph.get_mut("server").unwrap();
        server.dependencies.push(Dependency { optional: true, ..dependency("countersign-sandbox") });
        server.features.insert("demo".to_owned(), vec!["dep:countersign-sandbox".to_owned()]);
        server.features.insert("default".to_owned(), vec!["demo".to_owned()]);
        graph.insert("tests".to_owned(), Package::default());
        graph
    }

    fn with(crate_name: &str, added: Dependency) -> Graph {
        let mut graph = good();
        graph.get_mut(crate_name).unwrap().dependencies.push(added);
        graph
    }

    #[test]
    fn a_good_workspace_passes() {
        let graph = good();
        for rule in [complain_of_arrows, complain_of_the_sandbox, complain_of_the_demo, complain_of_owners] {
            assert_none(&rule(&graph));
        }
    }

    #[test]
    fn an_arrow_too_many_or_too_few() {
        let sideways = with("flow", dependency("countersign-protocol"));
        assert_eq!(complain_of_arrows(&sideways), ["flow must not depend on protocol"]);
        let past_service = with("server", dependency("countersign-store"));
        assert_eq!(complain_of_arrows(&past_service), ["server must not depend on store"]);
        let mut missing = good();
        missing.get_mut("store").unwrap().dependencies.clear();
        assert_eq!(complain_of_arrows(&missing), ["store no longer depends on model"]);
        missing.remove("store");
        missing.insert("util".to_owned(), Package::default());
        assert_eq!(complain_of_arrows(&missing), ["util is not in the table", "store is missing"]);
    }

    #[test]
    fn a_test_may_use_what_is_not_shipped() {
        let graph = with("flow", Dependency { shipped: false, ..dependency("countersign-protocol") });
        assert_none(&complain_of_arrows(&graph));
    }

    #[test]
    fn a_sandbox_that_knows_the_product() {
        let graph = with("sandbox", Dependency { shipped: false, ..dependency("countersign-model") });
        assert_eq!(complain_of_the_sandbox(&graph), ["sandbox names countersign-model"]);
    }

    #[test]
    fn a_demo_that_cannot_be_left_out() {
        assert_eq!(complain_of_the_demo(&with("server", dependency("countersign-sandbox"))).len(), 1);
        let elsewhere = Dependency { optional: true, ..dependency("countersign-sandbox") };
        assert_eq!(complain_of_the_demo(&with("service", elsewhere)).len(), 1);
        let mut featureless = good();
        featureless.get_mut("server").unwrap().features.clear();
        assert_eq!(complain_of_the_demo(&featureless).len(), 1);
    }

    #[test]
    fn a_library_in_the_wrong_hands() {
        for (library, owner) in
            [("oxide-auth-async", "protocol"), ("diesel_migrations", "store"), ("reqwest", "outbound")]
        {
            let graph = with("service", dependency(library));
            assert_eq!(complain_of_owners(&graph), [format!("service must not use {library}: it is {owner}'s")]);
        }
        assert_none(&complain_of_owners(&with("service", dependency("redistribute"))));
        assert_none(&complain_of_owners(&with("sandbox", dependency("actix-web"))));
    }

    #[test]
    fn lints_that_are_lax_or_not_inherited() {
        let strict: toml::Table = "[workspace.lints.rust]\nunsafe_code = \"forbid\"".parse().unwrap();
        let table: toml::Table = "[workspace.lints.rust]\nunsafe_code = { level = \"forbid\" }".parse().unwrap();
        let lax: toml::Table = "[workspace.lints.rust]\nunsafe_code = \"deny\"".parse().unwrap();
        let member = |text: &str| [("crates/x/Cargo.toml".to_owned(), text.parse().unwrap())];
        let inherits = member("[lints]\nworkspace = true");
        assert_none(&complain_of_lints(&strict, &inherits));
        assert_none(&complain_of_lints(&table, &inherits));
        for workspace in [lax, toml::Table::new()] {
            assert_eq!(complain_of_lints(&workspace, &inherits).len(), 1);
        }
        for text in ["", "[lints]\nworkspace = false", "[lints.rust]\nunsafe_code = \"allow\""] {
            assert_eq!(complain_of_lints(&strict, &member(text)).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn a_file_that_names_a_machine_or_a_registry() {
        for bad in [
            concat!("see /wo", "rk/shared"),
            concat!("\"/ro", "ot/.cargo\""),
            concat!("PATH=/ho", "me/somebody"),
            concat!("url = \"https://index.crates", ".io\""),
            concat!("https://registry.npmjs", ".org/x"),
            concat!("    #[", "ignore]"),
        ] {
            assert_eq!(complain_of_text("x", bad).len(), 1, "{bad}");
        }
        for good in [concat!("net", "/wo", "rk/x"), concat!("{base}/ho", "me/x"), "crates-io is a registry", "/usr/lib"]
        {
            assert_none(&complain_of_text("x", good));
        }
    }

    #[test]
    fn a_file_called_mod() {
        let paths = ["crates/flow/src/step/mod.rs".to_owned(), "crates/flow/src/modes.rs".to_owned()];
        assert_eq!(complain_of_names(&paths).len(), 1);
    }
}
