//! Modules of the FAPI 2.0 plans about proofs of possession (RFC 9449).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_tests::user_agent::Answer;
use serde_json::json;

use crate::dpop::{Proof, Prover};
use crate::fapi::{Fapi, Tokens};
use crate::fapi2::assert_refused;
use crate::rp::random;
use crate::suite::Run;

/// Signs in and uses the token, with every proof changed in the same way.
async fn proven_with(run: &Run, change: impl Fn(Proof) -> Proof) {
    let fapi = Fapi::register(run).await;
    let sign = |proof: Proof| fapi.prover.sign(&change(proof));
    let ask = fapi.ask();
    let name = fapi.pushed(fapi.push(&ask).proving(sign(fapi.proof_of_push()))).await;
    let response = fapi.answer(&ask, &fapi.by_name(&name)).await;
    fapi.rp.check_response(&ask, &response);
    let answer = fapi.redeem(&response["code"]).proving(sign(fapi.proof_of_token_request())).send().await;
    let tokens = fapi.check_tokens(&ask, &answer).await;
    let request = fapi.resource("DPoP", &tokens.access).header("dpop", sign(fapi.proof_of_use(&tokens.access)));
    let answer = Answer::to(request).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn issued_at(proof: &Proof) -> i64 {
    proof.claims["iat"].as_i64().expect("iat")
}

pub async fn check_dpop_proof_nbf_exp(run: Run) {
    proven_with(&run, |proof| {
        let now = issued_at(&proof);
        proof.with("nbf", now).with("exp", now + 300)
    })
    .await;
}

pub async fn ensure_dpopproof_with_iat_10seconds_before_succeeds(run: Run) {
    proven_with(&run, |proof| {
        let now = issued_at(&proof);
        proof.with("iat", now - 10)
    })
    .await;
}

pub async fn ensure_dpopproof_with_iat_10seconds_after_succeeds(run: Run) {
    proven_with(&run, |proof| {
        let now = issued_at(&proof);
        proof.with("iat", now + 10)
    })
    .await;
}

/// The request names another key than its proof shows.
pub async fn ensure_mismatched_dpop_jkt_fails(run: Run) {
    let fapi = Fapi::register(&run).await;
    let ask = fapi.ask().with("dpop_jkt", &Prover::new().thumbprint());
    let call = fapi.push(&ask).proving(fapi.prover.sign(&fapi.proof_of_push()));
    assert_refused(&call.send().await, &["invalid_request", "invalid_dpop_proof"]);
}

const OF_THE_KEY: [&str; 3] = ["invalid_request", "invalid_grant", "invalid_dpop_proof"];

/// Pushed under one key, redeemed under another.
pub async fn ensure_token_endpoint_fails_with_mismatched_dpop_proof_jkt(run: Run) {
    let fapi = Fapi::register(&run).await;
    let other = Prover::new();
    let ask = fapi.ask();
    let name = fapi.pushed(fapi.push(&ask).proving(other.sign(&other_proof_of_push(&fapi, &other)))).await;
    let response = fapi.answer(&ask, &fapi.by_name(&name)).await;
    assert_refused(&fapi.redeem(&response["code"]).send().await, &OF_THE_KEY);
}

fn other_proof_of_push(fapi: &Fapi, other: &Prover) -> Proof {
    other.proof("POST", &fapi.endpoint("pushed_authorization_request_endpoint"), fapi.now())
}

/// Asked for one key by name, redeemed under another.
pub async fn ensure_token_endpoint_fails_with_mismatched_dpop_jkt(run: Run) {
    let fapi = Fapi::register(&run).await;
    let ask = fapi.ask().with("dpop_jkt", &Prover::new().thumbprint());
    let response = fapi.authorize(&ask).await;
    assert_refused(&fapi.redeem(&response["code"]).send().await, &OF_THE_KEY);
}

pub async fn ensure_dpopproof_at_par_endpoint_binding_success(run: Run) {
    proven_with(&run, |proof| proof).await;
}

/// The same key by name, at the pushed request and at the code.
pub async fn ensure_dpop_auth_code_binding_success(run: Run) {
    let fapi = Fapi::register(&run).await;
    let ask = fapi.ask().with("dpop_jkt", &fapi.prover.thumbprint());
    let name = fapi.pushed(fapi.push(&ask).proving(fapi.prover.sign(&fapi.proof_of_push()))).await;
    let response = fapi.answer(&ask, &fapi.by_name(&name)).await;
    let tokens = fapi.finish(&ask, &response).await;
    fapi.check_use(&tokens).await;
}

/// A token in use, and the proofs of it.
struct Bench {
    fapi: Fapi,
    tokens: Tokens,
}

impl Bench {
    fn proof(&self) -> Proof {
        self.fapi.proof_of_use(&self.tokens.access)
    }

    async fn status(&self, proofs: &[String]) -> u16 {
        let request = self.fapi.resource("DPoP", &self.tokens.access);
        Answer::to(proofs.iter().fold(request, |request, proof| request.header("dpop", proof))).await.status
    }

    async fn status_of(&self, proof: &Proof) -> u16 {
        self.status(&[self.fapi.prover.sign(proof)]).await
    }

    /// RFC 9449, 4.3, numbers 3 to 12: a claim or header parameter is missing or wrong.
    async fn changed_proofs_are_refused(&self) {
        let now = issued_at(&self.proof());
        for name in ["jti", "htm", "htu", "iat", "ath"] {
            assert_eq!(self.status_of(&self.proof().without(name)).await, 401, "without {name}");
        }
        for name in ["typ", "alg", "jwk"] {
            assert_eq!(self.status_of(&self.proof().without_header(name)).await, 401, "without {name} in the header");
        }
        let other = Prover::new();
        let wrong = [
            ("typ", self.proof().with_header("typ", "JWT")),
            ("alg of a shared secret", self.proof().with_header("alg", "HS256")),
            ("private key", self.proof().with_header("jwk", self.fapi.prover.private_jwk())),
            ("htm", self.proof().with("htm", "PUT")),
            ("htu", self.proof().with("htu", self.fapi.endpoint("token_endpoint"))),
            ("iat in an hour", self.proof().with("iat", now + 3600)),
            ("iat an hour ago", self.proof().with("iat", now - 3600)),
            ("ath", self.proof().of_token("another")),
        ];
        for (case, proof) in wrong {
            assert_eq!(self.status_of(&proof).await, 401, "{case}");
        }
        let url = self.fapi.endpoint("userinfo_endpoint");
        let of_other = other.sign(&other.proof("GET", &url, now).of_token(&self.tokens.access));
        assert_eq!(self.status(&[of_other]).await, 401, "another key");
    }

    /// RFC 9449, 4.3, numbers 1, 2, 5 and 6: no proof, no JWT, no signature.
    async fn what_is_no_proof_is_refused(&self) {
        let sound = || self.fapi.prover.sign(&self.proof());
        assert_eq!(self.status(&[sound(), sound()]).await, 401, "two proofs");
        assert_eq!(self.status(&["not a JWT".to_owned()]).await, 401, "no JWT");
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let unsigned = self.proof().with_header("alg", "none");
        let unsigned = format!("{}.{}.", part(&unsigned.header), part(&unsigned.claims));
        assert_eq!(self.status(&[unsigned]).await, 401, "unsigned");
        let (one, two) = (sound(), sound());
        let mixed = format!("{}.{}", one.rsplit_once('.').expect("a JWS").0, two.rsplit('.').next().expect("a part"));
        assert_eq!(self.status(&[mixed]).await, 401, "the signature of another");
        assert_eq!(self.status(&[]).await, 401, "no proof");
        let bearer = Answer::to(self.fapi.resource("Bearer", &self.tokens.access)).await;
        assert_eq!(bearer.status, 401, "as a bearer token");
    }

    /// What differs and means the same (RFC 9449, 4.3, number 9; RFC 3986, 6.2.2 and 6.2.3), and what nobody knows.
    async fn what_means_the_same_is_accepted(&self) {
        let url = self.fapi.endpoint("userinfo_endpoint");
        let same = [
            ("query and fragment", self.proof().with("htu", format!("{url}?query=value#fragment"))),
            ("capitals", self.proof().with("htu", url.replace("https://localhost", "HTTPS://LOCALHOST"))),
            ("more claims", self.proof().with("unknown", json!({"a": 1})).with_header("unknown", "value")),
        ];
        for (case, proof) in same {
            assert_eq!(self.status_of(&proof).await, 200, "{case}");
        }
        let request = self.fapi.http.get(format!("{url}?query=value"));
        let request = request.header("authorization", format!("DPoP {}", self.tokens.access));
        let answer = Answer::to(request.header("dpop", self.fapi.prover.sign(&self.proof()))).await;
        assert_eq!(answer.status, 200, "a query that the proof does not have: {}", answer.body);
        let request = self.fapi.resource("DPoP", &self.tokens.access);
        let answer = Answer::to(request.header("DPOP", self.fapi.prover.sign(&self.proof()))).await;
        assert_eq!(answer.status, 200, "the header's name has no case: {}", answer.body);
    }
}

pub async fn dpop_negative_tests(run: Run) {
    let fapi = Fapi::register(&run).await;
    let tokens = fapi.login(&fapi.ask()).await;
    let bench = Bench { fapi, tokens };
    bench.fapi.check_use(&bench.tokens).await;
    bench.what_is_no_proof_is_refused().await;
    bench.changed_proofs_are_refused().await;
    bench.what_means_the_same_is_accepted().await;
    // 11.1: the same id again.
    let jti = random(22);
    assert_eq!(bench.status_of(&bench.proof().with("jti", jti.as_str())).await, 200);
    assert_eq!(bench.status_of(&bench.proof().with("jti", jti.as_str())).await, 401, "an id that was seen before");
    // All of it was refused for the proofs alone.
    bench.fapi.check_use(&bench.tokens).await;
}
