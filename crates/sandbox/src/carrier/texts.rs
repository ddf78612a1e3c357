//! A text message on its way: sent, delivered, and who wants to know.

use super::exchange::Exchange;
use super::inbox::{Inbox, Message, Status};
use super::webhook::{Target, Webhooks};
use std::sync::Arc;

/// Puts a queued text into the inbox and delivers it in the background.
pub fn deliver(exchange: &Exchange, message: Message, callback: Option<Target>) {
    let (inbox, webhooks) = (Arc::clone(&exchange.inbox), Arc::clone(&exchange.webhooks));
    let account = exchange.settings.account_sid.clone();
    inbox.insert(message.clone());
    exchange.runtime.spawn(async move {
        for status in [Status::Sent, Status::Delivered] {
            report(&inbox, &webhooks, &account, &message, callback.as_ref(), status).await;
        }
    });
}

async fn report(
    inbox: &Inbox,
    webhooks: &Webhooks,
    account: &str,
    message: &Message,
    callback: Option<&Target>,
    status: Status,
) {
    inbox.change(&message.id, |message| message.status = status);
    let Some(target) = callback else { return };
    let form = [
        ("AccountSid", account),
        ("ApiVersion", super::rest::API_VERSION),
        ("From", &message.from),
        ("MessageSid", &message.id),
        ("MessageStatus", status.as_str()),
        ("SmsSid", &message.id),
        ("SmsStatus", status.as_str()),
        ("To", &message.to),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    if let Err(error) = webhooks.call(target, &form).await {
        tracing::warn!(sid = message.id, %target, %error, "a status callback failed");
    }
}
