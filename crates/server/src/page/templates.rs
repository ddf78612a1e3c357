//! The templates, and which page each of them shows.

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../templates/", $name)))),*]
    };
}

pub(super) const TEMPLATES: &[(&str, &str)] = templates![
    "layout.html",
    "part/account_act.html",
    "part/buttons.html",
    "part/buttons_of_stop.html",
    "part/calling.html",
    "part/cancel.html",
    "part/code_entry.html",
    "part/field.html",
    "part/form_frame.html",
    "part/icon.html",
    "part/notices.html",
    "part/remember.html",
    "part/sentence.html",
    "part/setup_events.html",
    "part/setup_path.html",
    "part/setup_person.html",
    "part/setup_scope.html",
    "part/told.html",
    "account.html",
    "code_page.html",
    "consent.html",
    "device.html",
    "device_confirm.html",
    "email_verify.html",
    "error.html",
    "form.html",
    "form_post.html",
    "help.html",
    "logged_out.html",
    "login_help.html",
    "login_method.html",
    "login_options.html",
    "logout.html",
    "message.html",
    "new_password.html",
    "passkey.html",
    "phone.html",
    "recovery_codes.html",
    "select_account.html",
    "setup.html",
    "setup_reset.html",
    "setup_user.html",
    "setup_users.html",
    "stop.html",
    "terms.html",
    "totp_enrol.html",
    "user_information.html",
];

/// Every page and the template that shows it.
pub(super) const PAGES: &[(&str, &str)] = &[
    ("account", "account.html"),
    ("account_closed", "stop.html"),
    ("already_registered", "stop.html"),
    ("confirm_close", "form.html"),
    ("consent", "consent.html"),
    ("declined", "stop.html"),
    ("device", "device.html"),
    ("device_allowed", "message.html"),
    ("device_confirm", "device_confirm.html"),
    ("device_denied", "message.html"),
    ("email_verify", "email_verify.html"),
    ("error", "error.html"),
    ("federation", "form.html"),
    ("federation_refused", "stop.html"),
    ("flow_gone", "message.html"),
    ("form_post", "form_post.html"),
    ("help", "help.html"),
    ("help_browser", "help.html"),
    ("link_expired", "stop.html"),
    ("link_landing", "form.html"),
    ("link_unknown", "stop.html"),
    ("logged_out", "logged_out.html"),
    ("login_help", "login_help.html"),
    ("login_method", "login_method.html"),
    ("login_options", "login_options.html"),
    ("logout", "logout.html"),
    ("message", "message.html"),
    ("new_password", "new_password.html"),
    ("no_phone_registered", "stop.html"),
    ("not_found", "message.html"),
    ("organization", "form.html"),
    ("out_of_date", "message.html"),
    ("passkey", "passkey.html"),
    ("passkey_enrol", "passkey.html"),
    ("phone_failed", "stop.html"),
    ("phone_number", "phone.html"),
    ("phone_verify", "phone.html"),
    ("portal_login", "form.html"),
    ("recovery_code", "form.html"),
    ("recovery_codes", "recovery_codes.html"),
    ("registration_error", "stop.html"),
    ("registration_incomplete", "stop.html"),
    ("registration_sent", "stop.html"),
    ("reset_sent", "stop.html"),
    ("reset_username", "form.html"),
    ("select_account", "select_account.html"),
    ("setup", "setup.html"),
    ("setup_forbidden", "message.html"),
    ("setup_reset", "setup_reset.html"),
    ("setup_user", "setup_user.html"),
    ("setup_users", "setup_users.html"),
    ("sign_in", "form.html"),
    ("stopped", "stop.html"),
    ("terms", "terms.html"),
    ("totp", "form.html"),
    ("totp_enrol", "totp_enrol.html"),
    ("try_later", "stop.html"),
    ("unavailable", "message.html"),
    ("use_phone", "stop.html"),
    ("user_information", "user_information.html"),
];

/// The sections of a help page, in order; each has the texts `<section>.heading`, `.text`, `.more`, `.step1` ...
pub(super) const HELP: &[(&str, &[&str])] = &[
    ("help", &["options", "codes", "remember", "forgot", "registration"]),
    ("help_browser", &["why", "chrome", "edge"]),
];

/// The template of a page.
pub(super) fn find_template(page: &str) -> Option<&'static str> {
    PAGES.iter().find(|(name, _)| *name == page).map(|(_, template)| *template)
}

/// A template and all that it extends and includes.
pub(super) fn list_parts(template: &str) -> Vec<(&'static str, &'static str)> {
    let find = |name: &str| TEMPLATES.iter().find(|(known, _)| *known == name).copied();
    let mut parts: Vec<_> = find(template).into_iter().collect();
    let mut at = 0;
    while let Some((_, source)) = parts.get(at).copied() {
        let named = ["{% extends \"", "{% include \""].into_iter().flat_map(|tag| source.split(tag).skip(1));
        let named = named.filter_map(|rest| rest.split_once('"')).filter_map(|(name, _)| find(name));
        for part in named.collect::<Vec<_>>() {
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        at += 1;
    }
    parts
}
