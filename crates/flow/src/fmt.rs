//! The canonical form of a policy file. Comments and the order of everything stay.
//!
//! LF line ends, one at the end; no blanks at the end of lines; at most one empty line in a row, none at the ends of the
//! file, one before a table; the `=` of neighbouring keys, comments between them or not, stand below each other with one
//! blank around; lines inside brackets are indented by four blanks a level; comments begin with `# `.

/// Why a file can not be formatted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It is no TOML.
    #[error("the file is no TOML: {0}")]
    NoToml(String),
    /// The formatted file would say something else: a fault of the formatter.
    #[error("the formatted file would not say the same")]
    Different,
}

/// The canonical form of `text`.
pub fn format(text: &str) -> Result<String, FormatError> {
    let before: toml::Table = toml::from_str(text).map_err(|error| FormatError::NoToml(error.message().to_owned()))?;
    let text = text.replace("\r\n", "\n");
    let mut formatter = Formatter::default();
    text.split('\n').for_each(|line| formatter.take(line));
    let formatted = formatter.finish();
    let after: Result<toml::Table, _> = toml::from_str(&formatted);
    if after.is_ok_and(|after| after == before) { Ok(formatted) } else { Err(FormatError::Different) }
}

#[derive(Default)]
struct Formatter {
    lines: Vec<String>,
    /// Neighbouring keys that are not written yet: key, and everything after the `=`.
    block: Vec<Line>,
    scan: Scan,
}

enum Line {
    Key(String, String),
    /// The inside of brackets, already indented; a comment.
    Inside(String),
}

impl Formatter {
    fn take(&mut self, line: &str) {
        if self.scan.is_in_text() {
            self.scan.read(line);
            self.block.push(Line::Inside(line.to_owned()));
            return;
        }
        let trimmed = line.trim();
        if self.scan.depth > 0 {
            self.take_inside(trimmed);
        } else if trimmed.is_empty() {
            self.flush();
            self.blank();
        } else if trimmed.starts_with('#') {
            self.block.push(Line::Inside(comment(trimmed)));
        } else if trimmed.starts_with('[') {
            self.flush();
            if !self.lines.last().is_some_and(|last| last.starts_with('#')) {
                self.blank();
            }
            self.lines.push(trimmed.to_owned());
        } else {
            self.take_key(trimmed);
        }
    }

    fn take_inside(&mut self, trimmed: &str) {
        let closing = trimmed.chars().take_while(|c| matches!(c, ']' | '}')).count();
        let level = self.scan.depth.saturating_sub(closing);
        self.scan.read(trimmed);
        let line = if trimmed.starts_with('#') { comment(trimmed) } else { trimmed.to_owned() };
        let indent = if line.is_empty() { String::new() } else { "    ".repeat(level) };
        self.block.push(Line::Inside(format!("{indent}{line}")));
    }

    fn take_key(&mut self, trimmed: &str) {
        let Some(at) = find_equals(trimmed) else {
            self.flush();
            self.lines.push(trimmed.to_owned());
            return;
        };
        let (key, value) = trimmed.split_at(at);
        let value = value.strip_prefix('=').unwrap_or(value).trim().to_owned();
        self.scan.read(&value);
        self.block.push(Line::Key(key.trim().to_owned(), value));
    }

    /// Writes the neighbouring keys with their `=` below each other.
    fn flush(&mut self) {
        let width = |line: &Line| if let Line::Key(key, _) = line { key.chars().count() } else { 0 };
        let widest = self.block.iter().map(width).max().unwrap_or_default();
        for line in self.block.drain(..) {
            self.lines.push(match line {
                Line::Key(key, value) => format!("{key:<widest$} = {value}"),
                Line::Inside(line) => line,
            });
        }
    }

    fn blank(&mut self) {
        if self.lines.last().is_some_and(|last| !last.is_empty()) {
            self.lines.push(String::new());
        }
    }

    fn finish(mut self) -> String {
        self.flush();
        while self.lines.last().is_some_and(String::is_empty) {
            self.lines.pop();
        }
        let mut text = self.lines.join("\n");
        text.push('\n');
        text
    }
}

/// A comment with one blank after its `#`, unless it is a row of them.
fn comment(text: &str) -> String {
    let hashes = text.chars().take_while(|c| *c == '#').count();
    let (marks, rest) = text.split_at(hashes);
    let rest = rest.trim_end();
    if rest.is_empty() || rest.starts_with(' ') { format!("{marks}{rest}") } else { format!("{marks} {rest}") }
}

/// The `=` between key and value, past quoted keys.
fn find_equals(line: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '=') => return Some(at),
            _ => {}
        }
    }
    None
}

/// Where the text stands: how deep in brackets, and whether in a text over several lines.
#[derive(Default)]
struct Scan {
    depth: usize,
    text: Option<&'static str>,
}

impl Scan {
    const fn is_in_text(&self) -> bool {
        self.text.is_some()
    }

    fn read(&mut self, line: &str) {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            rest = if let Some(end) = self.text {
                self.read_text(rest, end)
            } else {
                match first {
                    '#' => return,
                    '"' if rest.starts_with("\"\"\"") => self.open(rest, "\"\"\""),
                    '\'' if rest.starts_with("'''") => self.open(rest, "'''"),
                    '"' | '\'' => skip_quoted(rest, first),
                    '[' | '{' => {
                        self.depth += 1;
                        after(rest, 1)
                    }
                    ']' | '}' => {
                        self.depth = self.depth.saturating_sub(1);
                        after(rest, 1)
                    }
                    other => after(rest, other.len_utf8()),
                }
            };
        }
    }

    fn open<'t>(&mut self, rest: &'t str, mark: &'static str) -> &'t str {
        self.text = Some(mark);
        after(rest, 3)
    }

    fn read_text<'t>(&mut self, rest: &'t str, end: &'static str) -> &'t str {
        if end == "\"\"\"" && rest.starts_with('\\') {
            return after(rest, 1 + after(rest, 1).chars().next().map_or(0, char::len_utf8));
        }
        if rest.starts_with(end) {
            self.text = None;
            return after(rest, 3);
        }
        after(rest, rest.chars().next().map_or(0, char::len_utf8))
    }
}

fn after(text: &str, bytes: usize) -> &str {
    text.get(bytes..).unwrap_or_default()
}

/// What follows a text in quotes.
fn skip_quoted(text: &str, quote: char) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' && quote == '"' {
            escaped = true;
        } else if c == quote {
            return after(text, at + 1);
        }
    }
    ""
}

#[cfg(test)]
mod tests;
