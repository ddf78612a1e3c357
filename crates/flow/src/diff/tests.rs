use super::*;
use crate::parse;

#[test]
fn a_weaker_version_is_told_by_factor_limit_and_path() {
    let text = include_str!("../../../../config/policies/totp.toml");
    let weaker = text
        .replace("[\"password\", \"totp\"]", "[\"password\"]")
        .replace("ok = \"code\"", "ok = \"terms_due\"")
        .replace("attempts = 10", "attempts = 90");
    let set = |text: &str| PolicySet::new(vec![parse("totp.toml", text).unwrap()]);
    let (old, new) = (set(text), set(&weaker));
    let difference = compare((&old, old.get("totp").unwrap()), (&new, new.get("totp").unwrap()));
    assert_eq!(difference.factors, ["- everybody: password, totp", "+ everybody: password"]);
    assert!(difference.limits.iter().any(|line| line.starts_with("+ credentials: attempts 90")));
    assert!(difference.lost.iter().any(|path| path.contains("code [ok]")));
    assert!(
        difference
            .gained
            .iter()
            .any(|path| path == "remembered [else] > credentials [ok] > terms_due [else] > issue: signed in")
    );
    let same = compare((&old, old.get("totp").unwrap()), (&old, old.get("totp").unwrap()));
    assert!(same.is_empty());
}
