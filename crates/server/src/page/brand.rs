//! How a client's pages look: name, logo, colours, texts of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::message::{Texts, check_text};
use super::source::{MAX_FILE, find_text, parse_toml};
use super::{LoadError, Locale};

/// The brand of clients that name none.
pub const DEFAULT: &str = "default";
/// The largest logo, in bytes.
const MAX_LOGO: u64 = 64 * 1024;
/// The most brands in a folder.
const MAX_BRANDS: usize = 256;
/// The least contrast of text (WCAG 2.2, 1.4.3).
const TEXT_CONTRAST: f64 = 4.5;

const SHIPPED: [(&str, &str, &str); 3] = [
    (
        DEFAULT,
        include_str!("../../../../config/brand/default.toml"),
        include_str!("../../../../config/brand/default.svg"),
    ),
    (
        "acentra",
        include_str!("../../../../config/brand/acentra.toml"),
        include_str!("../../../../config/brand/acentra.svg"),
    ),
    ("kepro", include_str!("../../../../config/brand/kepro.toml"), include_str!("../../../../config/brand/kepro.svg")),
];

/// A loaded brand.
#[derive(Clone, Debug)]
pub struct Brand {
    id: String,
    file: BrandFile,
    logo: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BrandFile {
    name: String,
    product: String,
    logo: String,
    help_link: Option<String>,
    mail_from: Option<String>,
    mail_from_name: Option<String>,
    #[serde(default)]
    hosts: Vec<String>,
    colours: Colours,
    #[serde(default)]
    texts: BTreeMap<String, Texts>,
}

/// The colours a brand may choose; everything else is the same for all.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Colours {
    /// Buttons and links.
    primary: Colour,
    /// Text on `primary`.
    on_primary: Colour,
    /// The other end of the band behind the card.
    accent: Colour,
    /// The page around the card.
    background: Colour,
}

/// An sRGB colour, `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Colour([u8; 3]);

const WHITE: Colour = Colour([255; 3]);
/// `--ink-soft` of pages.css, the palest text on the page's ground and on the primary colour's tint.
const INK_SOFT: Colour = Colour([0x4c, 0x5a, 0x69]);

impl TryFrom<String> for Colour {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii());
        let channel = |at: usize| u8::from_str_radix(digits?.get(at..at + 2)?, 16).ok();
        match (channel(0), channel(2), channel(4)) {
            (Some(r), Some(g), Some(b)) if !text.contains('+') => Ok(Self([r, g, b])),
            _ => Err(format!("{text:?} is not a colour like #1a2b3c")),
        }
    }
}

impl std::fmt::Display for Colour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [r, g, b] = self.0;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

