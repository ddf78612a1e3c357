use super::*;
use crate::parse;

fn read(text: &str) -> Policy {
    parse("test.toml", text).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

#[test]
fn a_path_supposes_one_account_from_start_to_end() {
    let phone = read(include_str!("../../../../config/policies/phone.toml"));
    let set = PolicySet::new(vec![phone]);
    let policy = set.get("phone").unwrap();
    let paths: Vec<String> = list_paths(&set, policy).iter().map(ToString::to_string).collect();
    let signed_in: Vec<&String> = paths.iter().filter(|path| path.ends_with("signed in")).collect();
    assert_eq!(signed_in.len(), 3, "{signed_in:#?}");
    let silent = "remembered [session.remembered] > issue: signed in";
    assert!(paths.iter().any(|path| path == silent), "{paths:#?}");
    // Who has no phone never comes to the phone's page; who has one may not be reached there.
    let lost = "phone_on_file [account.phone] > phone [undeliverable] > phone_failed: stopped";
    assert!(paths.iter().any(|path| path.ends_with(lost)), "{paths:#?}");
    assert!(!paths.iter().any(|path| path.contains("phone_on_file [else] > phone")), "{paths:#?}");
}

#[test]
fn what_a_path_bound_it_has() {
    let text = include_str!("../../../../config/policies/registration.toml");
    let set = PolicySet::new(vec![read(text)]);
    let paths = list_paths(&set, set.get("registration").unwrap());
    assert!(paths.iter().any(|path| path.to_string().contains("phone [ok] > terms_due [else] > issue")));
    assert!(paths.len() < 200, "{}", paths.len());
}
