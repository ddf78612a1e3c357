//! A small strict reader of our own HTML: enough to catch what a person with a screen reader would stumble over.

use std::collections::BTreeMap;

const VOID: [&str; 6] = ["br", "img", "input", "link", "meta", "hr"];
const CHILDLESS_IN_SVG: [&str; 2] = ["path", "circle"];

#[derive(Debug)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    text: String,
}

impl Element {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// Well formed, and: ids are unique and every reference to one finds it, every input has a label, every button and link a
/// text, one h1, no nested forms, every form with its nonce.
pub(super) fn check(html: &str) -> Result<(), String> {
    let elements = read(html)?;
    check_ids(&elements)?;
    check_names(&elements)?;
    let headings: Vec<_> = elements.iter().filter(|e| e.name == "h1").collect();
    if headings.len() != 1 || headings[0].text.trim().is_empty() {
        return Err(format!("{} h1", headings.len()));
    }
    let forms = elements.iter().filter(|e| e.name == "form").count();
    let nonces = elements.iter().filter(|e| e.get("name") == Some("nonce") && e.get("type") == Some("hidden")).count();
    let foreign = elements.iter().filter(|e| e.get("data-submit-now").is_some()).count();
    // What only asks and changes nothing needs none.
    let asking = elements.iter().filter(|e| e.get("data-asks").is_some()).count();
    if forms != nonces + foreign + asking {
        return Err(format!("{forms} forms, {nonces} nonces"));
    }
    Ok(())
}

/// Well formed only.
pub(super) fn check_fragment(html: &str) -> Result<(), String> {
    read(html).map(drop)
}

fn check_ids(elements: &[Element]) -> Result<(), String> {
    let mut ids: Vec<&str> = elements.iter().filter_map(|e| e.get("id")).collect();
    ids.sort_unstable();
    if let Some([twice, ..]) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("id {twice:?} stands twice"));
    }
    for element in elements {
        for name in ["for", "form", "aria-describedby", "aria-labelledby"] {
            for id in element.get(name).into_iter().flat_map(str::split_whitespace) {
                if ids.binary_search(&id).is_err() {
                    return Err(format!("{name}={id:?} leads nowhere"));
                }
            }
        }
        if let Some(id) = element.get("href").and_then(|href| href.strip_prefix('#'))
            && ids.binary_search(&id).is_err()
        {
            return Err(format!("#{id} leads nowhere"));
        }
    }
    Ok(())
}

fn check_names(elements: &[Element]) -> Result<(), String> {
    for element in elements {
        let named = match element.name.as_str() {
            "input" if element.get("type") == Some("hidden") => true,
            "input" => element.get("id").is_some_and(|id| {
                elements.iter().any(|e| e.name == "label" && e.get("for") == Some(id) && !e.text.trim().is_empty())
            }),
            "button" | "a" | "h1" | "h2" | "label" | "title" | "li" => !element.text.trim().is_empty(),
            "img" => element.get("alt").is_some(),
            _ => true,
        };
        if !named {
            return Err(format!("without a name: {element:?}"));
        }
        if element.name == "button" && element.get("type") != Some("submit") {
            return Err(format!("a button without its type: {element:?}"));
        }
    }
    Ok(())
}

fn read(html: &str) -> Result<Vec<Element>, String> {
    let mut rest = html.strip_prefix("<!doctype html>\n").ok_or("no doctype")?;
    let (mut done, mut open): (Vec<Element>, Vec<Element>) = (Vec::new(), Vec::new());
    while let Some((text, tail)) = rest.split_once('<') {
        check_text(text)?;
        for element in &mut open {
            element.text.push_str(text);
        }
        let (tag, after) = cut_tag(tail)?;
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let element = open.pop().ok_or_else(|| format!("</{name}> closes nothing"))?;
            if element.name != name {
                return Err(format!("</{name}> closes <{}>", element.name));
            }
            done.push(element);
            continue;
        }
        let element = read_tag(tag.trim_end_matches('/'))?;
        if element.name == "form" && open.iter().any(|e| e.name == "form") {
            return Err("a form in a form".to_owned());
        }
        let empty = VOID.contains(&element.name.as_str()) || CHILDLESS_IN_SVG.contains(&element.name.as_str());
        if empty { done.push(element) } else { open.push(element) }
    }
    match open.pop() {
        None if rest.trim().is_empty() => Ok(done),
        left => Err(format!("open at the end: {left:?} {rest}")),
    }
}

fn check_text(text: &str) -> Result<(), String> {
    let bad_entity = |rest: &str| !rest.split_once(';').is_some_and(|(name, _)| name.len() < 8 && !name.contains(' '));
    if text.contains('>') || text.split('&').skip(1).any(bad_entity) {
        return Err(format!("unescaped: {text:?}"));
    }
    Ok(())
}

/// Up to the `>` that is in no attribute's value.
fn cut_tag(tail: &str) -> Result<(&str, &str), String> {
    let mut quoted = false;
    for (at, c) in tail.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '>' if !quoted => return Ok((&tail[..at], &tail[at + 1..])),
            '<' if !quoted => return Err(format!("< in a tag: {tail:.60}")),
            _ => {}
        }
    }
    Err(format!("a tag without end: {tail:.60}"))
}

fn read_tag(tag: &str) -> Result<Element, String> {
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        return Err(format!("a tag called {name:?}"));
    }
    let mut attributes = BTreeMap::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (key, tail) = rest.split_at(end);
        let (value, tail) = match tail.strip_prefix("=\"") {
            Some(tail) => tail.split_once('"').ok_or("an open value")?,
            None if tail.starts_with('=') => return Err(format!("an unquoted value: {rest:.60}")),
            None => ("", tail),
        };
        check_text(&value.replace('>', ""))?;
        if !key.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && key != "viewBox" {
            return Err(format!("an attribute called {key:?}"));
        }
        if attributes.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(format!("{key} stands twice in <{tag}>"));
        }
        rest = tail;
    }
    Ok(Element { name: name.to_owned(), attributes, text: String::new() })
}
