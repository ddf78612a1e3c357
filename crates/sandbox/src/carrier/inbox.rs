//! What has arrived: mails, texts and calls, newest first, bounded in number and size.

use crate::clock::{iso, now};
use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Older messages make room for newer ones.
const MAX_MESSAGES: usize = 1_000;
/// Of texts and HTML together.
const MAX_BYTES: usize = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    Email,
    Sms,
    Voice,
}

/// `received` for mail; Twilio's words for texts and calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Received,
    Queued,
    Sent,
    Delivered,
    Ringing,
    InProgress,
    Completed,
    Busy,
    NoAnswer,
    Canceled,
    Failed,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Canceled => "canceled",
            Self::Failed => "failed",
        }
    }
}

/// One line of the JSON API. For a call `text` is what has been said so far.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    pub id: String,
    pub channel: Channel,
    pub to: String,
    pub from: String,
    pub subject: Option<String>,
    pub text: String,
    pub html: Option<String>,
    pub status: Status,
    #[serde(serialize_with = "write_iso")]
    pub at: DateTime<Utc>,
    /// Rises with every change, so that a page knows what to draw again.
    #[serde(skip)]
    pub revision: u64,
}

impl Message {
    pub fn new(id: String, channel: Channel, to: String, from: String, status: Status) -> Self {
        let (text, at) = (String::new(), now());
        Self { id, channel, to, from, subject: None, text, html: None, status, at, revision: 0 }
    }

    fn size(&self) -> usize {
        self.text.len() + self.html.as_ref().map_or(0, String::len)
    }
}

fn write_iso<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&iso(*at))
}

#[derive(Debug, Default)]
struct Held {
    messages: VecDeque<Message>,
    bytes: usize,
    revision: u64,
}

#[derive(Debug, Default)]
pub struct Inbox(Mutex<Held>);

impl Inbox {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn insert(&self, mut message: Message) {
        let mut held = self.held();
        held.revision += 1;
        message.revision = held.revision;
        held.bytes += message.size();
        held.messages.push_front(message);
        while held.messages.len() > MAX_MESSAGES || held.bytes > MAX_BYTES {
            let Some(oldest) = held.messages.pop_back() else { break };
            held.bytes -= oldest.size();
        }
    }

    /// Nothing happens if the message is gone already.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Message)) {
        let mut held = self.held();
        held.revision += 1;
        let revision = held.revision;
        let Some(message) = held.messages.iter_mut().find(|message| message.id == id) else { return };
        let before = message.size();
        change(message);
        message.revision = revision;
        let after = message.size();
        held.bytes = held.bytes - before + after;
    }

    pub fn find(&self, id: &str) -> Option<Message> {
        self.held().messages.iter().find(|message| message.id == id).cloned()
    }

    /// Newest first; with `to` only what went to that address or number.
    pub fn list(&self, to: Option<&str>, limit: usize) -> Vec<Message> {
        let wanted = to.map(Recipient::read);
        let held = self.held();
        let fits = |message: &&Message| wanted.as_ref().is_none_or(|wanted| *wanted == Recipient::read(&message.to));
        held.messages.iter().filter(fits).take(limit).cloned().collect()
    }

    pub fn list_all(&self, to: Option<&str>) -> Vec<Message> {
        self.list(to, MAX_MESSAGES)
    }

    pub fn revision(&self) -> u64 {
        self.held().revision
    }

    pub fn clear(&self) {
        let mut held = self.held();
        held.messages.clear();
        held.bytes = 0;
        held.revision += 1;
    }
}

/// Addresses match in any case; numbers by their digits, as an unescaped `+` in a query arrives as a blank.
#[derive(PartialEq, Eq)]
enum Recipient {
    Address(String),
    Number(String),
}

impl Recipient {
    fn read(text: &str) -> Self {
        let text = text.trim();
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let other = |c: char| !(c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')' | '.'));
        if digits.is_empty() || text.contains(other) {
            Self::Address(text.to_lowercase())
        } else {
            Self::Number(digits)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_to(to: &str, text: &str) -> Message {
        let mut message =
            Message::new(text.to_owned(), Channel::Sms, to.to_owned(), "+12025550100".to_owned(), Status::Sent);
        message.text = text.to_owned();
        message
    }

    #[test]
    fn newest_come_first_and_the_oldest_make_room() {
        let inbox = Inbox::default();
        for number in 0..=MAX_MESSAGES {
            inbox.insert(text_to("+12025553661", &number.to_string()));
        }
        let all = inbox.list_all(None);
        assert_eq!(all.len(), MAX_MESSAGES);
        assert_eq!(all.first().unwrap().text, MAX_MESSAGES.to_string());
        assert_eq!(all.last().unwrap().text, "1");
    }

    #[test]
    fn large_messages_make_room_by_size() {
        let inbox = Inbox::default();
        for number in 0..5 {
            let mut message = text_to("a@example.com", &number.to_string());
            message.text = "x".repeat(MAX_BYTES / 4);
            inbox.insert(message);
        }
        assert_eq!(inbox.list_all(None).len(), 4);
    }

    #[test]
    fn addresses_match_in_any_case_and_numbers_by_digits() {
        let inbox = Inbox::default();
        inbox.insert(text_to("DDuck@Example.com", "mail"));
        inbox.insert(text_to("+12025553661", "text"));
        assert_eq!(inbox.list_all(Some("dduck@example.COM")).len(), 1);
        assert_eq!(inbox.list_all(Some(" 12025553661")).len(), 1);
        assert_eq!(inbox.list_all(Some("+1 (202) 555-3661")).len(), 1);
        assert_eq!(inbox.list_all(Some("other@example.com")).len(), 0);
        assert_eq!(inbox.list_all(Some("12025553661@example.com")).len(), 0);
    }

    #[test]
    fn a_change_of_a_message_that_is_gone_changes_nothing() {
        let inbox = Inbox::default();
        inbox.insert(text_to("+12025553661", "one"));
        inbox.clear();
        inbox.change("one", |message| message.status = Status::Failed);
        assert!(inbox.list_all(None).is_empty());
    }
}
