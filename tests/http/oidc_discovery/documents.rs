//! OpenID Connect Discovery 1.0 (3, 4), RFC 8414 and RFC 7517: what the provider says of itself.

use std::collections::BTreeSet;

use countersign_tests::user_agent::Answer;
use serde_json::Value;

use crate::fixture::Provider;

const DOCUMENTS: [&str; 2] = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];

#[tokio::test]
async fn metadata_is_true_and_the_same_in_both_documents() {
    let provider = Provider::start().await;
    let get = async |path: &str| Answer::to(provider.http.get(provider.url(path))).await;
    let (first, second) = (get(DOCUMENTS[0]).await, get(DOCUMENTS[1]).await);
    assert_eq!(first.body, second.body);
    assert!(first.header("content-type").starts_with("application/json"));
    let metadata = first.json();
    // Discovery, 4.3: byte for byte.
    assert_eq!(metadata["issuer"], provider.demo.issuer.as_str());
    let list = |name: &str| -> Vec<String> {
        serde_json::from_value(metadata[name].clone()).unwrap_or_else(|_| panic!("{name}"))
    };
    assert_eq!(
        list("response_types_supported"),
        ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"]
    );
    assert_eq!(list("subject_types_supported"), ["public", "pairwise"]);
    assert_eq!(list("code_challenge_methods_supported"), ["S256"]);
    assert_eq!(
        list("id_token_signing_alg_values_supported").into_iter().collect::<BTreeSet<_>>(),
        ["RS256", "PS256", "ES256", "EdDSA", "none"].map(str::to_owned).into()
    );
    let methods = ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"];
    assert_eq!(list("token_endpoint_auth_methods_supported"), methods);
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    let bearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let grants = ["authorization_code", "refresh_token", "client_credentials", device, exchange, bearer, "implicit"];
    assert_eq!(list("grant_types_supported"), grants);
    assert_eq!(
        list("response_modes_supported").into_iter().collect::<BTreeSet<_>>(),
        ["query", "fragment", "form_post", "jwt", "query.jwt", "fragment.jwt", "form_post.jwt"]
            .map(str::to_owned)
            .into()
    );
    assert!(list("scopes_supported").contains(&"openid".to_owned()));
    assert!(list("acr_values_supported").contains(&crate::fixture::LAB_ACR.to_owned()));
    assert_eq!(
        list("ui_locales_supported").into_iter().collect::<BTreeSet<_>>(),
        ["en", "es"].map(str::to_owned).into()
    );
    assert_eq!(metadata["request_parameter_supported"], true);
    assert_eq!(metadata["request_uri_parameter_supported"], true);
    assert_eq!(metadata["require_request_uri_registration"], true);
    assert_eq!(list("request_object_signing_alg_values_supported"), ["RS256", "PS256", "ES256", "EdDSA", "none"]);
    assert_eq!(list("authorization_signing_alg_values_supported").len(), 4);
    assert_eq!(metadata["claims_parameter_supported"], true);
    // Every advertised endpoint is there, under the issuer; what is not advertised is not there.
    let endpoints: Vec<_> = metadata
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri")
        .collect();
    assert_eq!(endpoints.len(), 10, "{endpoints:?}");
    for (name, url) in endpoints {
        let url = url.as_str().unwrap();
        assert!(url.starts_with(&format!("{}/", provider.demo.issuer)), "{name}: {url}");
        assert_ne!(Answer::to(provider.http.get(url)).await.status, 404, "{name}");
    }
    for path in ["/introspect", "/revoke", "/logout", "/.well-known/nothing", "/nothing"] {
        assert_eq!(get(path).await.status, 404, "{path}");
    }
}

/// 2.3: cacheable, and readable by scripts of any origin.
#[tokio::test]
async fn public_documents_may_be_cached_and_read_from_anywhere() {
    let provider = Provider::start().await;
    for path in [DOCUMENTS[0], DOCUMENTS[1], "/jwks"] {
        let url = provider.url(path);
        let first = Answer::to(provider.http.get(&url).header("origin", "https://rp.example.com")).await;
        assert_eq!(first.header("cache-control"), "public, max-age=3600", "{path}");
        assert_eq!(first.header("access-control-allow-origin"), "*", "{path}");
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.len() > 4, "{path}: {tag}");
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
            let again = Answer::to(provider.http.get(&url).header("if-none-match", &known)).await;
            assert_eq!(
                (again.status, again.body.as_str(), again.header("etag")),
                (304, "", tag.as_str()),
                "{path} {known}"
            );
            assert_eq!(again.header("cache-control"), first.header("cache-control"));
        }
        let other = Answer::to(provider.http.get(&url).header("if-none-match", "\"other\"")).await;
        assert_eq!(other.status, 200);
        let head = Answer::to(provider.http.head(&url)).await;
        assert_eq!((head.status, head.body.as_str(), head.header("etag")), (200, "", tag.as_str()), "{path}");
        assert_eq!(head.header("content-type"), first.header("content-type"));
        let options = Answer::to(provider.http.request(reqwest::Method::OPTIONS, &url)).await;
        assert_eq!((options.status, options.header("allow")), (204, "GET, HEAD, OPTIONS"), "{path}");
        assert_eq!(options.header("access-control-allow-origin"), "*", "{path}");
        let post = Answer::to(provider.http.post(&url)).await;
        assert_eq!((post.status, post.header("allow")), (405, "GET, HEAD, OPTIONS"), "{path}");
    }
}

#[tokio::test]
async fn keys_are_public_and_told_apart() {
    let provider = Provider::start().await;
    let answer = Answer::to(provider.http.get(provider.url("/jwks"))).await;
    assert_eq!(answer.header("content-type"), "application/jwk-set+json");
    let keys = answer.json()["keys"].as_array().unwrap().clone();
    let members = |key: &Value| key.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    for key in &keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(!members(key).contains(private), "{private}: {key}");
        }
        assert_ne!(key["kty"], "oct");
        assert_eq!(key["use"], "sig");
    }
    let kids: BTreeSet<_> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!(kids.len(), keys.len());
    let algorithms: BTreeSet<_> = keys.iter().map(|key| key["alg"].as_str().unwrap()).collect();
    assert_eq!(algorithms, ["ES256", "EdDSA", "PS256", "RS256"].into());
}
