//! Two brands on one node: a client's own, and that of a host name (R2, R6, R32).

use countersign_tests::user_agent::{Answer, UserAgent};

use crate::fixture::Provider;

const HOSPITAL: (&str, &str) = ("demohospital18@example.com", "ward-seven-0918-lamp");
const NEWCOMER: &str = "nora.newcomer@example.com";
const SENDER: &str = "atrezzo_donotreply@kepro.example";

/// Says one brand's words and nothing of the other's.
#[track_caller]
fn assert_kepro(page: &Answer, words: &[&str]) {
    for said in words {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    assert!(page.body.contains("/assets/brand/kepro") && !page.body.contains("/assets/brand/acentra"));
    assert!(!page.body.contains("Acentra"), "{}", page.body);
}

/// A page of the provider as the host `name` shows it.
async fn open_at(provider: &Provider, name: &str, path: &str) -> Answer {
    let request = provider.http.get(provider.url(path)).header("host", name).header("accept", "text/html");
    Answer::to(request).await
}

#[tokio::test]
async fn a_client_of_the_other_brand_has_its_words_on_pages_help_and_mails() {
    let provider = Provider::start().await;
    let (agent, inbox) = (UserAgent::new(), provider.demo.inbox());
    let options = agent.get(&provider.ask("kepro").url()).await;
    assert_kepro(
        &options,
        &[
            "<span>Kepro</span></h2>",
            "Use this login button if you have a Kepro domain account.",
            "already have a Kepro account",
            "/help?brand=kepro",
        ],
    );
    assert_kepro(&agent.get(&provider.url("/help?brand=kepro")).await, &["Employees with a domain account of Kepro"]);

    let sign_in = agent.follow(agent.press(&options, "email", &[]).await).await;
    let typed = [("email", HOSPITAL.0), ("password", HOSPITAL.1)];
    let unsent = agent.follow(agent.press(&sign_in, "login", &typed).await).await;
    assert_kepro(&unsent, &["Verification is necessary. Please click Send button."]);
    agent.press(&unsent, "send", &[]).await;
    let mail = inbox.mail(HOSPITAL.0, "Atrezzo - Verification Code").await;
    assert!(mail.from.contains(SENDER), "{}", mail.from);
    let html = mail.html.unwrap_or_default();
    assert!(mail.text.contains("Thank you,\r\nKepro") && html.contains("Kepro"), "{} {html}", mail.text);
    assert!(!mail.text.contains("Acentra") && !html.contains("Acentra"), "{} {html}", mail.text);
}

#[tokio::test]
async fn a_new_provider_of_the_other_brand_is_mailed_the_guides_letter_in_its_name() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let form = agent.get(&provider.ask("kepro").with("p", "new-provider").url()).await;
    let typed = [("npi", "1234567893"), ("registration_code", "BCBS-0042")];
    let form = agent.follow(agent.press(&form, "next", &typed).await).await;
    let person = [
        ("username", "nora.newcomer"),
        ("first_name", "Nora"),
        ("last_name", "Newcomer"),
        ("email", NEWCOMER),
        ("confirm_email", NEWCOMER),
        ("fax", "601 555 0198"),
    ];
    let sent = agent.follow(agent.press(&form, "next", &person).await).await;
    assert_kepro(&sent, &["CHECK YOUR EMAIL", "within 20 minutes"]);
    let mail = provider.demo.inbox().mail(NEWCOMER, "Atrezzo - Account Registration").await;
    assert!(mail.from.contains(SENDER), "{}", mail.from);
    assert!(mail.text.contains("Thank you,\r\nKepro") && !mail.text.contains("Acentra"), "{}", mail.text);
    let landing = UserAgent::new().get(&mail.link()).await;
    assert_kepro(&landing, &["You have opened the link of an email from Kepro."]);
}

#[tokio::test]
async fn a_host_name_of_the_other_brand_shows_it_where_no_client_says_otherwise() {
    let provider = Provider::start().await;
    for host in ["portal.kepro.example", "PORTAL.kepro.example:8443"] {
        assert_kepro(&open_at(&provider, host, "/help").await, &["Employees with a domain account of Kepro"]);
        let dead = open_at(&provider, host, &format!("/link/{}", "x".repeat(43))).await;
        assert_eq!(dead.status, 404);
        assert_kepro(&dead, &["THIS LINK IS NOT VALID"]);
    }
    for host in ["atrezzo.acentra.example", "elsewhere.example", "localhost"] {
        let help = open_at(&provider, host, "/help").await;
        assert!(help.body.contains("domain account of Acentra Health") && !help.body.contains("Kepro"), "{host}");
    }
    // A host is a name of the house, not a house of its own: a second issuer is a second deployment.
    let metadata = open_at(&provider, "portal.kepro.example", "/.well-known/openid-configuration").await;
    assert_eq!(metadata.json()["issuer"], provider.demo.issuer.as_str());
    // A client's own brand is stronger than the host it is asked at.
    let path = provider.ask("kepro").url().replace(&provider.demo.issuer, "");
    assert_kepro(&open_at(&provider, "atrezzo.acentra.example", &path).await, &["Kepro domain account"]);
}
