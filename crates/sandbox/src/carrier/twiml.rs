//! The part of TwiML a call needs: Say, Play, Pause, Gather, Redirect, Hangup, Reject.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;
use std::time::Duration;

/// Twilio's limit for a document.
const MAX_DOCUMENT: usize = 64 * 1024;
const MAX_VERBS: usize = 100;
const MAX_DEPTH: usize = 8;

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    Say(String),
    Play(String),
    Pause,
    Gather(Gather),
    /// An address relative to the document's, and the method.
    Redirect(String, Option<String>),
    Hangup,
    Reject,
}

/// Waits for keys. Defaults are Twilio's: any number of digits, ended by `#` or five seconds of silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gather {
    /// Said while waiting: Say, Play and Pause alone.
    pub prompts: Vec<Verb>,
    /// None: the address of the document itself.
    pub action: Option<String>,
    pub method: Option<String>,
    pub num_digits: Option<usize>,
    /// None (`finishOnKey=""`): no key ends the input, all count as digits.
    pub finish_on_key: Option<char>,
    pub timeout: Duration,
    pub action_on_empty_result: bool,
}

/// Why a document cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum TwimlError {
    #[error("longer than {MAX_DOCUMENT} bytes, more than {MAX_VERBS} verbs or nested too deep")]
    TooLarge,
    #[error("not well-formed: {0}")]
    Malformed(String),
    #[error("the root is not <Response>")]
    Root,
    #[error("<{0}> cannot stand here or is not supported")]
    Unsupported(String),
    #[error("attribute {0} has a value that cannot be")]
    Attribute(&'static str),
}

impl<E: Into<quick_xml::Error>> From<E> for TwimlError {
    fn from(error: E) -> Self {
        Self::Malformed(error.into().to_string())
    }
}

/// Reads a whole document.
pub fn read_twiml(document: &str) -> Result<Vec<Verb>, TwimlError> {
    if document.len() > MAX_DOCUMENT {
        return Err(TwimlError::TooLarge);
    }
    let mut parser = Parser { reader: Reader::from_str(document), verbs: 0 };
    let verbs = match parser.next_tag()? {
        Some(Tag::Start(root)) if root.name == "Response" => parser.read_verbs(false)?,
        Some(Tag::Empty(root)) if root.name == "Response" => Vec::new(),
        _ => return Err(TwimlError::Root),
    };
    match parser.next_tag()? {
        None => Ok(verbs),
        Some(_) => Err(TwimlError::Root),
    }
}

enum Tag {
    Start(Element),
    Empty(Element),
    End,
}

struct Element {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    fn read(start: &BytesStart<'_>) -> Result<Self, TwimlError> {
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.map_err(|error| TwimlError::Malformed(error.to_string()))?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
            Ok((attribute.key.as_ref().to_owned(), value.into_owned()))
        });
        let name = start.name().as_ref().to_owned();
        Ok(Self { name, attributes: attributes.collect::<Result<_, TwimlError>>()? })
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &'static str) -> Result<Option<u64>, TwimlError> {
        self.find(name).map(|value| value.trim().parse().map_err(|_| TwimlError::Attribute(name))).transpose()
    }
}

struct Parser<'a> {
    reader: Reader<&'a [u8]>,
    verbs: usize,
}

impl Parser<'_> {
    /// The next tag where only verbs may stand: text other than white space is refused.
    fn next_tag(&mut self) -> Result<Option<Tag>, TwimlError> {
        loop {
            match self.reader.read_event()? {
                Event::Start(start) => return Ok(Some(Tag::Start(Element::read(&start)?))),
                Event::Empty(start) => return Ok(Some(Tag::Empty(Element::read(&start)?))),
                Event::End(_) => return Ok(Some(Tag::End)),
                Event::Eof => return Ok(None),
                Event::Text(text) if text.trim().is_empty() => {}
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                other => return Err(TwimlError::Malformed(format!("{other:?} between verbs"))),
            }
        }
    }

    /// Up to the end tag of the element that holds them.
    fn read_verbs(&mut self, in_gather: bool) -> Result<Vec<Verb>, TwimlError> {
        let mut verbs = Vec::new();
        loop {
            let verb = match self.next_tag()? {
                Some(Tag::Start(element)) => self.read_verb(&element, false, in_gather)?,
                Some(Tag::Empty(element)) => self.read_verb(&element, true, in_gather)?,
                Some(Tag::End) => return Ok(verbs),
                None => return Err(TwimlError::Malformed("ends too early".into())),
            };
            self.verbs += 1;
            if self.verbs > MAX_VERBS {
                return Err(TwimlError::TooLarge);
            }
            verbs.push(verb);
        }
    }

    fn read_verb(&mut self, element: &Element, empty: bool, in_gather: bool) -> Result<Verb, TwimlError> {
        if element.name == "Gather" && !in_gather {
            return self.read_gather(element, empty);
        }
        let text = if empty { String::new() } else { self.read_text()? };
        match element.name.as_str() {
            "Say" => Ok(Verb::Say(text)),
            "Play" => Ok(Verb::Play(text)),
            "Pause" => Ok(Verb::Pause),
            "Redirect" if !in_gather => Ok(Verb::Redirect(text, element.find("method").map(str::to_owned))),
            "Hangup" if !in_gather => Ok(Verb::Hangup),
            "Reject" if !in_gather => Ok(Verb::Reject),
            other => Err(TwimlError::Unsupported(other.to_owned())),
        }
    }

    fn read_gather(&mut self, element: &Element, empty: bool) -> Result<Verb, TwimlError> {
        let num_digits = element.number("numDigits")?.map(usize::try_from).transpose();
        let num_digits =
            num_digits.ok().filter(|digits| *digits != Some(0)).ok_or(TwimlError::Attribute("numDigits"))?;
        let mut keys = element.find("finishOnKey").unwrap_or("#").chars();
        let finish_on_key = keys.next();
        if keys.next().is_some() || finish_on_key.is_some_and(|key| !is_key(key)) {
            return Err(TwimlError::Attribute("finishOnKey"));
        }
        let timeout = match element.find("timeout") {
            Some("auto") => None,
            _ => element.number("timeout")?,
        };
        Ok(Verb::Gather(Gather {
            prompts: if empty { Vec::new() } else { self.read_verbs(true)? },
            action: element.find("action").map(str::to_owned),
            method: element.find("method").map(str::to_owned),
            num_digits,
            finish_on_key,
            timeout: Duration::from_secs(timeout.unwrap_or(5).min(600)),
            action_on_empty_result: element.find("actionOnEmptyResult") == Some("true"),
        }))
    }

    /// Text up to the end tag; tags of SSML inside are skipped, runs of white space become one blank.
    fn read_text(&mut self) -> Result<String, TwimlError> {
        let mut text = String::new();
        let mut depth = 0;
        loop {
            match self.reader.read_event()? {
                Event::Text(piece) => text.push_str(&piece.xml10_content()),
                Event::CData(piece) => text.push_str(&piece.xml10_content()),
                Event::GeneralRef(reference) => text.push(read_reference(&reference)?),
                Event::Start(_) if depth == MAX_DEPTH => return Err(TwimlError::TooLarge),
                Event::Start(_) => depth += 1,
                Event::Empty(_) => text.push(' '),
                Event::End(_) if depth == 0 => return Ok(text.split_whitespace().collect::<Vec<_>>().join(" ")),
                Event::End(_) => depth -= 1,
                Event::Eof => return Err(TwimlError::Malformed("ends too early".into())),
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
                Event::DocType(_) => return Err(TwimlError::Malformed("a document type".into())),
            }
        }
    }
}

