//! Spanish, however it is asked for.

use countersign_tests::servers::{Browser, BrowserOptions, Demo};
use fantoccini::Locator;

use crate::journey::{EMAIL_USER, open_login_options, read_home};

#[tokio::test]
async fn a_spanish_browser_gets_spanish_pages_and_a_spanish_mail() {
    let demo = Demo::start_default().await;
    let options = BrowserOptions { languages: "es-MX,es".to_owned(), ..BrowserOptions::default() };
    Browser::journey("spanish", &options, async |browser| {
        browser.open(&demo.portal).await;
        browser.wait_for_text("OPCIONES DE INICIO DE SESIÓN").await;
        browser.press_and_leave("INICIAR SESIÓN CON CORREO ELECTRÓNICO").await;
        sign_in_in_spanish(browser, &demo).await;
    })
    .await;
}

#[tokio::test]
async fn the_portal_or_the_person_may_choose_spanish() {
    let demo = Demo::start_default().await;
    Browser::journey("spanish-chosen", &BrowserOptions::default(), async |browser| {
        // The portal by ui_locales, for the whole of the sign-in.
        browser.open(&format!("{}/login?ui_locales=es", demo.portal)).await;
        browser.wait_for_text("OPCIONES DE INICIO DE SESIÓN").await;
        browser.press_and_leave("INICIAR SESIÓN CON CORREO ELECTRÓNICO").await;
        sign_in_in_spanish(browser, &demo).await;
        demo.inbox().clear().await;

        // The person by the link, in the middle of it; the browser remembers.
        open_login_options(browser, &demo).await;
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        browser.press_and_leave("Español").await;
        sign_in_in_spanish(browser, &demo).await;
        browser.open(&format!("{}/login", demo.portal)).await;
        browser.wait_for_text("OPCIONES DE INICIO DE SESIÓN").await;
        browser.press_and_leave("English").await;
        browser.wait_for_text("LOGIN OPTIONS").await;
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        browser.wait_for_text("Sign in with your email address").await;
    })
    .await;
}

async fn sign_in_in_spanish(browser: &Browser, demo: &Demo) {
    browser.wait_for_text("Inicie sesión con su correo electrónico").await;
    let html = browser.find(Locator::Css("html")).await.unwrap();
    assert_eq!(html.attr("lang").await.unwrap().as_deref(), Some("es"));
    browser.fill("Correo electrónico", EMAIL_USER.email).await;
    browser.fill("Contraseña", EMAIL_USER.password).await;
    browser.press_and_leave("Iniciar sesión").await;
    browser.press_and_leave("Enviar código de verificación").await;
    browser.wait_for_text("Se envió el código de verificación a su bandeja de entrada.").await;
    let mail = demo.inbox().wait_for(EMAIL_USER.email, 1).await.remove(0);
    assert!(mail.subject.as_deref().unwrap().contains("Código de verificación"), "{mail:?}");
    assert!(mail.text.contains("Su código de verificación para Case Portal es:"), "{mail:?}");
    assert!(mail.html.as_deref().unwrap().contains("lang=\"es\""), "{mail:?}");
    browser.fill("Código de verificación", &mail.code()).await;
    browser.press_and_leave("Verificar código").await;
    browser.wait_for_text("Correo electrónico verificado. Ya puede continuar.").await;
    browser.press_and_leave("Continuar").await;
    assert_eq!(read_home(browser, demo).await.name, EMAIL_USER.name);
}
