//! Browsers in words, and whether a person was seen in one before.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{Account, AuditKind, KnownDevice, Seconds, Timestamp};
use countersign_store::Tx;
use secrecy::{ExposeSecret, SecretString};

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::flow::Visit;
use crate::outbox::Letter;
use crate::provider::Provider;
use crate::vault::Purpose;

/// How long the news is worth sending.
const NEWS_LIFE: Seconds = Seconds::hours(24);

impl RequestContext {
    /// Browser and system in words, such as `Firefox on Windows`; none when neither is known.
    pub(crate) fn describe_browser(&self) -> Option<String> {
        describe(self.user_agent.as_deref()?)
    }
}

impl Provider {
    /// The secret of the browser's device cookie: its own, or one made of this flow.
    pub(crate) fn device_secret(&self, visit: &Visit<'_>) -> SecretString {
        visit.device.cloned().unwrap_or_else(|| {
            SecretString::from(URL_SAFE_NO_PAD.encode(self.vault.derive(Purpose::Device, &[&visit.seed])))
        })
    }

    /// Notes that the person signed in from this browser, and tells them when it is a new one beside others.
    pub(crate) async fn note_device(
        &self,
        tx: &mut Tx,
        visit: &Visit<'_>,
        account: &Account,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let secret = self.device_secret(visit);
        let device = KnownDevice {
            user: account.user.id.clone(),
            device: self.vault.hash(Purpose::Device, secret.expose_secret().as_bytes()),
            description: visit.context.describe_browser().unwrap_or_default(),
            first_seen_at: now,
            last_seen_at: now,
        };
        let is_new = tx.upsert_known_device(&device).await?;
        if !is_new || tx.list_known_devices(&device.user).await?.len() < 2 {
            return Ok(());
        }
        let event = audit::event(visit.context, now, AuditKind::DeviceNew, countersign_model::AuditOutcome::Success)?;
        let event = visit.describe(event).subject(Some(&device.user)).detail("device", device.description.as_str());
        let mut events = vec![event.build()];
        if let Some(to) = account.user.email.clone() {
            let letter = Self::news(visit, account, to, device.description);
            let until = now.plus(NEWS_LIFE);
            let (message, queued) =
                self.message(visit, "new_device", "email", &letter, Some(&device.user), until, now)?;
            if tx.insert_outbox_message(&message).await? {
                events.push(queued);
            }
        }
        tx.insert_audit_events(&events).await?;
        Ok(())
    }

    fn news(visit: &Visit<'_>, account: &Account, to: String, device: String) -> Letter {
        let profile = &account.user.profile;
        Letter {
            to,
            template: "new_device".to_owned(),
            locale: account.user.locale.clone().unwrap_or_else(|| visit.locale.to_owned()),
            application: visit.application().to_owned(),
            brand: visit.client.and_then(|client| client.brand.clone()),
            name: profile.given_name.clone().or_else(|| profile.name.clone()).unwrap_or_default(),
            device,
            ..Letter::default()
        }
    }
}

/// Only fixed words come out: what a browser says of itself goes into a mail.
fn describe(user_agent: &str) -> Option<String> {
    // In this order: Edge and Opera call themselves Chrome too, Chrome calls itself Safari.
    let browsers = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("CriOS/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    let systems = [
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ];
    let find = |words: &[(&str, &'static str)]| {
        words.iter().find(|(token, _)| user_agent.contains(token)).map(|(_, word)| *word)
    };
    match (find(&browsers), find(&systems)) {
        (Some(browser), Some(system)) => Some(format!("{browser} on {system}")),
        (Some(word), None) | (None, Some(word)) => Some(word.to_owned()),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_in_fixed_words() {
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0";
        assert_eq!(describe(edge).as_deref(), Some("Edge on Windows"));
        let phone =
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile Safari/604.1";
        assert_eq!(describe(phone).as_deref(), Some("Safari on iPhone"));
        assert_eq!(describe("<b>curl</b>"), None);
    }
}
