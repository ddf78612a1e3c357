//! The relaxed canonical forms of fields and bodies (RFC 6376, 3.4.2 and 3.4.4).

/// A field as it stands in a mail.
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    /// All after the colon, folded as it is, without the last CRLF.
    value: &'a str,
}

impl<'a> Field<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (name, value) = text.split_once(':')?;
        Some(Self { name: name.trim_end_matches([' ', '\t']), value })
    }
}

/// The fields of a mail and its body; none for what is no mail with CRLF line ends and a header in UTF-8.
pub(super) fn split(mail: &[u8]) -> Option<(Vec<Field<'_>>, &[u8])> {
    let end = mail.windows(4).position(|window| window == b"\r\n\r\n")?;
    let header = str::from_utf8(&mail[..end]).ok()?;
    let mut fields = Vec::new();
    let mut start = 0;
    for (at, _) in header.match_indices("\r\n").chain([(header.len(), "")]) {
        let is_folded = header[at..].starts_with("\r\n ") || header[at..].starts_with("\r\n\t");
        if !is_folded {
            fields.push(Field::parse(&header[start..at])?);
            start = at + 2;
        }
    }
    Some((fields, &mail[end + 4..]))
}

/// `name:value` in one line, spaces reduced, without its CRLF.
pub(super) fn canonical_field(field: &Field<'_>) -> Vec<u8> {
    let unfolded = field.value.replace("\r\n", "");
    let value = reduce_spaces(unfolded.as_bytes());
    let value = value.strip_prefix(b" ").unwrap_or(&value);
    [field.name.to_ascii_lowercase().as_bytes(), b":", value].concat()
}

/// Lines with spaces reduced and without the empty ones at the end. An empty body stays empty.
pub(super) fn canonical_body(body: &[u8]) -> Vec<u8> {
    let mut canonical = Vec::with_capacity(body.len() + 2);
    let mut pending_breaks = 0;
    for line in split_lines(body) {
        let line = reduce_spaces(line);
        if !line.is_empty() {
            for _ in 0..pending_breaks {
                canonical.extend(b"\r\n");
            }
            pending_breaks = 0;
            canonical.extend(line);
        }
        pending_breaks += 1;
    }
    if !canonical.is_empty() {
        canonical.extend(b"\r\n");
    }
    canonical
}

/// The parts between CRLFs; what follows the last one is a line of its own.
fn split_lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(body);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.windows(2).position(|window| window == b"\r\n") else {
            rest = None;
            return Some(text);
        };
        rest = Some(&text[end + 2..]);
        Some(&text[..end])
    })
}

/// Every run of spaces and tabs becomes one space, and none is left at the end.
fn reduce_spaces(line: &[u8]) -> Vec<u8> {
    let mut reduced = Vec::with_capacity(line.len());
    for &byte in line {
        match byte {
            b' ' | b'\t' if reduced.last() == Some(&b' ') => {}
            b' ' | b'\t' => reduced.push(b' '),
            other => reduced.push(other),
        }
    }
    if reduced.last() == Some(&b' ') {
        reduced.pop();
    }
    reduced
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6376, 3.4.5.
    #[test]
    fn the_example_of_the_rfc_is_reduced_as_it_says() {
        let mail = b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n";
        let (fields, body) = split(mail).unwrap();
        let fields: Vec<_> = fields.iter().map(canonical_field).collect();
        assert_eq!(fields, [b"a:X".to_vec(), b"b:Y Z".to_vec()]);
        assert_eq!(canonical_body(body), b" C\r\nD E\r\n");
    }

    #[test]
    fn bodies_end_in_one_line_break_or_are_empty() {
        for (body, canonical) in [
            ("", ""),
            ("\r\n", ""),
            ("\r\n\r\n", ""),
            (" \t\r\n", ""),
            ("a", "a\r\n"),
            ("a\r\n", "a\r\n"),
            ("a\r\n \r\n\r\n", "a\r\n"),
            ("\r\n\r\na", "\r\n\r\na\r\n"),
            ("a\nb\r\n", "a\nb\r\n"),
        ] {
            assert_eq!(canonical_body(body.as_bytes()), canonical.as_bytes(), "{body:?}");
        }
    }

    #[test]
    fn what_is_no_mail_has_no_fields() {
        for mail in ["", "From: a", "From a\r\n\r\n", "From: a\r\nx\r\n\r\n"] {
            assert!(split(mail.as_bytes()).is_none(), "{mail:?}");
        }
    }
}
