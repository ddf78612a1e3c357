//! A message as the page shows it.

use super::super::inbox::{Channel, Message, Status};
use crate::clock::iso;
use serde::Serialize;

/// Value and label of each behaviour.
pub const FAULT_CHOICES: [(&str, &str); 4] =
    [("ok", "Works"), ("slow", "Slow"), ("refuse", "Refuses for good"), ("temporary", "Fails for now")];

#[derive(Serialize)]
pub struct MessageView {
    id: String,
    revision: u64,
    channel: Channel,
    kind: &'static str,
    to: String,
    from: String,
    subject: Option<String>,
    lines: Vec<Vec<Piece>>,
    code: Option<String>,
    has_html: bool,
    status: Status,
    status_label: &'static str,
    at_iso: String,
    at_text: String,
    ringing: bool,
    live: bool,
}

/// Text, or an address to follow.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Piece {
    text: String,
    is_link: bool,
}

impl MessageView {
    pub fn new(message: Message) -> Self {
        let call = message.channel == Channel::Voice;
        Self {
            revision: message.revision,
            kind: match message.channel {
                Channel::Email => "Mail",
                Channel::Sms => "Text",
                Channel::Voice => "Call",
            },
            lines: message.text.trim().lines().map(split_links).collect(),
            code: if call { None } else { find_code(&message.text).map(str::to_owned) },
            has_html: message.html.is_some(),
            status_label: label(message.status),
            at_iso: iso(message.at),
            at_text: message.at.format("%H:%M:%S UTC").to_string(),
            ringing: call && message.status == Status::Ringing,
            live: call && matches!(message.status, Status::Ringing | Status::InProgress),
            channel: message.channel,
            status: message.status,
            id: message.id,
            to: message.to,
            from: message.from,
            subject: message.subject,
        }
    }
}

fn label(status: Status) -> &'static str {
    match status {
        Status::Received => "received",
        Status::Queued => "queued",
        Status::Sent => "sent",
        Status::Delivered => "delivered",
        Status::Ringing => "ringing",
        Status::InProgress => "on the line",
        Status::Completed => "ended",
        Status::Busy => "declined",
        Status::NoAnswer => "not answered",
        Status::Canceled => "cancelled by the caller",
        Status::Failed => "failed",
    }
}

/// The first six digits that stand alone: what a person came for.
fn find_code(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '+')
        .find(|word| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Web addresses end at white space or a bracket or quote; a closing dot or comma belongs to the sentence.
fn split_links(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = find_link(rest) {
        let (before, after) = rest.split_at(start);
        let end = after.find(|c: char| c.is_whitespace() || "<>\"')]".contains(c)).unwrap_or(after.len());
        let address = after[..end].trim_end_matches(['.', ',', ';', ':', '!', '?']);
        push(&mut pieces, before, false);
        push(&mut pieces, address, true);
        rest = &after[address.len()..];
    }
    push(&mut pieces, rest, false);
    pieces
}

fn find_link(text: &str) -> Option<usize> {
    ["https://", "http://"].iter().filter_map(|scheme| text.find(scheme)).min()
}

fn push(pieces: &mut Vec<Piece>, text: &str, is_link: bool) {
    if !text.is_empty() {
        pieces.push(Piece { text: text.to_owned(), is_link });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_without_the_sentence_around_them() {
        let pieces = split_links("Go to <https://a.example/x?y=1>, or http://b.example/.");
        let links: Vec<_> = pieces.iter().filter(|piece| piece.is_link).map(|piece| piece.text.as_str()).collect();
        assert_eq!(links, ["https://a.example/x?y=1", "http://b.example/"]);
        let all: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        assert_eq!(all, "Go to <https://a.example/x?y=1>, or http://b.example/.");
    }

    #[test]
    fn a_bare_scheme_ends() {
        assert_eq!(split_links("http:// https://").len(), 3);
        assert!(split_links("").is_empty());
    }

    #[test]
    fn the_code_is_six_digits_alone() {
        assert_eq!(find_code("Your code is: 123456. It ends soon"), Some("123456"));
        assert_eq!(find_code("Call +123456 or 1234567 or a123456"), None);
    }
}
