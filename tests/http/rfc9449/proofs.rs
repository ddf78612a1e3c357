//! RFC 9449: tokens that work in the hands of one key's owner alone.

use countersign_model::SigningAlgorithm;
use countersign_tests::prover::{Prover, now};
use countersign_tests::servers::DemoOptions;
use countersign_tests::user_agent::{Answer, UserAgent};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::client_key::{SIGNER, STRANGER};
use crate::fixture::{Ask, Granted, Provider, VERIFIER, assert_error, peek, redirect_uri_of, text};
use crate::rfc9126::pushed_requests::by_name;

impl Provider {
    fn exchange(&self, granted: &Granted) -> RequestBuilder {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &granted.client),
            ("code", &granted.code),
            ("redirect_uri", &granted.redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        self.token_request(&form)
    }

    fn renewal(&self, refresh_token: &str) -> RequestBuilder {
        let form = [("grant_type", "refresh_token"), ("client_id", "spa"), ("refresh_token", refresh_token)];
        self.token_request(&form)
    }

    /// What the public client `spa` pushes, with proofs.
    async fn push(&self, ask: &Ask, proofs: &[&str]) -> Answer {
        let request = self.http.post(self.url("/par")).form(ask.params());
        Answer::to(proofs.iter().fold(request, |request, proof| request.header("dpop", *proof))).await
    }

    async fn proven(&self, request: RequestBuilder, prover: &Prover) -> Answer {
        Answer::to(request.header("dpop", prover.prove("POST", &self.url("/token"), &json!({})))).await
    }
}

