//! Style sheets, script and pictures, each under an address that changes with its content.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Brand;

/// Where assets are served.
pub const PREFIX: &str = "/assets/";

/// One file to be served.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its media type.
    pub content_type: &'static str,
    /// Its entity tag, quotes included.
    pub etag: String,
    /// Its address, with the fingerprint in it.
    pub url: String,
    /// Whether this address will always mean these bytes.
    pub immutable: bool,
}

impl Asset {
    /// What `Cache-Control` says of it.
    pub fn cache_control(&self) -> &'static str {
        if self.immutable { "public, max-age=31536000, immutable" } else { "no-cache" }
    }
}

/// All assets: by plain name, and by the name with the fingerprint in it.
pub(super) struct Assets {
    by_path: BTreeMap<String, Asset>,
}

impl Assets {
    pub(super) fn new(brands: &BTreeMap<String, Arc<Brand>>) -> Self {
        let mut assets = Self { by_path: BTreeMap::new() };
        assets.insert("pages", "css", include_str!("../../assets/pages.css"));
        assets.insert("pages", "js", include_str!("../../assets/pages.js"));
        assets.insert("check_session", "js", include_str!("../../assets/check_session.js"));
        assets.insert("passkey", "js", include_str!("../../assets/passkey.js"));
        for brand in brands.values() {
            let id = brand.id();
            assets.insert(&format!("brand/{id}"), "css", &brand.css());
            assets.insert(&format!("brand/{id}"), "svg", brand.logo());
            assets.insert(&format!("brand/{id}.icon"), "svg", &brand.icon());
        }
        assets
    }

    fn insert(&mut self, stem: &str, extension: &str, text: &str) {
        let mark = fingerprint(text.as_bytes());
        let path = format!("{stem}-{mark:016x}.{extension}");
        let asset = Asset {
            bytes: text.as_bytes().to_vec(),
            content_type: content_type(extension),
            etag: format!("\"{mark:016x}\""),
            url: format!("{PREFIX}{path}"),
            immutable: true,
        };
        // During a rolling upgrade a page of the other version asks for its own fingerprint: the plain name answers it.
        self.by_path.insert(format!("{stem}.{extension}"), Asset { immutable: false, ..asset.clone() });
        self.by_path.insert(path, asset);
    }

    pub(super) fn find(&self, path: &str) -> Option<&Asset> {
        let path = path.strip_prefix(PREFIX).unwrap_or(path);
        self.by_path.get(path).or_else(|| self.by_path.get(&without_fingerprint(path)?))
    }

    pub(super) fn url(&self, name: &str) -> Option<&str> {
        self.by_path.get(name).map(|asset| asset.url.as_str())
    }
}

fn without_fingerprint(path: &str) -> Option<String> {
    let (stem, extension) = path.rsplit_once('.')?;
    let (stem, mark) = stem.rsplit_once('-')?;
    let is_mark = mark.len() == 16 && mark.bytes().all(|b| b.is_ascii_hexdigit());
    is_mark.then(|| format!("{stem}.{extension}"))
}

fn content_type(extension: &str) -> &'static str {
    match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        _ => "image/svg+xml",
    }
}

/// FNV-1a, 64 bits: tells versions apart, the same on every node; nothing secret hangs on it.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_changes_with_the_content() {
        let mut assets = Assets { by_path: BTreeMap::new() };
        assets.insert("pages", "css", "a{}");
        let url = assets.url("pages.css").unwrap().to_owned();
        let path = url.strip_prefix(PREFIX).unwrap();
        assert!(assets.find(path).unwrap().immutable && assets.find(&url).unwrap().immutable);
        assert!(!assets.find("pages.css").unwrap().immutable);
        let other = assets.find("pages-00000000000000aa.css").unwrap();
        assert_eq!((other.immutable, other.cache_control()), (false, "no-cache"));
        assets.insert("pages", "css", "b{}");
        assert_ne!(assets.url("pages.css").unwrap(), url);
        for absent in ["", "../pages.css", "pages", "pages-xyz.css", "pages-.css", "/pages.css"] {
            assert!(assets.find(absent).is_none(), "{absent}");
        }
    }

    #[test]
    fn the_fingerprint_is_fnv_1a() {
        assert_eq!(fingerprint(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
