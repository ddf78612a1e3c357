//! RUSTSEC-2023-0071 is about private keys: who signs here does so by aws-lc, whose time tells nothing. (What verifies a
//! passkey's signature may use any crate.)

use crate::protocol_rules::read;

#[test]
fn no_crate_signs_by_rsa_that_can_be_timed() {
    let lock: toml::Table = read("Cargo.lock").expect("Cargo.lock").parse().expect("TOML");
    let packages = lock["package"].as_array().expect("packages");
    let depends = |package: &toml::Value, name: &str| {
        let dependencies = package.get("dependencies").and_then(toml::Value::as_array);
        dependencies.into_iter().flatten().any(|it| it.as_str().and_then(|text| text.split(' ').next()) == Some(name))
    };
    let signs = |package: &&toml::Value| {
        let name = package["name"].as_str().unwrap_or_default();
        name == "jsonwebtoken" || (name.starts_with("countersign-") && depends(package, "jsonwebtoken"))
    };
    let signing: Vec<&toml::Value> = packages.iter().filter(signs).collect();
    assert!(signing.len() >= 2, "{signing:?}");
    for package in signing {
        let name = &package["name"];
        assert!(!depends(package, "rsa"), "{name} uses the crate rsa");
        assert!(depends(package, "aws-lc-rs"), "{name} does without aws-lc");
    }
}
