//! The demo's folder, secrets, accounts and clients (CONTRACT: demo data).

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use countersign_model::{OrganizationId, PostalAddress, Profile, Role};
use countersign_service::{ClientRegistration, NewAccount, fresh_secret};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

/// Where the demo keeps its data; a temporary one is removed at the end.
pub(crate) struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Folder {
    pub(crate) fn open(asked: Option<PathBuf>) -> Result<Self, String> {
        let temporary = asked.is_none();
        let path = if let Some(path) = asked {
            std::path::absolute(path).map_err(|error| error.to_string())?
        } else {
            let name = fresh_secret().map_err(|error| error.to_string())?;
            std::env::temp_dir().join(format!("countersign-demo-{}", &name.expose_secret()[..12]))
        };
        create_private(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { path, temporary })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The secret kept in the file `name`, made at the first start.
    pub(crate) fn secret(&self, name: &str) -> Result<SecretString, String> {
        let path = self.path.join(name);
        if let Ok(kept) = fs::read_to_string(&path) {
            return Ok(SecretString::from(kept.trim()));
        }
        let secret = fresh_secret().map_err(|error| error.to_string())?;
        write_private(&path, secret.expose_secret()).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(secret)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary {
            // Nothing can be done about a folder that does not go.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(unix)]
fn create_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(unix)]
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// What the operator of a demo wants to know.
pub(crate) fn accounts_in_words(portal_secret: &str) -> Vec<String> {
    let mut lines = vec!["accounts (mail address / password)".to_owned()];
    lines
        .extend(PEOPLE.iter().map(|person| format!("  {:<32} / {:<26} {}", person.email, person.password, person.who)));
    lines.push("  nurse@corp.example.com           / at the sandbox's corporate provider, as an employee".to_owned());
    lines.push(format!("  {:<32} / {:<26} current portal user, not yet registered (username)", LEGACY.0, LEGACY.1));
    lines.push(format!("organization {}: NPI {}, registration code {}", CLINIC.0, CLINIC.1, CLINIC.2));
    lines.push("clients (client_id / client_secret)".to_owned());
    lines.push(format!("  case-portal / {portal_secret}"));
    lines.push(format!("  reporting-service / {REPORTING_SECRET}"));
    lines
}

const REPORTING_SECRET: &str = "reporting-service-demo-secret";

/// Name and password of a current user of the legacy portal.
const LEGACY: (&str, &str) = ("legacy.provider", "Atrezzo-2021!");

/// Name, NPI and registration code of the organization.
pub(crate) const CLINIC: (&str, &str, &str) = ("Duck Pond Clinic", "1234567893", "BCBS-0042");

struct Person {
    who: &'static str,
    email: &'static str,
    password: &'static str,
    name: (&'static str, &'static str),
    phone: Option<&'static str>,
    totp: Option<&'static str>,
    role: Option<Role>,
    has_mailbox: bool,
    every_claim: bool,
    is_of_clinic: bool,
}

const PERSON: Person = Person {
    who: "",
    email: "",
    password: "",
    name: ("", ""),
    phone: None,
    totp: None,
    role: None,
    has_mailbox: true,
    every_claim: false,
    is_of_clinic: false,
};

const PEOPLE: &[Person] = &[
    Person {
        who: "phone user",
        email: "dduck@example.com",
        password: "pond-lily-4471-quack",
        name: ("Daisy", "Duck"),
        phone: Some("+12025553661"),
        is_of_clinic: true,
        ..PERSON
    },
    Person {
        who: "email user",
        email: "demohospital18@example.com",
        password: "ward-seven-0918-lamp",
        name: ("Demo", "Hospital"),
        ..PERSON
    },
    Person {
        who: "provider administrator of Duck Pond Clinic",
        email: "admin@example.com",
        password: "harbour-light-3305-oak",
        name: ("Pat", "Harbour"),
        phone: Some("+12025559885"),
        is_of_clinic: true,
        role: Some(Role::ProviderAdministrator),
        ..PERSON
    },
    Person {
        who: "administrator",
        email: "root@example.com",
        password: "granite-steps-8841-moss",
        name: ("Robin", "Root"),
        totp: Some("KRSXG5CTMVRXEZLUKN2XAZLSKNSWG4TF"),
        role: Some(Role::Administrator),
        ..PERSON
    },
    Person {
        who: "help desk",
        email: "helpdesk@example.com",
        password: "copper-kettle-5160-fern",
        name: ("Hana", "Desk"),
        totp: Some("MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"),
        role: Some(Role::HelpDesk),
        ..PERSON
    },
    Person {
        who: "security auditor",
        email: "auditor@example.com",
        password: "ledger-stone-7720-fern",
        name: ("Avery", "Ledger"),
        totp: Some("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"),
        role: Some(Role::SecurityAuditor),
        ..PERSON
    },
    Person {
        who: "lab user, password only (policy lab)",
        email: "alice@example.com",
        password: "meadow-lark-2291-kite",
        name: ("Alice", "Meadow"),
        has_mailbox: false,
        every_claim: true,
        ..PERSON
    },
];

/// The demo's accounts.
pub(crate) fn accounts(clinic: &OrganizationId) -> Vec<NewAccount> {
    PEOPLE.iter().map(|person| account(person, clinic)).chain([legacy_provider(clinic)]).collect()
}

fn account(person: &Person, clinic: &OrganizationId) -> NewAccount {
    let (given, family) = person.name;
    let profile = named(given, family, person.email);
    NewAccount {
        email: person.email.to_owned(),
        password: Some(SecretString::from(person.password)),
        organization: person.is_of_clinic.then(|| clinic.clone()),
        profile: if person.every_claim { with_every_claim(profile) } else { profile },
        mailbox: person.has_mailbox,
        phone: person.phone.map(str::to_owned),
        totp_seed: person.totp.map(SecretString::from),
        roles: person.role.into_iter().collect(),
        administers: if person.role == Some(Role::ProviderAdministrator) { vec![clinic.clone()] } else { Vec::new() },
        ..NewAccount::default()
    }
}

/// A current portal user who has not registered yet (R8).
fn legacy_provider(clinic: &OrganizationId) -> NewAccount {
    NewAccount {
        email: "legacy.provider@example.com".to_owned(),
        username: Some(LEGACY.0.to_owned()),
        legacy_password: Some(SecretString::from(LEGACY.1)),
        organization: Some(clinic.clone()),
        profile: named("Lee", "Provider", LEGACY.0),
        ..NewAccount::default()
    }
}

fn named(given: &str, family: &str, preferred: &str) -> Profile {
    Profile {
        name: Some(format!("{given} {family}")),
        given_name: Some(given.to_owned()),
        family_name: Some(family.to_owned()),
        preferred_username: Some(preferred.to_owned()),
        ..Profile::default()
    }
}

fn with_every_claim(profile: Profile) -> Profile {
    let text = |text: &str| Some(text.to_owned());
    Profile {
        phone_number: text("+12025550142"),
        middle_name: text("Lark"),
        nickname: text("Al"),
        profile: text("https://people.example.com/alice"),
        picture: text("https://people.example.com/alice.png"),
        website: text("https://alice.example.com"),
        gender: text("female"),
        birthdate: text("1984-02-29"),
        zoneinfo: text("America/Chicago"),
        locale: text("en-US"),
        address: Some(PostalAddress {
            formatted: text("12 Meadow Lane\nJackson, MS 39201\nUnited States"),
            street_address: text("12 Meadow Lane"),
            locality: text("Jackson"),
            region: text("MS"),
            postal_code: text("39201"),
            country: text("United States"),
        }),
        ..profile
    }
}

/// The demo's clients, as RFC 7591 metadata with `client_id` and `client_secret`.
pub(crate) fn clients(portal: &str, portal_secret: &str) -> Result<Vec<ClientRegistration>, String> {
    let documents = [case_portal(portal, portal_secret), reporting_service()];
    documents.into_iter().map(|document| serde_json::from_value(document).map_err(|error| error.to_string())).collect()
}

fn case_portal(portal: &str, secret: &str) -> Value {
    json!({
        "client_id": "case-portal",
        "client_secret": secret,
        "client_name": "Case Portal",
        "client_uri": portal,
        "redirect_uris": [format!("{portal}/callback")],
        "initiate_login_uri": format!("{portal}/login"),
        "post_logout_redirect_uris": [format!("{portal}/signed-out")],
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid profile email phone offline_access",
        "countersign_policy": "login-options",
        "countersign_policies": [
            "login-options", "phone", "email", "employees", "totp", "step-up-totp", "passkey", "recovery-codes",
            "forgot-password", "registration", "registration-2024", "new-provider", "registration-reset",
            "resume-registration"
        ],
        "countersign_first_party": true,
    })
}

fn reporting_service() -> Value {
    json!({
        "client_id": "reporting-service",
        "client_secret": REPORTING_SECRET,
        "client_name": "Reporting Service",
        "redirect_uris": [],
        "response_types": [],
        "countersign_auth_methods": ["client_secret_basic", "client_secret_post"],
        "grant_types": ["client_credentials"],
        "scope": "cases.read",
        "countersign_first_party": true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_clients_are_valid_registrations() {
        assert_eq!(clients("http://localhost:8090", "secret").unwrap().len(), 2);
    }
}
