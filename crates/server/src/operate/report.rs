//! `countersign config report`: the configuration and its clients against OAuth 2.1, RFC 9700 and FAPI 2.0,
//! and the clients against what is off.

use std::process::ExitCode;

use countersign_protocol::report::{Configuration, Deviation, Weight, Yardstick, judge};
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, context};

use crate::cli::{FailOn, ReportFormat};
use crate::config::Config;
use crate::{say, serve};

/// Says every deviation; fails on those that `fail_on` names.
pub async fn report(config: &Config, format: ReportFormat, fail_on: &[FailOn]) -> Result<ExitCode, String> {
    let provider = serve::build_provider(config).await?;
    let clients = provider.list_clients().await.map_err(|error| error.to_string())?;
    let settings = config.service_settings().map_err(|error| error.to_string())?;
    let judged = Configuration {
        is_https: settings.issuer.is_secure(),
        features: settings.features,
        code: settings.lifetimes.code,
        access_token: settings.lifetimes.access_token,
        mutual_tls: settings.mtls_origin.is_some(),
    };
    let deviations = judge(&judged, &clients);
    say(&match format {
        ReportFormat::Text => text(&deviations),
        ReportFormat::Json => serde_json::to_string_pretty(&deviations).map_err(|error| error.to_string())?,
        ReportFormat::Html => html(&deviations, settings.issuer.as_str())?,
    });
    let counts = |deviation: &Deviation| fail_on.iter().any(|fail_on| fails(*fail_on, deviation));
    Ok(if deviations.iter().any(counts) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn fails(fail_on: FailOn, deviation: &Deviation) -> bool {
    fail_on.yardstick == deviation.yardstick && (fail_on.should || deviation.weight == Weight::Must)
}

const fn title(yardstick: Yardstick) -> &'static str {
    match yardstick {
        Yardstick::OAuth21 => "OAuth 2.1",
        Yardstick::Rfc9700 => "RFC 9700",
        Yardstick::Fapi2 => "FAPI 2.0 Security Profile",
        Yardstick::Protocol => "What is off in [protocol]",
    }
}

const fn word(weight: Weight) -> &'static str {
    match weight {
        Weight::Must => "must",
        Weight::Should => "should",
    }
}

fn text(deviations: &[Deviation]) -> String {
    let mut lines = Vec::new();
    for yardstick in Yardstick::ALL {
        let own: Vec<&Deviation> = deviations.iter().filter(|deviation| deviation.yardstick == yardstick).collect();
        lines.push(format!("{}: {}", title(yardstick), amount(own.len())));
        lines.extend(own.into_iter().map(|deviation| {
            let who = deviation.client.as_deref().map_or_else(String::new, |client| format!("client {client}: "));
            format!("  {:<6} {:<8} {who}{}", word(deviation.weight), deviation.section, deviation.text)
        }));
    }
    lines.join("\n")
}

fn amount(deviations: usize) -> String {
    match deviations {
        0 => "nothing deviates".to_owned(),
        1 => "1 deviation".to_owned(),
        several => format!("{several} deviations"),
    }
}

/// Another page than people see who sign in: for the operator's own browser or archive.
const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Configuration of {{ issuer }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #767676 }
</style>
</head>
<body>
<main>
<h1>Configuration of {{ issuer }}</h1>
{% for part in parts %}
<h2>{{ part.title }}</h2>
<p>{{ part.amount }}</p>
{% if part.deviations %}
<table>
<thead><tr><th>Section</th><th>Weight</th><th>Who</th><th>What</th></tr></thead>
<tbody>
{% for deviation in part.deviations %}
<tr>
<td>{{ deviation.section }}</td><td>{{ deviation.weight }}</td>
<td>{{ deviation.client or "the provider" }}</td><td>{{ deviation.text }}</td>
</tr>
{% endfor %}
</tbody>
</table>
{% endif %}
{% endfor %}
</main>
</body>
</html>"#;

fn html(deviations: &[Deviation], issuer: &str) -> Result<String, String> {
    let parts = Yardstick::ALL.map(|yardstick| {
        let own: Vec<&Deviation> = deviations.iter().filter(|deviation| deviation.yardstick == yardstick).collect();
        context! { title => title(yardstick), amount => amount(own.len()), deviations => Value::from(Serde(&own)) }
    });
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.render_named_str("report.html", PAGE, context! { issuer, parts }).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_calls_itself_is_text_on_the_page() {
        let deviation = Deviation {
            yardstick: Yardstick::Fapi2,
            section: "5.3.2.1",
            weight: Weight::Must,
            client: Some("<script>".to_owned()),
            text: "It is a public client.",
        };
        let page = html(std::slice::from_ref(&deviation), "https://id.example.com").unwrap();
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"), "{page}");
        assert!(page.contains("<td>5.3.2.1</td><td>must</td>") && page.contains("nothing deviates"), "{page}");
        let lines = text(&[deviation]);
        assert!(
            lines.contains("FAPI 2.0 Security Profile: 1 deviation\n  must   5.3.2.1  client <script>: It is"),
            "{lines}"
        );
    }
}
