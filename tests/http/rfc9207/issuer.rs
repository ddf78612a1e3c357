//! RFC 9207: `iss` in every authorization response, so that a client of several providers cannot be mixed up.

use countersign_tests::user_agent::{Answer, UserAgent, once};

use crate::fixture::{Ask, Provider};

/// The parameters of an answer in whatever mode, each once.
fn parameters(answer: &Answer) -> std::collections::BTreeMap<String, String> {
    if answer.status == 200 {
        return once(answer.form("").hidden.into_iter());
    }
    let location = answer.location();
    match location.query() {
        Some(_) => once(location.query_pairs().into_owned()),
        None => once(url::form_urlencoded::parse(location.fragment().unwrap().as_bytes()).into_owned()),
    }
}

#[tokio::test]
async fn every_answer_names_the_issuer_of_the_metadata() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/oauth-authorization-server"))).await.json();
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    for mode in ["query", "fragment", "form_post"] {
        let ask = || provider.ask("spa").with("response_mode", mode);
        let cases: [(&str, Ask); 4] = [
            ("code", ask()),
            ("error", ask().with("prompt", "none").with("max_age", 0)),
            ("error", ask().with("scope", "nothing")),
            ("error", ask().with("response_type", "token")),
        ];
        for (member, ask) in cases {
            let answer = parameters(&provider.answer(&agent, &ask).await);
            assert!(answer.contains_key(member), "{mode}: {answer:?}");
            assert_eq!(answer["iss"], metadata["issuer"], "{mode}");
        }
    }
}
