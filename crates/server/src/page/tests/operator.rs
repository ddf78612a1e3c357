//! What operators put over the pages that ship: texts, brands, terms.

use std::path::{Path, PathBuf};

use super::{sample, visible};
use crate::page::*;

#[test]
fn an_operators_terms_are_shown_as_text() {
    let dir = Folder::new("terms");
    std::fs::create_dir_all(dir.0.join("house_rules")).unwrap();
    dir.write("house_rules/2024-06.en.md", "# Rules\n\n<script>alert(1)</script> of {company}\n");
    let pages = Pages::load(&PageSources { terms_dir: Some(dir.0.clone()), ..PageSources::default() }).unwrap();
    let terms = pages.find_terms("house_rules", "2024-06", Locale::Es, "acentra").unwrap();
    assert_eq!(terms.locale, Locale::En, "not translated: shown in the language there is");
    let html = pages.render(&PageRequest { terms: Some(terms), ..sample("terms") }).unwrap();
    assert!(html.contains("<p>&lt;script&gt;alert(1)&lt;/script&gt; of Acentra Health</p>"), "{html}");
}

#[test]
fn an_operators_files_win_key_by_key() {
    let dir = Folder::new("override");
    dir.write("es.toml", "[sign_in]\ntitle = \"Bienvenido a {product}\"\n");
    let pages = Pages::load(&PageSources { messages_dir: Some(dir.0.clone()), ..PageSources::default() }).unwrap();
    let text = |locale| visible(&pages.render(&PageRequest { locale, ..sample("sign_in") }).unwrap());
    assert!(text(Locale::Es).contains("Bienvenido a Atrezzo"));
    assert!(text(Locale::Es).contains("Contraseña"));
    assert!(text(Locale::En).contains("Sign in with your email address"));
}

#[test]
fn an_operators_mistake_names_file_and_key() {
    let dir = Folder::new("mistake");
    let load = || {
        Pages::load(&PageSources { messages_dir: Some(dir.0.clone()), ..PageSources::default() })
            .unwrap_err()
            .to_string()
    };
    dir.write("en.toml", "[email.sign_in]\ntitle = \"Hello\"\n");
    assert!(load().contains("messages/es.toml: email.sign_in.title: has no text in this language"), "{}", load());
    dir.write("en.toml", "[sign_in]\ntitle = \"Hello {you}\"\n");
    assert!(load().contains("en.toml: sign_in.title: {you} is not a value"), "{}", load());
    dir.write("en.toml", &"x".repeat(300 * 1024));
    assert!(load().contains("en.toml: is larger than"), "{}", load());
}

#[test]
fn an_operators_brand_is_loaded_with_its_logo() {
    let dir = Folder::new("brand");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/brand");
    let text = std::fs::read_to_string(shipped.join("kepro.toml")).unwrap();
    dir.write("duck.toml", &text.replace("kepro.svg", "pond.svg").replace("\"Kepro\"", "\"Duck Pond\""));
    let sources = PageSources { brand_dir: Some(dir.0.clone()), ..PageSources::default() };
    assert!(Pages::load(&sources).unwrap_err().to_string().contains("pond.svg: is not there"));
    dir.write("pond.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>");
    let pages = Pages::load(&sources).unwrap();
    assert_eq!(pages.find_brand("duck").map(Brand::name), Some("Duck Pond"));
    dir.write("duck.toml", &text.replace("kepro.svg", "../pond.svg"));
    assert!(Pages::load(&sources).unwrap_err().to_string().contains("duck.toml: logo: is the name of an .svg file"));
}

/// An empty folder of its own that goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("countersign-pages-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
