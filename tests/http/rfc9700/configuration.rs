//! RFC 9700: what would be unsafe to serve does not start.

use crate::command_line::{CARRIER, Node, assert_exit, err, run};

#[test]
fn serve_refuses_what_is_unsafe_and_says_why() {
    for (from, to, why) in [
        ("https://login", "http://login", "in clear"),
        ("login.example.org", "login.example.org/?a=b", "issuer"),
        ("master_key_file = \"master.key\"", "", "master_key"),
        ("master_key_file = \"master.key\"", "master_key_file = \"other.key\"", "other.key"),
        ("master_key_file = \"master.key\"", "master_key = \"c2hvcnQ=\"", "32"),
        ("url = \"sqlite:node.db\"", "", "database.url"),
        ("url = \"sqlite:node.db\"", "url = \"mysql://x\"", "postgres:"),
        ("[database]", "[lifetimes]\ncode = 3600\n[database]", "10 minutes"),
        ("[database]", "[hashing]\nmemory_kib = 8\n[database]", "argon2id"),
        ("[database]", "[databse]", "databse"),
        ("[server]", "[server", "TOML"),
        ("[server]", "clients_file = \"none.json\"\n[server]", "none.json"),
    ] {
        let node = Node::new("");
        assert_exit(&node.run(&["migrate"]), 0, "migrate");
        node.change(from, to);
        let output = node.run(&["serve"]);
        assert_exit(&output, 1, why);
        assert!(err(&output).contains(why), "{why}: {}", err(&output));
        assert!(!err(&output).contains("panicked") && !err(&output).contains("c2hvcnQ"), "{}", err(&output));
    }
    let node = Node::new("");
    node.change(CARRIER, "");
    let refused = node.run(&["config", "check"]);
    assert_exit(&refused, 1, "nobody to carry texts and calls");
    assert!(err(&refused).contains("telephone.carriers"), "{}", err(&refused));
    assert_exit(&node.run(&["migrate"]), 0, "migrate");
    let refused = node.run(&["serve"]);
    assert_exit(&refused, 1, "nobody to carry texts and calls");
    assert!(err(&refused).contains("telephone.carriers"), "{}", err(&refused));
    let node = Node::new("");
    let output = node.run(&["serve"]);
    assert_exit(&output, 1, "no schema");
    assert!(err(&output).contains("migrate"), "{}", err(&output));
    let missing = run(node.folder.path(), &["serve", "--config", "missing.toml"]);
    assert_exit(&missing, 1, "no file");
    assert!(err(&missing).contains("missing.toml"));
}