/// The five names of XML and character references; documents cannot define their own.
fn read_reference(reference: &BytesRef<'_>) -> Result<char, TwimlError> {
    if let Some(character) = reference.resolve_char_ref()? {
        return Ok(character);
    }
    match reference.xml10_content().as_ref() {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        other => Err(TwimlError::Malformed(format!("unknown entity {other}"))),
    }
}

/// What a telephone's keypad has.
pub fn is_key(key: char) -> bool {
    key.is_ascii_digit() || matches!(key, '*' | '#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_hash_document_is_read() {
        let verbs = read_twiml(concat!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>\n",
            "  <Gather numDigits=\"1\" finishOnKey=\"\" action=\"/voice?a=1&amp;b=2\" method=\"POST\" timeout=\"20\">\n",
            "    <Say voice=\"alice\" language=\"en-US\">Press the <emphasis>pound</emphasis> key &amp;\n wait&#33;</Say>",
            "<Pause length=\"1\"/>\n  </Gather>\n  <Say>Goodbye</Say><Hangup/>\n</Response>\n",
        ))
        .unwrap();
        let gather = Gather {
            prompts: vec![Verb::Say("Press the pound key & wait!".into()), Verb::Pause],
            action: Some("/voice?a=1&b=2".into()),
            method: Some("POST".into()),
            num_digits: Some(1),
            finish_on_key: None,
            timeout: Duration::from_secs(20),
            action_on_empty_result: false,
        };
        assert_eq!(verbs, [Verb::Gather(gather), Verb::Say("Goodbye".into()), Verb::Hangup]);
    }

    #[test]
    fn defaults_are_those_of_twilio() {
        let verbs = read_twiml("<Response><Gather/></Response>").unwrap();
        let [Verb::Gather(gather)] = verbs.as_slice() else { panic!("{verbs:?}") };
        assert_eq!((gather.finish_on_key, gather.num_digits, gather.timeout.as_secs()), (Some('#'), None, 5));
    }

    #[test]
    fn what_is_not_twiml_is_refused() {
        let deep = format!("<Response><Say>{}</Response>", "<a>".repeat(50));
        let many = format!("<Response>{}</Response>", "<Hangup/>".repeat(MAX_VERBS + 1));
        let long = format!("<Response><Say>{}</Say></Response>", "x".repeat(MAX_DOCUMENT));
        let entity = "<!DOCTYPE r [<!ENTITY a \"aaaa\">]><Response><Say>&a;</Say></Response>";
        for document in [
            "",
            "hello",
            "<html/>",
            "<Response>",
            "<Response><Say>",
            "<Response/><Response/>",
            "<Response>x</Response>",
            "<Response><Dial>1</Dial></Response>",
            "<Response><Gather><Gather/></Gather></Response>",
            "<Response><Gather numDigits=\"0\"/></Response>",
            "<Response><Gather numDigits=\"-1\"/></Response>",
            "<Response><Gather finishOnKey=\"##\"/></Response>",
            "<Response><Say>&nbsp;</Say></Response>",
            "<Response><Say>&#xD800;</Say></Response>",
            "<Response><Say></Play></Response>",
            entity,
            &deep,
            &many,
            &long,
        ] {
            let start: String = document.chars().take(60).collect();
            assert!(read_twiml(document).is_err(), "accepted {start}");
        }
    }
}