impl Colour {
    /// The relative luminance (WCAG 2.2, definition).
    fn luminance(self) -> f64 {
        let [r, g, b] = self.0.map(|channel| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// This colour with `percent` of `other` in it.
    fn mixed(self, other: Self, percent: u16) -> Self {
        let mut channels = [0; 3];
        for (out, (a, b)) in channels.iter_mut().zip(self.0.into_iter().zip(other.0)) {
            let sum = u16::from(a) * (100 - percent) + u16::from(b) * percent;
            *out = u8::try_from(sum / 100).unwrap_or(u8::MAX);
        }
        Self(channels)
    }
}

impl Brand {
    /// The id clients name it by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The company, `{company}` in texts.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// The product, `{product}` in texts.
    pub fn product(&self) -> &str {
        &self.file.product
    }

    /// Where help is; on every page at the same place.
    pub fn help_link(&self) -> Option<&str> {
        self.file.help_link.as_deref()
    }

    /// The address its mails come from; none: the deployment's.
    pub fn mail_from(&self) -> Option<&str> {
        self.file.mail_from.as_deref()
    }

    /// The name its mails come from; none: the company.
    pub fn mail_from_name(&self) -> Option<&str> {
        self.file.mail_from_name.as_deref()
    }

    /// Whether pages without a client are shown in this brand under `host`, which may carry a port.
    pub fn is_of_host(&self, host: &str) -> bool {
        let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        let name = name.map_or(host, |(name, _)| name);
        self.file.hosts.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    pub(super) fn logo(&self) -> &str {
        &self.logo
    }

    /// The brand's own text for a full key.
    pub(super) fn find_text(&self, locale: Locale, full_key: &str) -> Option<&str> {
        self.file.texts.get(locale.as_str())?.get(full_key).map(String::as_str)
    }

    /// The brand's style sheet: custom properties, nothing else.
    pub(super) fn css(&self) -> String {
        let Colours { primary, on_primary, accent, background } = self.file.colours;
        let strong = primary.mixed(Colour([0; 3]), 22);
        let tint = primary.mixed(WHITE, 93);
        let line = primary.mixed(WHITE, 78);
        format!(
            ":root{{--primary:{primary};--on-primary:{on_primary};--primary-strong:{strong};--primary-tint:{tint};\
             --primary-line:{line};--accent:{accent};--background:{background}}}\n"
        )
    }

    /// A small picture for the browser's tab: the brand's initial on its colour.
    pub(super) fn icon(&self) -> String {
        let initial = self.file.name.chars().find(|c| c.is_alphanumeric()).unwrap_or('C');
        let Colours { primary, on_primary, .. } = self.file.colours;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\"><rect width=\"32\" height=\"32\" rx=\"8\" \
             fill=\"{primary}\"/><text x=\"16\" y=\"23\" font-family=\"system-ui,sans-serif\" font-size=\"20\" \
             font-weight=\"700\" text-anchor=\"middle\" fill=\"{on_primary}\">{initial}</text></svg>\n"
        )
    }
}

/// The shipped brands, with the operator's laid over them by id.
pub(super) fn load(dir: Option<&Path>) -> Result<BTreeMap<String, Arc<Brand>>, LoadError> {
    let mut brands = BTreeMap::new();
    for (id, text, logo) in SHIPPED {
        let file = format!("config/brand/{id}.toml");
        brands.insert(id.to_owned(), Arc::new(check(&file, id, parse_toml(&file, text)?, logo.to_owned())?));
    }
    for path in dir.map_or_else(|| Ok(Vec::new()), list_brand_files)? {
        let brand = read(&path)?;
        brands.insert(brand.id.clone(), Arc::new(brand));
    }
    Ok(brands)
}

fn list_brand_files(dir: &Path) -> Result<Vec<std::path::PathBuf>, LoadError> {
    let unreadable = |reason: String| LoadError::Unreadable { file: dir.display().to_string(), reason };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|error| unreadable(error.to_string()))? {
        let path = entry.map_err(|error| unreadable(error.to_string()))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
        if files.len() > MAX_BRANDS {
            return Err(unreadable(format!("holds more than {MAX_BRANDS} brands")));
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Brand, LoadError> {
    let file = path.display().to_string();
    let missing = |what: &str| LoadError::Unreadable { file: what.to_owned(), reason: "is not there".to_owned() };
    let id = path.file_stem().and_then(|stem| stem.to_str()).filter(|id| is_plain_name(id));
    let id = id.ok_or_else(|| LoadError::invalid(&file, "file name", "a brand's id is of a-z, 0-9, - and _"))?;
    let parsed: BrandFile = parse_toml(&file, &find_text(path, MAX_FILE)?.ok_or_else(|| missing(&file))?)?;
    let stem = parsed.logo.strip_suffix(".svg").filter(|stem| is_plain_name(stem));
    if stem.is_none() {
        return Err(LoadError::invalid(&file, "logo", "is the name of an .svg file beside this one"));
    }
    let logo_path = path.with_file_name(&parsed.logo);
    let logo = find_text(&logo_path, MAX_LOGO)?.ok_or_else(|| missing(&logo_path.display().to_string()))?;
    check(&file, id, parsed, logo)
}

fn is_plain_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

fn check(file: &str, id: &str, brand: BrandFile, logo: String) -> Result<Brand, LoadError> {
    let invalid = |key: &str, reason: String| Err(LoadError::invalid(file, key, reason));
    for (key, text) in [("name", &brand.name), ("product", &brand.product)] {
        if text.trim().is_empty() || text.len() > 100 || text.chars().any(char::is_control) {
            return invalid(key, "is 1 to 100 bytes of plain text".to_owned());
        }
    }
    if brand.help_link.as_deref().is_some_and(|link| !is_safe_link(link)) {
        return invalid("help_link", "begins with https:, http:, mailto:, tel: or a single /".to_owned());
    }
    if let Some(from) = brand.mail_from.as_deref().filter(|from| !is_mail_address(from)) {
        return invalid("mail_from", format!("{from:?} is not a mail address"));
    }
    let is_bad = |name: &str| name.trim().is_empty() || name.len() > 100 || name.chars().any(char::is_control);
    if brand.mail_from_name.as_deref().is_some_and(is_bad) {
        return invalid("mail_from_name", "is 1 to 100 bytes of plain text".to_owned());
    }
    if let Some(host) = brand.hosts.iter().find(|host| !is_host(host)) {
        return invalid("hosts", format!("{host:?} is not a host name without scheme and port"));
    }
    for (key, front, back) in pairs_to_read(&brand.colours) {
        let contrast = front.contrast(back);
        if contrast < TEXT_CONTRAST {
            return invalid(key, format!("{front} on {back} has contrast {contrast:.2}, less than {TEXT_CONTRAST}"));
        }
    }
    for (language, texts) in &brand.texts {
        if !Locale::ALL.into_iter().any(|locale| locale.as_str() == language) {
            return invalid(&format!("texts.{language}"), "is not a shipped language".to_owned());
        }
        for (key, text) in texts {
            if let Err(reason) = check_text(text) {
                return invalid(&format!("texts.{language}.{key}"), reason);
            }
        }
    }
    if let Err(reason) = check_logo(&logo) {
        return invalid("logo", reason);
    }
    Ok(Brand { id: id.to_owned(), file: brand, logo })
}

/// The pairs of colours that text is set in.
fn pairs_to_read(colours: &Colours) -> [(&'static str, Colour, Colour); 4] {
    [
        ("colours.background", INK_SOFT, colours.background),
        ("colours.on_primary", colours.on_primary, colours.primary),
        ("colours.primary", colours.primary, WHITE),
        ("colours.background", colours.primary, colours.background),
    ]
}

/// Enough to keep headers whole; the mail library reads it again.
fn is_mail_address(text: &str) -> bool {
    let plain =
        text.len() <= 254 && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b',' | b'"'));
    plain && text.split_once('@').is_some_and(|(local, host)| !local.is_empty() && is_host(host))
}

fn is_host(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.split('.').all(|label| !label.is_empty())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}

fn is_safe_link(link: &str) -> bool {
    let schemes = ["https:", "http:", "mailto:", "tel:"];
    let local = link.starts_with('/') && !link.starts_with("//") && !link.contains('\\');
    link.len() <= 500
        && !link.chars().any(|c| c.is_control() || c.is_whitespace())
        && (local || schemes.iter().any(|scheme| link.starts_with(scheme)))
}

/// A logo is shown as an image, which runs no script; this keeps one out that would run when opened by itself.
fn check_logo(svg: &str) -> Result<(), String> {
    let lower = svg.to_ascii_lowercase();
    if !lower.trim_start().starts_with("<svg") {
        return Err("the file does not begin with <svg".to_owned());
    }
    for banned in ["<script", "<foreignobject", "<!entity", "javascript:", "href=\"http", "href='http"] {
        if lower.contains(banned) {
            return Err(format!("the file contains {banned:?}"));
        }
    }
    if has_event_handler(&lower) {
        return Err("the file contains an event handler".to_owned());
    }
    Ok(())
}

/// Whether an attribute like `onload=` stands anywhere.
fn has_event_handler(lower: &str) -> bool {
    lower.split(|c: char| c.is_whitespace() || c == '/' || c == '"' || c == '\'').any(|word| {
        let name = word.split('=').next().unwrap_or_default();
        name.len() < word.len() && name.len() > 2 && name.starts_with("on")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r##"
name = "Duck Pond Clinic"
product = "Pond"
logo = "duck.svg"
[colours]
primary = "#14375e"
on_primary = "#ffffff"
accent = "#0b7a75"
background = "#f2f5f9"
"##;

    fn checked(text: &str) -> Result<Brand, LoadError> {
        check("duck.toml", "duck", parse_toml("duck.toml", text)?, "<svg></svg>".to_owned())
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        let black = Colour([0; 3]);
        assert!((black.contrast(WHITE) - 21.0).abs() < 1e-9);
        let grey = Colour::try_from("#767676".to_owned()).unwrap();
        assert!((grey.contrast(WHITE) - 4.54).abs() < 0.01);
    }

    #[test]
    fn unreadable_colours_are_refused() {
        assert!(checked(GOOD).is_ok());
        for (from, to, key) in [
            ("on_primary = \"#ffffff\"", "on_primary = \"#336699\"", "colours.on_primary"),
            ("primary = \"#14375e\"", "primary = \"#ffd700\"", "colours.on_primary"),
            ("background = \"#f2f5f9\"", "background = \"#445566\"", "colours.background"),
            ("background = \"#f2f5f9\"", "background = \"#b8c4d0\"", "colours.background"),
        ] {
            let error = checked(&GOOD.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("duck.toml: {key}: ")), "{error}");
        }
        for bad in ["red", "#12345", "#1234567", "#+1+1+1", "#日日"] {
            assert!(Colour::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_brand_has_its_own_sender_and_hosts() {
        let more =
            "mail_from = \"pond@example.com\"\nmail_from_name = \"Pond\"\nhosts = [\"pond.example.com\"]\n[colours]";
        let brand = checked(&GOOD.replacen("[colours]", more, 1)).unwrap();
        assert_eq!((brand.mail_from(), brand.mail_from_name()), (Some("pond@example.com"), Some("Pond")));
        assert!(brand.is_of_host("Pond.example.com") && brand.is_of_host("pond.example.com:8443"));
        assert!(!brand.is_of_host("example.com") && !brand.is_of_host("pond.example.com.evil.example"));
        for (key, line) in [
            ("mail_from", "mail_from = \"Pond <pond@example.com>\""),
            ("mail_from", "mail_from = \"pond@\""),
            ("mail_from_name", "mail_from_name = \"a\\r\\nBcc: b\""),
            ("hosts", "hosts = [\"https://pond.example.com\"]"),
        ] {
            let error = checked(&GOOD.replacen("[colours]", &format!("{line}\n[colours]"), 1)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("duck.toml: {key}: ")), "{error}");
        }
    }

    #[test]
    fn a_help_link_runs_no_script() {
        for good in ["https://help.example.com/a?b=c", "mailto:help@example.com", "tel:+12025550100", "/help"] {
            assert!(is_safe_link(good), "{good}");
        }
        for bad in
            ["javascript:alert(1)", "//evil.example", "/\\evil.example", "data:text/html,x", "help", "https://a b", ""]
        {
            assert!(!is_safe_link(bad), "{bad}");
        }
    }

    #[test]
    fn a_logo_carries_no_script() {
        assert!(check_logo("<svg xmlns=\"http://www.w3.org/2000/svg\"><path d=\"M0 0\"/></svg>").is_ok());
        for bad in [
            "<html>",
            "<svg><script>x</script></svg>",
            "<svg onload=\"x\"/>",
            "<svg><image href=\"https://x/y\"/></svg>",
        ] {
            assert!(check_logo(bad).is_err(), "{bad}");
        }
    }
}
