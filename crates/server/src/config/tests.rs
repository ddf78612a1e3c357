//! What is accepted and what is refused, section by section.

use serde_json::json;

use super::*;

#[test]
fn the_shipped_file_holds_every_default() {
    let config = Config::load(None, json!({})).unwrap();
    assert_eq!(config.lifetimes.code, 60);
}

/// What is unsafe is off unless it is asked for; each switch has its line, and turns by its name.
#[test]
fn the_parts_of_the_protocol_are_as_safe_as_shipped_and_each_has_its_switch() {
    use countersign_model::Feature;
    let shipped = Config::load(None, json!({})).unwrap().protocol;
    assert_eq!(shipped, Features::SAFE);
    for feature in
        [Feature::Implicit, Feature::Hybrid, Feature::RequestUris, Feature::TokenExchange, Feature::JwtBearer]
    {
        assert!(!shipped.has(feature), "{}", feature.as_str());
    }
    for feature in Feature::ALL {
        let mut turned = shipped;
        *turned.switch(*feature) = !shipped.has(*feature);
        let mut change = json!({"protocol": {feature.as_str(): !shipped.has(*feature)}});
        if *feature == Feature::Logout {
            // Clients would hear of logouts that nobody can ask for.
            change["protocol"]["backchannel_logout"] = json!(false);
            turned.backchannel_logout = false;
        }
        assert_eq!(Config::load(None, change).unwrap().protocol, turned, "{}", feature.as_str());
    }
}

#[test]
fn an_unknown_key_is_refused() {
    let error = Config::load(None, json!({"server": {"isuer": "x"}})).unwrap_err();
    assert!(error.to_string().contains("isuer"), "{error}");
}

fn carriers(names: &[&str], token: &str) -> serde_json::Value {
    let carrier = |name: &&str| json!({"name": name, "base_url": "https://carrier.example", "auth_token": token});
    json!({"telephone": {"carriers": names.iter().map(carrier).collect::<Vec<_>>()}})
}

fn upstream(change: &serde_json::Value) -> serde_json::Value {
    let mut upstream = json!({
        "id": "corporate", "issuer": "https://corp.example.com", "client_id": "c", "client_secret": "s",
        "domains": ["corp.example.com"],
    });
    upstream.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    json!({ "federation": [upstream] })
}

