//! The manifests: held to the schemas of Kubernetes, to each other and to the configuration.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use countersign_tests::servers::binary;
use serde_json::Value;

use crate::tool::{deployed, python_tool, read, read_yaml, run, succeed};

/// The oldest version that has every field in use, and the newest that the tool knows.
const VERSIONS: [&str; 2] = ["1.30", "1.37"];

fn manifests() -> Vec<String> {
    let entries = fs::read_dir(deployed("kubernetes")).unwrap().flatten().map(|entry| entry.path());
    let names = entries.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let mut names: Vec<String> = names.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.retain(|name| name != "kustomization.yaml");
    names.sort();
    names
}

fn documents() -> Vec<Value> {
    manifests().iter().flat_map(|name| read_yaml(&deployed("kubernetes").join(name))).collect()
}

fn of_kind(documents: &[Value], kind: &str) -> Value {
    documents.iter().find(|document| document["kind"] == kind).unwrap_or_else(|| panic!("no {kind}")).clone()
}

#[test]
fn every_manifest_is_what_its_schema_says() {
    let folder = deployed("kubernetes");
    for version in VERSIONS {
        let mut validate = python_tool("kubernetes-validate");
        succeed(validate.args(["--strict", "--quiet", "-k", version]).args(manifests()).current_dir(&folder));
    }
    let other = tempfile::tempdir().unwrap();
    let worse = read("kubernetes/deployment.yaml").replacen("containerPort", "containerport", 1);
    fs::write(other.path().join("deployment.yaml"), worse).unwrap();
    let mut validate = python_tool("kubernetes-validate");
    let found = run(validate.args(["--strict", "-k", "1.37"]).arg(other.path().join("deployment.yaml")));
    assert!(!found.status.success(), "a misspelt key is not found");
}

/// No kustomize is to be had on the machines of the tests, so what it would look up is looked up here.
#[test]
fn the_kustomization_names_every_file_and_no_other() {
    let kustomization = read_yaml(&deployed("kubernetes/kustomization.yaml")).remove(0);
    let named: BTreeSet<String> = serde_json::from_value(kustomization["resources"].clone()).unwrap();
    assert_eq!(named, manifests().into_iter().collect());
    assert_eq!(kustomization["configMapGenerator"][0]["name"], "countersign");
    let file = kustomization["configMapGenerator"][0]["files"][0].as_str().unwrap();
    assert!(deployed("kubernetes").join(file).exists(), "{file}");
}

#[test]
fn selectors_ports_and_names_of_the_manifests_fit_each_other() {
    let documents = documents();
    let deployment = of_kind(&documents, "Deployment");
    let pod = &deployment["spec"]["template"];
    let labels = &deployment["spec"]["selector"]["matchLabels"];
    assert_eq!(labels, &pod["metadata"]["labels"]);
    assert_eq!(&of_kind(&documents, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"], labels);
    let container = &pod["spec"]["containers"][0];
    let ports: BTreeSet<&str> =
        container["ports"].as_array().unwrap().iter().map(|port| port["name"].as_str().unwrap()).collect();
    for service in documents.iter().filter(|document| document["kind"] == "Service") {
        assert_eq!(&service["spec"]["selector"], labels);
        assert!(ports.contains(service["spec"]["ports"][0]["targetPort"].as_str().unwrap()));
    }
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"], "management", "{probe}");
    }
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/healthz", "a store that is away is no reason to die");
    assert_eq!(of_kind(&documents, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"], "countersign");
    assert_eq!(deployment["spec"].get("replicas"), None, "the autoscaler says how many");
    // Nothing that runs may gain rights or write to its own file system.
    for document in [&deployment, &of_kind(&documents, "Job")] {
        let spec = &document["spec"]["template"]["spec"];
        let security = &spec["containers"][0]["securityContext"];
        assert_eq!(
            (&security["allowPrivilegeEscalation"], &security["readOnlyRootFilesystem"], &security["capabilities"]),
            (&false.into(), &true.into(), &serde_json::json!({"drop": ["ALL"]})),
        );
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true);
        assert_eq!(spec["automountServiceAccountToken"], false);
    }
    // Longer than what the node does at its end: preStop, shutdown_timeout, mail.timeout.
    assert!(pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap() >= 5 + 20 + 10);
}

#[test]
fn the_configuration_of_the_manifests_is_accepted_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = [
        ("master.key", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="),
        ("database.url", "postgres://countersign:secret@postgres.stores.svc/countersign?sslmode=verify-full"),
        ("redis.urls", "rediss://countersign:secret@redis.stores.svc:6379"),
        ("smtp.password", "secret"),
        ("carrier.token", "secret"),
    ];
    for (name, text) in secrets {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let config = read("kubernetes/countersign.toml");
    for (name, _) in secrets {
        assert!(config.contains(&format!("/run/secrets/countersign/{name}\"")), "{name}");
    }
    let config = config.replace("/run/secrets/countersign/", &format!("{}/", folder.path().display()));
    fs::write(folder.path().join("countersign.toml"), config).unwrap();
    let mut check = Command::new(binary());
    let said = succeed(check.args(["config", "check", "--config"]).arg(folder.path().join("countersign.toml")));
    assert_eq!(said, "the configuration would be accepted\n");
}
