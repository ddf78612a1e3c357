//! What a certificate names, held against what a client registered (RFC 8705, 2.1.2).

use std::net::IpAddr;

use countersign_model::CertificateName;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use x509_parser::x509::X509Name;

/// Attribute types by their short names (RFC 4514, 3; the last two are what tools write).
const TYPES: [(&str, &str); 11] = [
    ("CN", "2.5.4.3"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("C", "2.5.4.6"),
    ("STREET", "2.5.4.9"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("SERIALNUMBER", "2.5.4.5"),
    ("EMAILADDRESS", "1.2.840.113549.1.9.1"),
];

/// A relative distinguished name: its attributes as (object identifier, value), sorted.
type Rdn = Vec<(String, String)>;

/// Whether the certificate names `registered`.
pub(super) fn matches(der: &[u8], registered: &CertificateName) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
    if let CertificateName::SubjectDn(name) = registered {
        let wanted = parse_dn(name);
        return wanted.is_some() && wanted == read_dn(certificate.subject());
    }
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return false };
    names.value.general_names.iter().any(|name| match (name, registered) {
        (GeneralName::DNSName(name), CertificateName::Dns(wanted)) => name.eq_ignore_ascii_case(wanted),
        (GeneralName::URI(name), CertificateName::Uri(wanted))
        | (GeneralName::RFC822Name(name), CertificateName::Email(wanted)) => name == wanted,
        (GeneralName::IPAddress(bytes), CertificateName::Ip(wanted)) => read_ip(bytes) == wanted.parse().ok(),
        _ => false,
    })
}

fn read_ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// As RFC 4514 writes it, the last first; none when a value is no text.
fn read_dn(name: &X509Name<'_>) -> Option<Vec<Rdn>> {
    let rdn = |rdn: &x509_parser::x509::RelativeDistinguishedName<'_>| {
        let mut attributes = rdn
            .iter()
            .map(|attribute| Some((attribute.attr_type().to_id_string(), attribute.as_str().ok()?.to_owned())))
            .collect::<Option<Rdn>>()?;
        attributes.sort();
        Some(attributes)
    };
    let mut rdns = name.iter().map(rdn).collect::<Option<Vec<_>>>()?;
    rdns.reverse();
    Some(rdns)
}

/// Reads the text of RFC 4514, 3; none when it is none.
fn parse_dn(text: &str) -> Option<Vec<Rdn>> {
    let mut rdns = vec![Rdn::new()];
    for (part, separator) in split(text)? {
        let (kind, value) = part.split_once('=')?;
        let rdn = rdns.last_mut()?;
        rdn.push((identifier(kind.trim())?, unescape(value)?));
        if separator == ',' {
            rdn.sort();
            rdns.push(Rdn::new());
        }
    }
    rdns.last_mut()?.sort();
    Some(rdns)
}

/// The parts between unescaped commas and pluses, each with what ends it.
fn split(text: &str) -> Option<Vec<(&str, char)>> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' | '+' => {
                parts.push((&text[start..index], c));
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push((&text[start..], '\0'));
    (!escaped).then_some(parts)
}

fn identifier(kind: &str) -> Option<String> {
    let known = TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind)).map(|(_, id)| (*id).to_owned());
    let is_number = || !kind.is_empty() && kind.split('.').all(|arc| arc.parse::<u64>().is_ok());
    known.or_else(|| is_number().then(|| kind.to_owned()))
}

/// A value with its escapes undone; spaces around it mean nothing unless they are escaped.
fn unescape(value: &str) -> Option<String> {
    let value = value.trim_start();
    let kept = value.trim_end();
    let ends_escaped = kept.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
    let value = if ends_escaped && kept.len() < value.len() { &value[..=kept.len()] } else { kept };
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes().iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let next = rest.next()?;
        if next.is_ascii_hexdigit() {
            let digits = [next, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(next);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn certificate() -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["rp.example.com".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI("https://rp.example.com/id".try_into().unwrap()));
        params.subject_alt_names.push(SanType::Rfc822Name("rp@example.com".try_into().unwrap()));
        params.subject_alt_names.push(SanType::IpAddress("192.0.2.7".parse().unwrap()));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CountryName, "US");
        params.distinguished_name.push(DnType::OrganizationName, "Duck, Pond + Clinic");
        params.distinguished_name.push(DnType::CommonName, "rp one");
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn each_kind_of_name_is_found_as_it_stands_rfc8705_2_1_2() {
        let der = certificate();
        let text = str::to_owned;
        for good in [
            CertificateName::SubjectDn(text(r"CN=rp one,O=Duck\, Pond \+ Clinic,C=US")),
            CertificateName::SubjectDn(text(r"cn=rp one, 2.5.4.10=Duck\2c Pond \2b Clinic, C=US")),
            CertificateName::Dns(text("RP.example.com")),
            CertificateName::Uri(text("https://rp.example.com/id")),
            CertificateName::Email(text("rp@example.com")),
            CertificateName::Ip(text("192.0.2.7")),
        ] {
            assert!(matches(&der, &good), "{good:?}");
        }
        for bad in [
            CertificateName::SubjectDn(text("CN=rp one")),
            CertificateName::SubjectDn(text(r"C=US,O=Duck\, Pond \+ Clinic,CN=rp one")),
            CertificateName::SubjectDn(text(r"CN=RP one,O=Duck\, Pond \+ Clinic,C=US")),
            CertificateName::SubjectDn(text("")),
            CertificateName::SubjectDn(text("rp one")),
            CertificateName::Dns(text("https://rp.example.com/id")),
            CertificateName::Uri(text("rp.example.com")),
            CertificateName::Ip(text("192.0.2.8")),
            CertificateName::Ip(text("nowhere")),
            CertificateName::Email(text("RP@example.com")),
        ] {
            assert!(!matches(&der, &bad), "{bad:?}");
        }
        assert!(!matches(b"no certificate", &CertificateName::Dns(text("rp.example.com"))));
    }

    proptest! {
        #[test]
        fn arbitrary_names_and_certificates_never_panic(text in "\\PC{0,60}", der in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_dn(&text);
            prop_assert!(!matches(&der, &CertificateName::SubjectDn(text)));
        }
    }
}
