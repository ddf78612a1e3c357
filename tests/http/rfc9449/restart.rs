//! RFC 9449, 11.1: a proof is good once, whatever becomes of the node that saw it.

use countersign_tests::prover::Prover;
use countersign_tests::user_agent::Answer;
use serde_json::json;

use crate::fixture::assert_error;
use crate::rfc9700::secrets::Node;

/// What a node holds in its memory dies with it; on its defaults that is all of what is short-lived.
#[tokio::test]
async fn a_proof_that_was_shown_stays_spent_when_the_node_and_all_it_held_are_gone() {
    let node = Node::new("");
    let secret = node.add_worker();
    let prover = Prover::default();
    let show = async |proof: &str| Answer::to(node.request(&secret).header("dpop", proof)).await;
    let prove = || prover.prove("POST", &format!("{}/token", node.issuer), &json!({}));

    let process = node.serve().await;
    let proof = prove();
    let granted = show(&proof).await;
    assert_eq!((granted.status, &granted.json()["token_type"]), (200, &json!("DPoP")), "{}", granted.body);
    process.signal("KILL");
    process.stop();

    let _again = node.serve().await;
    assert_error(&show(&proof).await, 400, "invalid_dpop_proof");
    assert_eq!(show(&prove()).await.status, 200, "the next one is served");
}
