//! Every sample page of the server, as files: also those that no journey comes to, such as a device's or a refusal's.

use std::path::Path;

use countersign_server::page::{Locale, PageRequest, PageSources, Pages};
use countersign_tests::servers::{Browser, BrowserOptions};
use tempfile::TempDir;

use super::{find_axe, find_violations};
use crate::journey::overflow;

/// The samples that the server's own tests render.
#[path = "../../../crates/server/src/page/tests"]
#[allow(dead_code, reason = "hostile values are the server's own tests'")]
mod of_server {
    mod samples;

    /// A name for each page in each of its states, and the page.
    pub(super) fn list(locale: crate::page::Locale) -> Vec<(&'static str, crate::page::PageRequest)> {
        samples::samples(locale)
    }
}

/// The page as a file beside its assets. Nothing leaves it by itself.
fn write_page(folder: &Path, pages: &Pages, name: &str, request: &PageRequest) {
    let html = pages.render(request).unwrap_or_else(|error| panic!("{name}: {error}"));
    for path in html.split("\"/assets/").skip(1).map(|rest| rest.split_once('"').unwrap().0) {
        let file = folder.join("assets").join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, &pages.asset(path).unwrap().bytes).unwrap();
    }
    let goes = [" data-submit-now", " data-after-frames"];
    let html = goes.iter().fold(html.replace("\"/assets/", "\"assets/"), |html, mark| html.replace(mark, ""));
    std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
}

fn write_pages(locale: Locale) -> (TempDir, Vec<&'static str>) {
    let (folder, pages) = (tempfile::tempdir().unwrap(), Pages::load(&PageSources::default()).unwrap());
    let samples = of_server::list(locale);
    for (name, request) in &samples {
        write_page(folder.path(), &pages, name, request);
    }
    (folder, samples.into_iter().map(|(name, _)| name).collect())
}

async fn look_at_every_sample(locale: Locale, width: u32, height: u32) {
    let (folder, names) = write_pages(locale);
    let axe = find_axe();
    assert!(names.len() > 90, "{}", names.len());
    let options = BrowserOptions { size: (width, height), ..BrowserOptions::default() };
    let name = format!("samples.{}.{width}", locale.as_str());
    let problems = Browser::journey(&name, &options, async |browser| {
        let mut problems = Vec::new();
        for name in names {
            browser.open(&format!("file://{}", folder.path().join(format!("{name}.html")).display())).await;
            let over = overflow(browser, width).await;
            if over > 0 {
                problems.push(format!("{name}: {over} pixels too wide"));
            }
            let found = find_violations(browser, &axe).await;
            problems.extend(found.into_iter().map(|why| format!("{name}: {why}")));
        }
        problems
    })
    .await;
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test]
async fn every_sample_in_english_is_sound_on_a_telephone() {
    look_at_every_sample(Locale::En, 390, 844).await;
}

#[tokio::test]
async fn every_sample_in_english_is_sound_on_a_desk() {
    look_at_every_sample(Locale::En, 1280, 900).await;
}

#[tokio::test]
async fn every_sample_in_spanish_is_sound_on_a_telephone() {
    look_at_every_sample(Locale::Es, 390, 844).await;
}

#[tokio::test]
async fn every_sample_in_spanish_is_sound_on_a_desk() {
    look_at_every_sample(Locale::Es, 1280, 900).await;
}
