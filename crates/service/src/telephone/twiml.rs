//! What a call is told to do: the few verbs of TwiML that every carrier of its kind knows.

use std::fmt::Write as _;

/// A document in the making.
pub(super) struct Script {
    language: &'static str,
    verbs: String,
}

/// Which keys a Gather waits for.
#[derive(Clone, Copy)]
pub(super) enum Keys {
    /// One key, `#` too.
    One,
    /// So many digits; `#` ends them early.
    Digits(usize),
}

impl Script {
    /// Speaks the language of `locale`.
    pub(super) fn new(locale: &str) -> Self {
        let language = if locale.starts_with("es") { "es-US" } else { "en-US" };
        Self { language, verbs: String::new() }
    }

    pub(super) fn say(mut self, text: &str) -> Self {
        let _ = write!(self.verbs, "<Say language=\"{}\">{}</Say>", self.language, escape(text));
        self
    }

    pub(super) fn pause(mut self) -> Self {
        self.verbs.push_str("<Pause length=\"1\"/>");
        self
    }

    /// Says `text`, waits ten seconds for keys, and sends them to `action`.
    pub(super) fn gather(mut self, keys: Keys, action: &str, text: &str) -> Self {
        let (count, finish) = match keys {
            Keys::One => (1, ""),
            Keys::Digits(count) => (count, "#"),
        };
        let _ = write!(
            self.verbs,
            "<Gather input=\"dtmf\" method=\"POST\" timeout=\"10\" numDigits=\"{count}\" finishOnKey=\"{finish}\" \
             action=\"{}\">",
            escape(action)
        );
        self = self.say(text);
        self.verbs.push_str("</Gather>");
        self
    }

    /// The whole; the carrier hangs up after it.
    pub(super) fn end(self) -> String {
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>{}<Hangup/></Response>", self.verbs)
    }
}

/// For text and attributes; what XML cannot hold at all becomes a space.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_cannot_become_a_verb() {
        let script = Script::new("es").say("A & B <Dial>\u{0}1</Dial>").end();
        assert!(script.contains("<Say language=\"es-US\">A &amp; B &lt;Dial&gt; 1&lt;/Dial&gt;</Say>"), "{script}");
        assert!(script.ends_with("<Hangup/></Response>"));
    }

    #[test]
    fn a_single_key_may_be_the_hash() {
        let script = Script::new("en").gather(Keys::One, "https://a/b?c&d", "Press #").end();
        assert!(script.contains("numDigits=\"1\" finishOnKey=\"\" action=\"https://a/b?c&amp;d\""), "{script}");
    }
}
