//! Who works at Duck Pond Corp.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The longest address, in bytes.
const MAX_ADDRESS: usize = 254;

/// Somebody with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub subject: String,
    pub email: String,
    pub email_verified: bool,
    pub given_name: String,
    pub family_name: String,
}

/// Subject, address, whether it is verified, and names of those that the page offers.
const KNOWN: [(&str, &str, bool, &str, &str); 3] = [
    ("dpc-1001", "nurse@corp.example.com", true, "Nora", "Nurse"),
    ("dpc-1002", "visitor@corp.example.com", false, "Victor", "Visitor"),
    ("dpc-1003", "contractor@elsewhere.example.net", true, "Connie", "Contractor"),
];

/// Addresses and what is special about them.
pub const OFFERED: [(&str, &str); 3] = [
    ("nurse@corp.example.com", "employee"),
    ("visitor@corp.example.com", "mail not verified"),
    ("contractor@elsewhere.example.net", "mail of a foreign domain"),
];

/// The account of an address. Whoever is not known has one, too: with a verified mail and always the same subject.
pub fn find_person(email: &str) -> Option<Person> {
    let email = email.trim().to_lowercase();
    let (local, domain) = email.split_once('@')?;
    let is_plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte))
    };
    if email.len() > MAX_ADDRESS || !is_plain(local) || !is_plain(domain) {
        return None;
    }
    let known = KNOWN.into_iter().find(|(_, known, ..)| *known == email);
    Some(match known {
        Some((subject, email, email_verified, given_name, family_name)) => Person {
            subject: subject.to_owned(),
            email: email.to_owned(),
            email_verified,
            given_name: given_name.to_owned(),
            family_name: family_name.to_owned(),
        },
        None => Person {
            subject: format!("dpc-{}", &URL_SAFE_NO_PAD.encode(digest(&SHA256, email.as_bytes()))[..12]),
            given_name: local.to_owned(),
            family_name: "Employee".to_owned(),
            email_verified: true,
            email,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_who_is_offered_has_an_account() {
        for (email, _) in OFFERED {
            assert_eq!(find_person(email).unwrap().email, email);
        }
    }

    #[test]
    fn an_unknown_address_is_always_the_same_person() {
        let person = find_person(" New.Hire@corp.example.com ").unwrap();
        assert_eq!(find_person("new.hire@corp.example.com"), Some(person.clone()));
        assert!(person.email_verified && person.subject != find_person("other@corp.example.com").unwrap().subject);
    }

    #[test]
    fn what_is_no_address_has_no_account() {
        for email in ["", "nurse", "@corp.example.com", "a@", "a@b@c", "a b@c", "<b>@c"] {
            assert_eq!(find_person(email), None, "{email}");
        }
    }
}
