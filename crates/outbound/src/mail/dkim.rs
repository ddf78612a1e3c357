//! DKIM signatures (RFC 6376, and RFC 8463 for Ed25519), relaxed/relaxed. Without a clock: `t=` and `x=` are left out.

mod canonical;
mod key;

use std::path::PathBuf;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::SettingsError;
use canonical::{Field, canonical_body, canonical_field, split};
use key::SigningKey;

/// The fields that are signed where they stand. Each is named once more than it stands, so that none can be added.
const SIGNED: [&str; 10] = [
    "from",
    "to",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "auto-submitted",
    "content-language",
];

/// The characters of a signature in a line of its field.
const LINE: usize = 70;
/// The names in a line of it; four of the longest fit.
const NAMES: usize = 4;

/// A key that signs the mails of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimSettings {
    /// Domain of the senders; subdomains of it count in.
    pub domain: String,
    /// Where in the DNS the public key is: `<selector>._domainkey.<domain>`.
    pub selector: String,
    /// PEM file of an RSA key (2048 bits at least) or an Ed25519 key.
    pub key_file: PathBuf,
}

/// The keys of a deployment.
pub(super) struct Signers(Vec<Signer>);

struct Signer {
    domain: String,
    selector: String,
    key: SigningKey,
}

impl Signers {
    pub(super) fn new(settings: &[DkimSettings]) -> Result<Self, SettingsError> {
        settings.iter().map(Signer::new).collect::<Result<_, _>>().map(Self)
    }

    /// The signature field of a mail from `domain`; none when no key is for it, or for no sense of the mail.
    pub(super) fn sign(&self, domain: &str, mail: &[u8]) -> Option<String> {
        let domain = domain.to_ascii_lowercase();
        let signer = self.0.iter().filter(|signer| signer.covers(&domain)).max_by_key(|signer| signer.domain.len())?;
        signer.sign(mail)
    }
}

impl Signer {
    fn new(settings: &DkimSettings) -> Result<Self, SettingsError> {
        let wrong = |key, reason| Err(SettingsError::Value { key, reason });
        if !is_dns_name(&settings.domain) {
            return wrong("dkim.domain", "is no domain name in ASCII");
        }
        if !is_dns_name(&settings.selector) {
            return wrong("dkim.selector", "must be made of letters, digits, hyphens and dots");
        }
        let key = SigningKey::read(&settings.key_file)?;
        Ok(Self { domain: settings.domain.to_ascii_lowercase(), selector: settings.selector.clone(), key })
    }

    fn covers(&self, domain: &str) -> bool {
        domain.strip_suffix(&self.domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    fn sign(&self, mail: &[u8]) -> Option<String> {
        let (fields, body) = split(mail)?;
        let names = names_to_sign(&fields);
        let lines: Vec<String> = names.chunks(NAMES).map(|names| names.join(":")).collect();
        let unsigned = format!(
            "DKIM-Signature: v=1; a={}; c=relaxed/relaxed; d={};\r\n s={};\r\n h={};\r\n bh={};\r\n b=",
            self.key.algorithm(),
            self.domain,
            self.selector,
            lines.join(":\r\n  "),
            hash_body(body)
        );
        let signature = self.key.sign(&signed_input(&fields, &names, &unsigned)?)?;
        Some(fold(unsigned, &STANDARD.encode(signature)))
    }
}

/// What the signature is made of (RFC 6376, 3.7): the named fields, the last of a name first, then the signature's own
/// field with an empty `b=`. A name too many stands for nothing.
fn signed_input(fields: &[Field<'_>], names: &[&str], own_field: &str) -> Option<Vec<u8>> {
    let mut left: Vec<&Field<'_>> = fields.iter().collect();
    let mut input = Vec::new();
    for name in names {
        if let Some(index) = left.iter().rposition(|field| field.name.eq_ignore_ascii_case(name)) {
            input.extend(canonical_field(left.remove(index)));
            input.extend(b"\r\n");
        }
    }
    input.extend(canonical_field(&Field::parse(own_field)?));
    Some(input)
}

fn hash_body(body: &[u8]) -> String {
    STANDARD.encode(digest(&SHA256, &canonical_body(body)))
}

fn names_to_sign(fields: &[Field<'_>]) -> Vec<&'static str> {
    let count = |name: &str| fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).count();
    SIGNED.into_iter().flat_map(|name| std::iter::repeat_n(name, count(name) + 1)).collect()
}

/// The finished field; spaces inside `b=` do not count.
fn fold(mut field: String, signature: &str) -> String {
    let mut rest = signature;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        field.push_str(line);
        field.push_str("\r\n");
        if !after.is_empty() {
            field.push(' ');
        }
        rest = after;
    }
    field
}

fn is_dns_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests;