#[tokio::test]
async fn a_bound_token_works_with_its_key_alone() {
    let provider = Provider::start().await;
    let (own, other) = (Prover::default(), Prover::default());
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    assert_eq!(metadata["dpop_signing_alg_values_supported"], json!(["RS256", "PS256", "ES256", "EdDSA"]));
    let ask = provider.ask("spa").with("scope", "openid offline_access");
    let tokens = provider.proven(provider.exchange(&provider.fresh_grant(&ask).await), &own).await.json();
    let access = text(&tokens, "access_token");
    assert_eq!((&tokens["token_type"], &peek(access)["cnf"]), (&json!("DPoP"), &json!({"jkt": own.thumbprint()})));

    let url = provider.url("/userinfo");
    let get = |scheme: &str, proof: Option<String>| {
        let request = provider.http.get(&url).header("authorization", format!("{scheme} {access}"));
        proof.into_iter().fold(request, |request, proof| request.header("dpop", proof))
    };
    let proof = own.prove_token(&url, access, &json!({}));
    assert_eq!(Answer::to(get("DPoP", Some(proof.clone()))).await.status, 200);
    assert_eq!(Answer::to(get("dpop", Some(own.prove_token(&url, access, &json!({}))))).await.status, 200);
    let invalid = "invalid_dpop_proof";
    let refused = [
        ("replayed", get("DPoP", Some(proof)), invalid),
        ("no proof", get("DPoP", None), invalid),
        ("another key", get("DPoP", Some(other.prove_token(&url, access, &json!({})))), "invalid_token"),
        ("as a bearer token", get("Bearer", None), "invalid_token"),
        (
            "as a bearer token with a proof",
            get("Bearer", Some(own.prove_token(&url, access, &json!({})))),
            "invalid_token",
        ),
        ("of no token", get("DPoP", Some(own.prove("GET", &url, &json!({})))), invalid),
        ("of another token", get("DPoP", Some(own.prove_token(&url, "abc", &json!({})))), invalid),
        ("of another method", get("DPoP", Some(own.prove_token(&url, access, &json!({"htm": "POST"})))), invalid),
        (
            "of another address",
            get("DPoP", Some(own.prove_token(&provider.url("/token"), access, &json!({})))),
            invalid,
        ),
        ("old", get("DPoP", Some(own.prove_token(&url, access, &json!({"iat": now() - 3600})))), invalid),
    ];
    for (case, request, error) in refused {
        let answer = Answer::to(request).await;
        assert_eq!(answer.status, 401, "{case}: {}", answer.body);
        let challenges: Vec<&str> =
            answer.headers.get_all("www-authenticate").iter().map(|it| it.to_str().unwrap()).collect();
        assert!(challenges[0].contains(&format!(r#"error="{error}""#)), "{case}: {challenges:?}");
        let schemes: Vec<&str> = challenges.iter().map(|it| it.split(' ').next().unwrap()).collect();
        let used = if case.contains("bearer") { ["Bearer", "DPoP"] } else { ["DPoP", "Bearer"] };
        assert_eq!(schemes, used, "{case}");
        assert!(challenges.concat().contains(r#"algs="RS256 PS256 ES256 EdDSA""#), "{case}");
    }
    let two = get("DPoP", Some(own.prove_token(&url, access, &json!({})))).header("dpop", "another");
    assert_eq!(Answer::to(two).await.status, 401);
}

#[tokio::test]
async fn a_proof_is_good_once_and_a_code_or_refresh_token_for_its_key() {
    let provider = Provider::start().await;
    let (own, other) = (Prover::default(), Prover::default());
    // Section 11.1.
    let proof = own.prove("POST", &provider.url("/token"), &json!({}));
    let ask = provider.ask("spa").with("scope", "openid offline_access").with("dpop_jkt", own.thumbprint());
    let granted = provider.fresh_grant(&ask).await;
    let renewal = || provider.renewal("unknown").header("dpop", &proof);
    assert_error(&Answer::to(renewal()).await, 400, "invalid_grant");
    assert_error(&Answer::to(renewal()).await, 400, "invalid_dpop_proof");
    // Section 10: the code is for the key that the request named.
    assert_error(&provider.proven(provider.exchange(&granted), &other).await, 400, "invalid_grant");
    assert_error(&Answer::to(provider.exchange(&granted)).await, 400, "invalid_grant");
    let tokens = provider.proven(provider.exchange(&granted), &own).await.json();
    let refresh = text(&tokens, "refresh_token");
    // Section 5: a public client's refresh token too.
    assert_error(&provider.proven(provider.renewal(refresh), &other).await, 400, "invalid_grant");
    assert_error(&Answer::to(provider.renewal(refresh)).await, 400, "invalid_grant");
    let next = provider.proven(provider.renewal(refresh), &own).await.json();
    assert_eq!(next["token_type"], "DPoP");

    let two = provider.renewal(text(&next, "refresh_token")).header("dpop", "a").header("dpop", "b");
    assert_error(&Answer::to(two).await, 400, "invalid_dpop_proof");
    let malformed = provider.answer(&UserAgent::new(), &provider.ask("spa").with("dpop_jkt", "short")).await;
    assert_eq!(malformed.response()["error"], "invalid_request");
}

/// Section 10.1: by its proof or by `dpop_jkt` a pushed request names the key that its code is for.
#[tokio::test]
async fn a_pushed_request_is_bound_to_the_key_of_its_proof() {
    let provider = Provider::start().await;
    let (own, other) = (Prover::default(), Prover::default());
    let agent = UserAgent::new();
    let at = |prover: &Prover, path: &str| prover.prove("POST", &provider.url(path), &json!({}));
    let ask = || provider.ask("spa").with("scope", "openid offline_access");
    let named = |prover: &Prover| ask().with("dpop_jkt", prover.thumbprint());
    for (case, ask, proofs) in [
        ("by the proof", ask(), vec![at(&own, "/par")]),
        ("by name", named(&own), vec![]),
        ("by both", named(&own), vec![at(&own, "/par")]),
    ] {
        let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
        let pushed = provider.push(&ask, &proofs).await;
        assert_eq!(pushed.status, 201, "{case}: {}", pushed.body);
        // What the browser says beside the name counts for nothing.
        let name = text(&pushed.json(), "request_uri").to_owned();
        let came = by_name(&provider, "spa", &name).with("dpop_jkt", other.thumbprint());
        let code = provider.answer(&agent, &came).await.response()["code"].clone();
        let granted = Granted { client: "spa".to_owned(), code, redirect_uri: redirect_uri_of("spa") };
        assert_error(&provider.proven(provider.exchange(&granted), &other).await, 400, "invalid_grant");
        assert_error(&Answer::to(provider.exchange(&granted)).await, 400, "invalid_grant");
        let tokens = provider.proven(provider.exchange(&granted), &own).await;
        assert_eq!(tokens.status, 200, "{case}: {}", tokens.body);
        assert_eq!(peek(text(&tokens.json(), "access_token"))["cnf"]["jkt"], own.thumbprint(), "{case}");
    }

    let spent = at(&own, "/par");
    assert_eq!(provider.push(&ask(), &[&spent]).await.status, 201);
    let (elsewhere, right) = (at(&own, "/token"), at(&own, "/par"));
    for (case, ask, proofs) in [
        ("it names another key", named(&other), vec![right.as_str()]),
        ("replayed", ask(), vec![&spent]),
        ("of another endpoint", ask(), vec![&elsewhere]),
        ("two", ask(), vec![&right, &elsewhere]),
        ("none", ask(), vec!["nonsense"]),
    ] {
        let answer = provider.push(&ask, &proofs).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_dpop_proof")), "{case}");
    }
    // The refusal for the other key spent nothing.
    assert_eq!(provider.push(&ask(), &[&right]).await.status, 201);
}

/// Section 5.1: whatever the metadata names.
#[tokio::test]
async fn proofs_of_every_advertised_algorithm_count() {
    let provider = Provider::start().await;
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    let advertised = metadata["dpop_signing_alg_values_supported"].as_array().unwrap();
    assert_eq!(*advertised, SigningAlgorithm::ALL.map(|algorithm| json!(algorithm.as_str())));
    let (agent, url) = (UserAgent::new(), provider.url("/userinfo"));
    for algorithm in SigningAlgorithm::ALL {
        let (own, other) = (Prover::new(algorithm), Prover::new(algorithm));
        let granted = provider.grant(&agent, &provider.ask("spa")).await;
        let tokens = provider.proven(provider.exchange(&granted), &own).await;
        assert_eq!(tokens.status, 200, "{algorithm:?}: {}", tokens.body);
        let tokens = tokens.json();
        let access = text(&tokens, "access_token");
        assert_eq!(peek(access)["cnf"]["jkt"], own.thumbprint(), "{algorithm:?}");
        let get = async |proof: &str| {
            let request = provider.http.get(&url).header("authorization", format!("DPoP {access}"));
            Answer::to(request.header("dpop", proof)).await.status
        };
        assert_eq!(get(&own.prove_token(&url, access, &json!({}))).await, 200, "{algorithm:?}");
        assert_eq!(get(&other.prove_token(&url, access, &json!({}))).await, 401, "{algorithm:?}");
        // What is said, signed by what was signed before.
        let (said, signed) = (own.prove_token(&url, access, &json!({})), own.prove_token(&url, access, &json!({})));
        let forged = format!("{}.{}", said.rsplit_once('.').unwrap().0, signed.rsplit_once('.').unwrap().1);
        assert_eq!(get(&forged).await, 401, "{algorithm:?}");
    }
}

#[tokio::test]
async fn a_client_may_register_that_it_always_proves() {
    let provider = Provider::start().await;
    let form = [("grant_type", "client_credentials")];
    assert_error(&provider.token("prover", &form).await, 400, "invalid_dpop_proof");
    let own = Prover::default();
    let basic = crate::fixture::basic("prover", &crate::fixture::secret_of("prover"));
    let request = || provider.token_request(&form).header("authorization", &basic);
    let tokens = provider.proven(request(), &own).await.json();
    assert_eq!(tokens["token_type"], "DPoP");
    let told = provider.introspect("prover", text(&tokens, "access_token")).await;
    assert_eq!((&told["token_type"], &told["cnf"]["jkt"]), (&json!("DPoP"), &json!(own.thumbprint())));
    let hourly = own.prove("POST", &provider.url("/token"), &json!({"iat": now() + 3600}));
    assert_error(&Answer::to(request().header("dpop", hourly)).await, 400, "invalid_dpop_proof");
}

#[tokio::test]
async fn a_deployment_may_ask_for_its_nonces() {
    let env = vec![("COUNTERSIGN__PROTOCOL__DPOP_NONCE".to_owned(), "true".to_owned())];
    let provider = Provider::start_with(DemoOptions { env, ..DemoOptions::default() }).await;
    let own = Prover::default();
    let granted = provider.fresh_grant(&provider.ask("spa")).await;
    // Section 8: 400 and the nonce to use; nothing is spent.
    let proof = own.prove("POST", &provider.url("/par"), &json!({}));
    let asked = provider.push(&provider.ask("spa"), &[&proof]).await;
    assert_error(&asked, 400, "use_dpop_nonce");
    let proof = own.prove("POST", &provider.url("/par"), &json!({"nonce": asked.header("dpop-nonce")}));
    assert_eq!(provider.push(&provider.ask("spa"), &[&proof]).await.status, 201);
    let asked = provider.proven(provider.exchange(&granted), &own).await;
    assert_error(&asked, 400, "use_dpop_nonce");
    let nonce = asked.header("dpop-nonce");
    let with = |nonce: &str| own.prove("POST", &provider.url("/token"), &json!({"nonce": nonce}));
    let wrong = Answer::to(provider.exchange(&granted).header("dpop", with("wrong"))).await;
    assert_error(&wrong, 400, "use_dpop_nonce");
    let answer = Answer::to(provider.exchange(&granted).header("dpop", with(nonce))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(!answer.header("dpop-nonce").is_empty());
    // Section 9: 401 at a resource.
    let tokens = answer.json();
    let (access, url) = (text(&tokens, "access_token"), provider.url("/userinfo"));
    let get = |more: &Value| {
        let request = provider.http.get(&url).header("authorization", format!("DPoP {access}"));
        request.header("dpop", own.prove_token(&url, access, more))
    };
    let asked = Answer::to(get(&json!({}))).await;
    assert_eq!(asked.status, 401);
    assert!(asked.header("www-authenticate").starts_with(r#"DPoP error="use_dpop_nonce""#));
    let answer = Answer::to(get(&json!({"nonce": asked.header("dpop-nonce")}))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    // Who sends no proof is bothered by none of it.
    assert_eq!(provider.redeem(&provider.fresh_grant(&provider.ask("basic")).await).await["token_type"], "Bearer");
}

/// Section 8, with RFC 7523, 3: who is told to use a nonce has lost nothing, the assertion least of all; when the request
/// is answered, whatever with, the assertion is spent.
#[tokio::test]
async fn an_assertion_outlives_the_challenge_for_a_nonce_and_is_good_once() {
    let env = vec![("COUNTERSIGN__PROTOCOL__DPOP_NONCE".to_owned(), "true".to_owned())];
    let provider = Provider::start_with(DemoOptions { env, ..DemoOptions::default() }).await;
    let registered = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": SIGNER.jwks,
        "redirect_uris": [redirect_uri_of("basic")], "scope": "openid cases.read",
        "grant_types": ["authorization_code", "client_credentials"], "countersign_policy": "lab"});
    let registered = Answer::to(provider.http.post(provider.url("/register")).json(&registered)).await.json();
    let id = text(&registered, "client_id");
    let assertion = |jti: &str| {
        let claims = json!({"iss": id, "sub": id, "aud": provider.demo.issuer, "jti": jti, "exp": now() + 60});
        SIGNER.sign("JWT", &claims)
    };
    let own = Prover::default();
    let send = async |path: &str, form: &[(&str, &str)], assertion: &str, nonce: Option<&str>| {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let form = [form, &[("client_assertion_type", kind), ("client_assertion", assertion)]].concat();
        let more = nonce.map_or_else(|| json!({}), |nonce| json!({"nonce": nonce}));
        let proof = own.prove("POST", &provider.url(path), &more);
        Answer::to(provider.http.post(provider.url(path)).form(&form).header("dpop", proof)).await
    };
    let ask = provider.ask(id).with("redirect_uri", redirect_uri_of("basic"));
    let pushed: Vec<(&str, &str)> = ask.params().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let own_behalf = [("grant_type", "client_credentials"), ("scope", "cases.read")];
    for (path, form, done) in [("/token", &own_behalf[..], 200), ("/par", &pushed[..], 201)] {
        let once = assertion(path);
        let asked = send(path, form, &once, None).await;
        assert_error(&asked, 400, "use_dpop_nonce");
        let nonce = asked.header("dpop-nonce").to_owned();
        assert_error(&send(path, form, &once, Some("another")).await, 400, "use_dpop_nonce");
        // The honest client comes again, with the same assertion.
        let answer = send(path, form, &once, Some(&nonce)).await;
        assert_eq!(answer.status, done, "{path}: {}", answer.body);
        assert_error(&send(path, form, &once, Some(&nonce)).await, 401, "invalid_client");
        // A request that is refused for what it asks has spent it, too.
        let refused = assertion(&format!("{path}-refused"));
        let wrong = [("grant_type", "refresh_token"), ("refresh_token", "unknown"), ("request_uri", "x")];
        assert_eq!(send(path, &wrong, &refused, Some(&nonce)).await.status, 400, "{path}");
        assert_error(&send(path, form, &refused, Some(&nonce)).await, 401, "invalid_client");
        // An assertion that does not hold is not told apart before the nonce is right.
        let claims = json!({"iss": id, "sub": id, "aud": provider.demo.issuer, "jti": "strange", "exp": now() + 60});
        let strange = STRANGER.sign("JWT", &claims);
        assert_error(&send(path, form, &strange, None).await, 400, "use_dpop_nonce");
        assert_error(&send(path, form, &strange, Some(&nonce)).await, 401, "invalid_client");
    }
}
