use countersign_model::{Factor, FactorId, PasswordCredential, Profile, UserStatus};

use super::*;
use crate::testing::{NOW, authentication, client};

const ROLES: [&[Role]; 5] =
    [&[], &[Role::SecurityAuditor], &[Role::HelpDesk], &[Role::ProviderAdministrator], &[Role::Administrator]];

fn id(number: u8) -> UserId {
    UserId::new(NOW, [number; 10])
}

fn organization(number: u8) -> OrganizationId {
    OrganizationId::new(NOW, [number; 10])
}

fn user(number: u8, of: Option<u8>, roles: &[Role]) -> User {
    User {
        id: id(number),
        email: None,
        username: None,
        status: UserStatus::Active,
        organization: of.map(organization),
        roles: roles.to_vec(),
        profile: Profile::default(),
        fax: None,
        locale: None,
        terms_version: None,
        registered_at: None,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn account(roles: &[Role], held: &[FactorKind]) -> Account {
    let factor = |kind: &FactorKind| Factor {
        id: FactorId::new(NOW, [kind.as_str().len().try_into().unwrap(); 10]),
        user: id(1),
        kind: *kind,
        value: String::new(),
        name: None,
        last_step: None,
        bound_at: NOW,
        used_at: None,
    };
    let factors = held.iter().map(factor).collect();
    Account { user: user(1, None, roles), password: None, legacy: None, factors }
}

fn login(facts: &[Fact], amr: &[&str]) -> Authentication {
    Authentication {
        auth_time: NOW,
        facts: facts.iter().copied().collect::<FactSet>(),
        amr: amr.iter().map(|method| (*method).to_owned()).collect(),
        ..authentication()
    }
}

fn two_factors() -> Authentication {
    login(&[Fact::Password, Fact::Mailbox], &["pwd"])
}

#[test]
fn only_administrators_are_let_in() {
    for roles in ROLES {
        let reach = match roles {
            [Role::Administrator] => Some(Reach::Everybody),
            [Role::ProviderAdministrator] => Some(Reach::Organizations(vec![organization(1)])),
            _ => None,
        };
        let expected = reach.map_or(Admission::Refuse, Admission::Enter);
        assert_eq!(admit(&account(roles, &[]), &[organization(1)], &two_factors(), true, NOW), expected, "{roles:?}");
    }
}

#[test]
fn a_password_alone_lets_nobody_in_and_whom_nothing_helps_is_not_asked_to_prove_more() {
    let administrator = account(&[Role::Administrator], &[FactorKind::Mailbox, FactorKind::Phone]);
    let admitted = |login: &Authentication| admit(&administrator, &[], login, false, NOW);
    for fact in Fact::ALL {
        let lets_in = matches!(fact, Fact::Mailbox | Fact::Phone | Fact::Totp | Fact::Passkey | Fact::RecoveryCode);
        let expected = if lets_in { Admission::Enter(Reach::Everybody) } else { Admission::Prove };
        assert_eq!(admitted(&login(&[Fact::Password, fact], &["pwd"])), expected, "password and {fact:?}");
        assert_eq!(admitted(&login(&[fact], &[])), Admission::Prove, "{fact:?} alone");
    }
    assert_eq!(admitted(&login(&[Fact::Passkey], &["swk", "user", "mfa"])), Admission::Enter(Reach::Everybody));
    let help_desk = account(&[Role::HelpDesk], &[]);
    assert_eq!(admit(&help_desk, &[], &login(&[Fact::Password], &[]), true, NOW), Admission::Refuse);
}

#[test]
fn a_federated_sign_in_is_one_thing_and_wants_another_that_is_held() {
    let administrator = account(&[Role::Administrator], &[]);
    for fact in Fact::ALL.into_iter().filter(|fact| !matches!(fact, Fact::Password)) {
        let lets_in = matches!(fact, Fact::Phone | Fact::Totp | Fact::Passkey);
        let expected = if lets_in { Admission::Enter(Reach::Everybody) } else { Admission::Prove };
        let admitted = admit(&administrator, &[], &login(&[Fact::Federated, fact], &[]), false, NOW);
        assert_eq!(admitted, expected, "federated and {fact:?}");
    }
    // A lesser thing stands for no app, at whatever provider.
    let with_app = account(&[Role::Administrator], &[FactorKind::Totp]);
    let by_phone = login(&[Fact::Federated, Fact::Phone], &["sms", "mfa"]);
    assert_eq!(admit(&with_app, &[], &by_phone, false, NOW), Admission::Prove);
}

#[test]
fn everybody_is_led_to_what_they_can_prove() {
    use FactorKind::{Passkey, Phone, Totp};
    const FEDERATED: &[Fact] = &[Fact::Federated];
    const OWN: &[Fact] = &[Fact::Password];
    for (has_password, held, proven, expected) in [
        (true, [].as_slice(), OWN, Proof::SignIn),
        (true, &[Phone], OWN, Proof::SignIn),
        (true, &[Totp], OWN, Proof::App),
        (true, &[Passkey], OWN, Proof::Passkey),
        (true, &[Totp, Passkey], OWN, Proof::App),
        (false, &[], FEDERATED, Proof::Enrol),
        (false, &[Totp], FEDERATED, Proof::FederatedApp),
        (false, &[Passkey], FEDERATED, Proof::Passkey),
        (false, &[Totp, Passkey], FEDERATED, Proof::Passkey),
        // Whoever has a password of their own signs in by it, wherever they came from.
        (true, &[], FEDERATED, Proof::SignIn),
        (true, &[Totp], FEDERATED, Proof::App),
        // A passkey that did not verify its person says nothing of any provider.
        (false, &[Totp], &[Fact::Passkey], Proof::SignIn),
        (false, &[], &[Fact::Mailbox], Proof::SignIn),
    ] {
        let phc = has_password.then(|| PasswordCredential { phc: String::new().into(), changed_at: NOW });
        let account = Account { password: phc, ..account(&[Role::Administrator], held) };
        let found = proof_of(&account, &login(proven, &[]));
        assert_eq!(found, expected, "{has_password} {held:?} {proven:?}");
    }
}

#[test]
fn who_has_an_app_or_a_passkey_proves_it_or_spends_a_recovery_code() {
    for held in [FactorKind::Totp, FactorKind::Passkey] {
        let own = account(&[Role::Administrator], &[FactorKind::Mailbox, held]);
        for (fact, expected) in [
            (Fact::Mailbox, Admission::Prove),
            (Fact::Phone, Admission::Prove),
            (Fact::Totp, Admission::Enter(Reach::Everybody)),
            (Fact::Passkey, Admission::Enter(Reach::Everybody)),
            (Fact::RecoveryCode, Admission::Enter(Reach::Everybody)),
        ] {
            let login = login(&[Fact::Password, fact], &["pwd", "mfa"]);
            assert_eq!(admit(&own, &[], &login, false, NOW), expected, "{held:?}, {fact:?}");
        }
    }
}

#[test]
fn an_old_sign_in_looks_and_changes_nothing() {
    let login = two_factors();
    let administrator = account(&[Role::Administrator], &[]);
    let at = |changes, now| admit(&administrator, &[], &login, changes, now);
    let (last, late) = (Timestamp::from_millis(NOW.plus(FRESH).as_millis() - 1), NOW.plus(FRESH));
    assert_eq!(at(true, last), Admission::Enter(Reach::Everybody));
    assert_eq!(at(true, late), Admission::Prove);
    assert_eq!(at(false, late), Admission::Enter(Reach::Everybody));
}

#[test]
fn a_provider_administrator_changes_plain_people_of_the_own_organizations() {
    let reach = Reach::of(&[Role::ProviderAdministrator], &[organization(1), organization(2)]).unwrap();
    let changes = |target: &User| may_change(&id(1), &reach, target);
    assert_eq!(changes(&user(2, Some(1), &[])), Ok(()));
    assert_eq!(changes(&user(2, Some(2), &[])), Ok(()));
    assert_eq!(changes(&user(2, Some(3), &[])), Err(Forbidden::Unseen));
    assert_eq!(changes(&user(2, None, &[])), Err(Forbidden::Unseen));
    assert_eq!(changes(&user(1, Some(1), &[Role::ProviderAdministrator])), Err(Forbidden::Own));
    for roles in ROLES.iter().skip(1) {
        assert_eq!(changes(&user(2, Some(1), roles)), Err(Forbidden::Administrator), "{roles:?}");
        assert_eq!(changes(&user(2, Some(3), roles)), Err(Forbidden::Unseen), "{roles:?}");
    }
    let nobodys = Reach::of(&[Role::ProviderAdministrator], &[]).unwrap();
    assert_eq!(may_change(&id(1), &nobodys, &user(2, None, &[])), Err(Forbidden::Unseen), "neither belongs to any");
}

#[test]
fn an_administrator_changes_every_account() {
    for roles in ROLES {
        assert_eq!(may_change(&id(1), &Reach::Everybody, &user(2, None, roles)), Ok(()), "{roles:?}");
    }
    assert_eq!(may_change(&id(1), &Reach::Everybody, &user(1, None, &[Role::Administrator])), Ok(()));
}

#[test]
fn roles_are_changed_by_another_who_holds_as_much() {
    for role in Role::ALL {
        assert_eq!(may_change_role(&id(1), &[Role::Administrator], &id(2), role), Ok(()), "{role:?}");
        assert_eq!(may_change_role(&id(1), &[Role::Administrator], &id(1), role), Err(Forbidden::Own), "{role:?}");
        let narrow = may_change_role(&id(1), &[Role::ProviderAdministrator], &id(2), role);
        assert_eq!(narrow, Err(Forbidden::Role), "{role:?}");
    }
}

#[test]
fn who_reads_by_a_token_proves_what_the_console_asks_for_rfc9470_3() {
    const SESSION: Seconds = Seconds::hours(12);
    let policies = [
        policy("lab", &[Fact::Password]),
        policy("email", &[Fact::Password, Fact::Mailbox]),
        policy("totp", &[Fact::Password, Fact::Totp]),
        policy("phone", &[Fact::Password, Fact::Phone]),
    ];
    let client = Client { allowed_policies: ["lab", "email", "totp"].map(str::to_owned).to_vec(), ..client() };
    let demand = |held: &[FactorKind], login: &Authentication, now| {
        demand_of_reader(&account(&[Role::HelpDesk], held), login, &client, &policies, SESSION, now)
    };
    let refused = |acr_values: &[&str], max_age| {
        let acr_values = acr_values.iter().map(|id| format!("urn:acr:{id}")).collect();
        Some(Refusal::InsufficientAuthentication { acr_values, max_age })
    };
    let (weak, strong) = (login(&[Fact::Password], &["pwd"]), two_factors());
    let (last, late) = (Timestamp::from_millis(NOW.plus(SESSION).as_millis() - 1), NOW.plus(SESSION));
    assert_eq!(demand(&[], &strong, last), None);
    assert_eq!(demand(&[], &strong, late), refused(&[], Some(SESSION)));
    // What this client may ask for, and no other.
    assert_eq!(demand(&[], &weak, last), refused(&["email", "totp"], None));
    assert_eq!(demand(&[], &weak, late), refused(&["email", "totp"], Some(SESSION)));
    assert_eq!(demand(&[FactorKind::Totp], &strong, last), refused(&["totp"], None), "the stronger one they have");
    assert_eq!(demand(&[FactorKind::Totp], &login(&[Fact::Password, Fact::Totp], &["pwd", "otp", "mfa"]), last), None);
    // Of whom another spoke nobody knows what was proven.
    let spoken = Authentication::hearsay(id(1), authentication().session, NOW);
    assert!(demand(&[], &spoken, NOW).is_some());
}

fn policy(id: &str, facts: &[Fact]) -> LoginPolicy {
    LoginPolicy { id: id.to_owned(), acr: format!("urn:acr:{id}"), facts: facts.iter().copied().collect() }
}
