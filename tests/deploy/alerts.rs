//! Alerts and dashboard: sound by Prometheus' own tool, of metrics that are exported, each alert with its page.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::tool::{deployed, read, read_yaml, run, succeed};

/// What Prometheus itself adds to every series.
const ADDED: [&str; 2] = ["job", "instance"];

/// Names of metrics, each with its labels.
pub type Metrics = BTreeMap<String, BTreeSet<String>>;

fn promtool(words: &[&str]) -> Command {
    let mut command = Command::new("promtool");
    command.args(words).current_dir(deployed("prometheus"));
    command
}

fn rules() -> Vec<Value> {
    let file = read_yaml(&deployed("prometheus/alerts.yaml")).remove(0);
    let groups = file["groups"].as_array().unwrap().iter();
    groups.flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&read("grafana/countersign.json")).unwrap()
}

/// Every expression of the dashboard's panels.
fn panel_expressions() -> Vec<String> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

fn alert_expressions() -> Vec<String> {
    rules().iter().map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect()
}

/// The metrics of ours that alerts and dashboard name, with the labels they go by.
pub fn used() -> Metrics {
    let mut used = Metrics::new();
    for expression in alert_expressions().iter().chain(&panel_expressions()) {
        let grouped = labels_of(&words_after(expression, " by (", ')'));
        for (name, labels) in selectors(expression) {
            let known = used.entry(name).or_default();
            known.extend(labels.into_iter().chain(grouped.clone()).filter(|label| !ADDED.contains(&label.as_str())));
        }
    }
    used
}

/// What stands between each `begin` and the next `end`.
fn words_after(text: &str, begin: &str, end: char) -> Vec<String> {
    text.split(begin).skip(1).map(|rest| rest.split(end).next().unwrap_or_default().to_owned()).collect()
}

fn labels_of(lists: &[String]) -> Vec<String> {
    lists.iter().flat_map(|list| list.split(',')).map(|label| label.trim().to_owned()).collect()
}

/// Every metric of ours in `expression`, with the labels its matchers name.
fn selectors(expression: &str) -> Vec<(String, Vec<String>)> {
    let starts = expression.match_indices("countersign_").map(|(start, _)| &expression[start..]);
    let selectors = starts.map(|rest| {
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, rest) = rest.split_at(length);
        let matchers = rest.strip_prefix('{').and_then(|rest| rest.split('}').next()).unwrap_or_default();
        let labels = matchers.split(", ").filter_map(|matcher| matcher.split(['=', '!', '~']).next());
        (name.to_owned(), labels.filter(|label| !label.is_empty()).map(|label| label.trim().to_owned()).collect())
    });
    selectors.collect()
}

/// What a node's `/metrics` shows.
pub fn exported(text: &str) -> Metrics {
    let mut exported = Metrics::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let labels = line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(inside, _)| inside);
        let labels = labels.split("\",").filter_map(|pair| pair.split_once('=')).map(|(label, _)| label.to_owned());
        exported.entry(name.to_owned()).or_default().extend(labels);
    }
    exported
}

#[test]
fn promtool_accepts_configuration_and_rules_and_each_alert_fires_when_it_should() {
    succeed(&mut promtool(&["check", "config", "prometheus.yaml"]));
    let files = ["alerts.test.yaml", "alerts-week.test.yaml"];
    succeed(promtool(&["test", "rules"]).args(files));

    // Every alert has a case in which it fires, and one in which it does not.
    let tests = files.iter().flat_map(|file| read_yaml(&deployed("prometheus").join(file)));
    let tests: Vec<Value> = tests.flat_map(|file| file["tests"].as_array().unwrap().clone()).collect();
    let cases = tests.iter().flat_map(|test| test["alert_rule_test"].as_array().unwrap());
    let cases: Vec<&Value> = cases.collect();
    for rule in rules() {
        for fires in [true, false] {
            let is_case = |case: &Value| case["alertname"] == rule["alert"] && case["exp_alerts"].is_array() == fires;
            assert!(cases.iter().any(|case| is_case(case)), "{}: fires: {fires}", rule["alert"]);
        }
    }

    let folder = tempfile::tempdir().unwrap();
    fs::copy(deployed("prometheus/alerts.test.yaml"), folder.path().join("alerts.test.yaml")).unwrap();
    let worse = read("prometheus/alerts.yaml").replace(r#"status=~"5..", status!="503""#, r#"status=~"6..""#);
    fs::write(folder.path().join("alerts.yaml"), worse).unwrap();
    let found = run(promtool(&["test", "rules", "alerts.test.yaml"]).current_dir(folder.path()));
    assert!(!found.status.success(), "an alert that never fires is not found");
}

#[test]
fn every_alert_has_its_page_and_every_page_its_alert() {
    let pages = docs("ALERTS.md");
    let titled: BTreeSet<&str> = pages.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let rules = rules();
    let alerts: BTreeSet<&str> = rules.iter().map(|rule| rule["alert"].as_str().unwrap()).collect();
    assert_eq!(titled, alerts);
    for rule in &rules {
        let page = format!("docs/ALERTS.md#{}", rule["alert"].as_str().unwrap().to_lowercase());
        assert_eq!(rule["annotations"]["runbook_url"], page.as_str());
    }
}

/// Links of the pages, of the alerts and of the dashboard lead to headings that are there.
#[test]
fn every_anchor_leads_somewhere() {
    let dashboard = read("grafana/countersign.json");
    let own = words_after(&dashboard, "docs/ALERTS.md#", '"');
    let own = own.iter().flat_map(|anchors| anchors.split(", #")).map(|anchor| ("ALERTS.md".to_owned(), anchor));
    let pages = docs("ALERTS.md");
    let links = words_after(&pages, "](", ')');
    let linked = links.iter().filter_map(|link| link.split_once('#'));
    let linked = linked.map(|(file, anchor)| (if file.is_empty() { "ALERTS.md" } else { file }.to_owned(), anchor));
    let mut seen = 0;
    for (file, anchor) in own.chain(linked) {
        let text = docs(&file);
        let headings: BTreeSet<String> = text.lines().filter(|line| line.starts_with('#')).map(anchor_of).collect();
        assert!(headings.contains(anchor), "{file}#{anchor}");
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn the_dashboard_is_sound() {
    let expressions = panel_expressions();
    assert!(expressions.len() > 10);
    let concrete = |expression: &String| {
        let values = [("$__rate_interval", "5m"), ("$job", "countersign"), ("$instance", ".*")];
        values.iter().fold(expression.clone(), |text, (variable, value)| text.replace(variable, value))
    };
    let rules: Vec<Value> = expressions
        .iter()
        .enumerate()
        .map(|(number, expression)| json!({"record": format!("panel:{number}"), "expr": concrete(expression)}))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("panels.yaml");
    // JSON is YAML.
    fs::write(&file, json!({"groups": [{"name": "panels", "rules": rules}]}).to_string()).unwrap();
    succeed(promtool(&["check", "rules"]).arg(&file));

    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    for (number, panel) in panels.iter().enumerate() {
        assert!(panels[..number].iter().all(|other| !overlap(panel, other)), "{}", panel["title"]);
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}");
        }
    }
}

fn overlap(one: &Value, other: &Value) -> bool {
    let meet = |side: &str, size: &str| {
        let span = |panel: &Value| {
            let from = panel["gridPos"][side].as_u64().unwrap();
            from..from + panel["gridPos"][size].as_u64().unwrap()
        };
        let (one, other) = (span(one), span(other));
        one.start < other.end && other.start < one.end
    };
    meet("x", "w") && meet("y", "h")
}

fn docs(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// As the usual renderers make it of a heading.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
