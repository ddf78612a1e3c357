//! The compose file, by `docker compose` itself, and what it promises.

use std::fs;

use serde_json::{Value, json};

use crate::tool::{deployed, python_tool, run, succeed};

/// As `docker compose` understands it.
pub fn resolved() -> Value {
    let mut config = python_tool("docker-compose");
    let file = deployed("compose/compose.yaml");
    serde_json::from_str(&succeed(config.arg("-f").arg(file).args(["config", "--format", "json"]))).unwrap()
}

/// The words of a service's `command`, `entrypoint` or health check.
pub fn words(value: &Value) -> Vec<String> {
    let words = value.as_array().unwrap_or_else(|| panic!("no list: {value}")).iter();
    words.map(|word| word.as_str().unwrap().to_owned()).collect()
}

#[test]
fn docker_compose_and_a_linter_accept_the_file() {
    let file = deployed("compose/compose.yaml");
    let linted = run(python_tool("compose-lint").arg(&file));
    assert!(linted.status.success(), "{}", String::from_utf8_lossy(&linted.stdout));

    let folder = tempfile::tempdir().unwrap();
    let worse = fs::read_to_string(&file).unwrap().replacen("mem_limit", "memory_limit", 1);
    fs::write(folder.path().join("compose.yaml"), worse).unwrap();
    let mut config = python_tool("docker-compose");
    // The package's wrapper does not pass the exit code on.
    let found = run(config.arg("-f").arg(folder.path().join("compose.yaml")).args(["config", "-q"]));
    let why = String::from_utf8_lossy(&found.stderr).into_owned();
    assert!(why.contains("'memory_limit' not allowed"), "a misspelt key is not found: {why}");
}

#[test]
fn nothing_but_the_proxy_is_published_and_nothing_may_write_where_it_need_not() {
    let compose = resolved();
    let services = compose["services"].as_object().unwrap();
    let expected = ["mail", "migrate", "node-1", "node-2", "postgres", "proxy", "redis"];
    assert_eq!(services.keys().map(String::as_str).collect::<Vec<_>>(), expected);
    for (name, service) in services {
        assert_eq!(service["ports"].is_array(), name == "proxy", "{name}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        assert_eq!(service["read_only"] == true, name != "mail", "{name}");
        assert_eq!(service["privileged"], Value::Null, "{name}");
        // Secrets come by files alone.
        let environment = service["environment"].as_object().cloned().unwrap_or_default();
        for (variable, value) in environment {
            let is_secret = ["PASSWORD", "SECRET", "TOKEN", "KEY"].iter().any(|word| variable.contains(word));
            let is_file = value.as_str().is_some_and(|value| value.starts_with("/run/secrets/"));
            assert!(!is_secret || is_file, "{name}: {variable}");
        }
    }
    for network in ["edge", "mail", "stores"] {
        assert_eq!(compose["networks"][network]["internal"], true, "{network}");
    }
    // The relay is somebody else's image: it reaches the nodes alone, and not by the way they reach others.
    let on = |network: &str| {
        let is_on = |(_, service): &(&String, &Value)| service["networks"].get(network).is_some();
        services.iter().filter(is_on).map(|(name, _)| name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(on("mail"), ["mail", "node-1", "node-2"]);
    assert_eq!(on("outside-mail"), ["mail"]);
    assert_eq!(on("stores"), ["migrate", "node-1", "node-2", "postgres", "redis"]);
    assert_eq!(on("edge"), ["node-1", "node-2", "proxy"]);
    let edge = compose["networks"]["edge"]["ipam"]["config"][0]["subnet"].as_str().unwrap();
    let config = fs::read_to_string(deployed("compose/countersign.toml")).unwrap();
    assert!(config.contains(&format!("proxy_networks = [\"{edge}\"]")), "the proxy is believed, and nobody else");
    assert!(compose["services"]["proxy"]["networks"].get("stores").is_none(), "the proxy reaches no store");
}
