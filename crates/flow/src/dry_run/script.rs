//! The lines of a dry run: one input or one turn of events each.

use countersign_model::Seconds;

use crate::Input;
use crate::parse::parse_duration;

/// Longest line, in bytes.
const MAX_LINE: usize = 4096;

/// What a line says.
#[derive(Clone, Debug)]
pub enum Line {
    /// `CONTROL field=value ...`: a button is pressed. A value with spaces stands in double quotes.
    Press(Input),
    /// `:wait 30s`: time passes.
    Wait(Seconds),
    /// `:answer`: the telephone is answered.
    Answer,
    /// `:lose`: what was sent never arrives.
    Lose,
    /// `:spend`: every limit is used up.
    Spend,
    /// `:decline`: the upstream provider does not vouch.
    Decline,
    /// `:link`: the mailed link is opened.
    Link,
    /// Nothing: empty, or a comment from `#` on.
    Nothing,
}

/// Reads a line.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read(line: &str) -> Result<Line, String> {
    if line.len() > MAX_LINE {
        return Err(format!("a line is at most {MAX_LINE} bytes long"));
    }
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(Line::Nothing);
    }
    if let Some(event) = line.strip_prefix(':') {
        return read_event(event);
    }
    let mut words = split(line)?.into_iter();
    let mut input = Input::press(&words.next().unwrap_or_default());
    for word in words {
        let Some((name, value)) = word.split_once('=') else {
            return Err(format!("`{word}` is no field=value"));
        };
        input = input.with(name, value);
    }
    Ok(Line::Press(input))
}

fn read_event(event: &str) -> Result<Line, String> {
    let (word, rest) = event.split_once(char::is_whitespace).unwrap_or((event, ""));
    match (word, rest.trim()) {
        ("wait", span) => {
            parse_duration(span).map(Line::Wait).ok_or_else(|| format!("`{span}` is no span, such as 30s"))
        }
        ("answer", "") => Ok(Line::Answer),
        ("lose", "") => Ok(Line::Lose),
        ("spend", "") => Ok(Line::Spend),
        ("decline", "") => Ok(Line::Decline),
        ("link", "") => Ok(Line::Link),
        _ => Err(format!("`:{event}` is none of :wait SPAN, :answer, :lose, :spend, :decline, :link")),
    }
}

/// Splits at spaces outside of double quotes, which are dropped.
fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for sign in line.chars() {
        match sign {
            '"' => is_quoted = !is_quoted,
            sign if sign.is_whitespace() && !is_quoted => words.push(String::new()),
            sign => words.last_mut().into_iter().for_each(|word| word.push(sign)),
        }
    }
    if is_quoted {
        return Err("a double quote is left open".to_owned());
    }
    words.retain(|word| !word.is_empty());
    Ok(words)
}