/// A configuration that hears somebody, with `change`: a null member is left out.
fn heard(change: &serde_json::Value) -> serde_json::Value {
    let mut writer = json!({
        "issuer": "https://partner.example.com", "jwks_uri": "https://partner.example.com/jwks",
        "clients": ["gateway"], "scopes": ["cases.read"], "subject": "email", "domains": ["example.com"],
    });
    let members = writer.as_object_mut().unwrap();
    members.extend(change.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
    json!({
        "protocol": {"jwt_bearer": true},
        "resources": [{"uri": "https://cases.example.com/api", "scopes": ["cases.read"]}],
        "federation": upstream(&json!({}))["federation"],
        "assertion_issuers": [writer],
    })
}

#[test]
fn who_may_speak_for_people_is_said_in_full() {
    let no_keys = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for fine in [
        json!({}),
        json!({"subject": "id", "domains": null, "subjects": ["a"]}),
        json!({"subject": "federation", "domains": null, "federation": "corporate"}),
    ] {
        assert_eq!(Config::load(None, heard(&fine)).unwrap().assertion_issuers().unwrap().len(), 1, "{fine}");
    }
    for (change, word) in [
        (json!({"issuer": "https://login.example.com"}), "this provider itself"),
        (json!({"jwks_uri": null}), "either jwks_file or jwks_uri"),
        (json!({"jwks_file": no_keys}), "either jwks_file or jwks_uri"),
        (json!({"jwks_uri": null, "jwks_file": "nowhere.jwks"}), "nowhere.jwks"),
        (json!({"jwks_uri": null, "jwks_file": no_keys}), "no JWK Set"),
        (json!({"jwks_uri": "partner"}), "jwks_uri"),
        (json!({"clients": []}), "clients"),
        (json!({"clients": ["a b"]}), "client_id"),
        (json!({"scopes": []}), "scopes"),
        (json!({"scopes": ["openid"]}), "scope openid"),
        (json!({"scopes": ["users.read"]}), "scope users.read"),
        (json!({"domains": []}), "domains"),
        (json!({"subject": "id"}), "domains goes with"),
        (json!({"subject": "federation", "domains": null}), "[[federation]]"),
        (json!({"subject": "federation", "domains": null, "federation": "other"}), "[[federation]]"),
    ] {
        let error = Config::load(None, heard(&change)).expect_err(&change.to_string());
        assert!(error.to_string().contains(word), "{change}: {error}");
    }
    let mut off = heard(&json!({}));
    off["protocol"]["jwt_bearer"] = json!(false);
    assert!(Config::load(None, &off).unwrap_err().to_string().contains("nobody would be heard"));
    let mut twice = heard(&json!({}));
    twice["assertion_issuers"] = json!([twice["assertion_issuers"][0], twice["assertion_issuers"][0]]);
    assert!(Config::load(None, &twice).unwrap_err().to_string().contains("same issuer"));
}

#[test]
fn upstream_providers_are_told_apart_by_their_ids() {
    let one = upstream(&json!({}));
    assert!(Config::load(None, &one).is_ok());
    let twice = json!({ "federation": [one["federation"][0], one["federation"][0]] });
    assert!(Config::load(None, &twice).unwrap_err().to_string().contains("same id"));
}

#[test]
fn unsafe_and_contradictory_settings_are_refused_with_their_reason() {
    for (change, word) in [
        (json!({"server": {"issuer": "http://login.example.com"}}), "in clear"),
        (json!({"server": {"issuer": "https://login.example.com/?a=b"}}), "issuer"),
        (json!({"server": {"issuer": "https://login.example.com/realm"}}), "has a path"),
        (json!({"policies": {"demo": true}}), "password alone"),
        (json!({"terms": {"portal_terms": "2", "privacy": "1"}}), "more than one document"),
        (json!({"server": {"allow_http": true}, "policies": {"demo": true, "directory": "policies"}}), "built in"),
        (json!({"registration": {"by": "everybody"}, "outgoing": {"allow_private": true}}), "private networks"),
        (json!({"protocol": {"client_documents": true}, "outgoing": {"allow_private": true}}), "client_documents"),
        (json!({"server": {"tls_cert_file": "a.pem"}}), "go together"),
        (json!({"server": {"listen": []}}), "names no address"),
        (json!({"server": {"management_listen": "127.0.0.1:8080"}}), "management_listen"),
        (json!({"lifetimes": {"code": 601}}), "10 minutes"),
        (json!({"lifetimes": {"unfinished_account": 86_399}}), "under a day"),
        (json!({"lifetimes": {"session_idle": 99999}}), "session_idle"),
        (json!({"lifetimes": {"key_announcement": 60}}), "JWKS"),
        (json!({"lifetimes": {"key_rotation": 86400}}), "twice"),
        (json!({"hashing": {"memory_kib": 8}}), "argon2id"),
        (json!({"mail": {"username": "u", "tls": "none"}}), "in clear"),
        (upstream(&json!({"id": "Corp"})), "an id is"),
        (upstream(&json!({"domains": []})), "domains"),
        (upstream(&json!({"domains": ["Corp.example.com"]})), "lower case"),
        (upstream(&json!({"scopes": "email"})), "openid"),
        (upstream(&json!({"client_secret": null})), "client_secret_file"),
        (upstream(&json!({"claims": {"sub": "oid"}})), "claims knows"),
        (json!({"telephone": {"countries": []}}), "telephone.countries"),
        (json!({"telephone": {"countries": ["us"]}}), "telephone.countries"),
        (json!({"telephone": {"prefix_sends": 0}}), "prefix_sends"),
        (json!({"telephone": {"timeout": 61}}), "telephone.timeout"),
        (carriers(&["a", "a"], "t"), "same name"),
        (carriers(&["a b"], "t"), "a name is"),
        (json!({"telephone": {"carriers": [{"name": "a", "base_url": "https://a"}]}}), "auth_token_file"),
    ] {
        let error = Config::load(None, &change).expect_err(&change.to_string());
        assert!(error.to_string().contains(word), "{change}: {error}");
    }
}

#[test]
fn what_is_doubtful_is_told() {
    let warned = |change: serde_json::Value, word: &str| {
        let config = Config::load(None, change).unwrap();
        config.warnings().unwrap().iter().any(|warning| warning.contains(word))
    };
    let postgres = |url: &str| json!({"database": {"url": url}});
    assert!(warned(postgres("postgres://db.example.com/c"), "sslmode"));
    assert!(warned(postgres("postgres://localhost/c"), "in_process"));
    for fine in ["postgres://localhost/c", "postgres://db.example.com/c?sslmode=verify-full", "sqlite:c.db"] {
        assert!(!warned(postgres(fine), "sslmode"), "{fine}");
    }
    let mail = |host: &str| json!({"database": {"url": "sqlite:c.db"}, "mail": {"tls": "none", "host": host}});
    assert!(warned(mail("mail.example.com"), "mail.tls"));
    assert!(!warned(mail("localhost"), "mail.tls"));
    assert!(warned(postgres("sqlite:c.db"), "behind_proxy"));
    let proxied = json!({"database": {"url": "sqlite:c.db"}, "server": {"behind_proxy": true}});
    assert!(!warned(proxied, "behind_proxy"));
}

#[test]
fn a_secret_given_twice_is_refused() {
    let twice = json!({"secrets": {"master_key": "a", "master_key_file": "b"}});
    assert!(Config::load(None, twice).unwrap().secrets.master_key().is_err());
}
