//! The pages a person sees: templates, texts by message key, brands, assets and the headers they go out with.
//!
//! The module knows nothing of flows, clients or requests: whoever answers a request fills a [`PageRequest`].
//! What the server has to offer around it:
//! - `GET /assets/{path}` answers [`Pages::asset`], with `immutable` as `Cache-Control: public, max-age=31536000, immutable`.
//! - `?lang=es` on any page that is reached by GET: when [`Locale::parse`] knows it, keep it in a session cookie and give
//!   both to [`choose_locale`]. The page's own address goes into [`PageRequest::here`], which makes the language links.
//! - A notice `out_of_date` on the current step's page answers a stale post.
//! - Every page goes out with [`page_headers`].

pub mod account_view;
pub mod asset;
pub mod brand;
pub mod catalogue;
pub mod headers;
pub mod locale;
pub mod message;
pub mod places;
pub mod qr;
mod render;
pub mod setup_view;
mod source;
mod templates;
pub mod terms;
pub mod view;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub use account_view::AccountView;
pub use asset::Asset;
pub use brand::Brand;
pub use headers::{FormAction, page_headers};
pub use locale::{Locale, LocaleHints, choose_locale};
pub use setup_view::SetupView;
pub use view::{
    AccountOption, AskerView, BoxView, ChoiceView, ControlView, FieldView, FormView, HiddenView, NoticeView,
    OptionView, PageRequest, QrView, ScopeView, Tone, values,
};

use asset::Assets;
use message::Catalogue;

/// Why the pages cannot be loaded; names the file and, where there is one, the key.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or folder could not be read.
    #[error("{file}: {reason}")]
    Unreadable {
        /// The file or folder.
        file: String,
        /// What went wrong.
        reason: String,
    },
    /// A file is not what it should be.
    #[error("{file}: {key}: {reason}")]
    Invalid {
        /// The file.
        file: String,
        /// The key in it, or its line where there is no key yet.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A template does not parse, or asks for a text that no locale has.
    #[error("template {template}: {reason}")]
    Template {
        /// The template.
        template: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl LoadError {
    fn invalid(file: &str, key: &str, reason: impl Into<String>) -> Self {
        Self::Invalid { file: file.to_owned(), key: key.to_owned(), reason: reason.into() }
    }
}

/// Why one page cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// No template has this page.
    #[error("no page is called {0:?}")]
    UnknownPage(String),
    /// The template engine refused.
    #[error(transparent)]
    Template(#[from] minijinja::Error),
}

/// Where an operator's own texts and brands are; what ships is compiled in.
#[derive(Clone, Debug, Default)]
pub struct PageSources {
    /// A folder with `en.toml`, `es.toml`: their keys win over the shipped ones.
    pub messages_dir: Option<PathBuf>,
    /// A folder with `<brand>.toml` and their logos: a brand of the same id replaces the shipped one.
    pub brand_dir: Option<PathBuf>,
    /// A folder with `<document>/<version>.<locale>.md`: a document of the same name replaces the shipped one.
    pub terms_dir: Option<PathBuf>,
}

/// All pages, loaded and checked once at start.
pub struct Pages {
    environment: minijinja::Environment<'static>,
    messages: Arc<Catalogue>,
    brands: BTreeMap<String, Arc<Brand>>,
    documents: terms::Documents,
    assets: Assets,
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").field("brands", &self.brands.keys()).finish_non_exhaustive()
    }
}

impl Pages {
    /// Loads what ships and what the operator lays over it.
    /// A text that a template asks for and a locale lacks is an error here, never on a page.
    pub fn load(sources: &PageSources) -> Result<Self, LoadError> {
        let messages = Catalogue::load(sources.messages_dir.as_deref())?;
        let brands = brand::load(sources.brand_dir.as_deref())?;
        let documents = terms::Documents::load(sources.terms_dir.as_deref())?;
        let environment = render::environment()?;
        render::check_keys(&messages)?;
        let assets = Assets::new(&brands);
        Ok(Self { environment, messages: Arc::new(messages), brands, documents, assets })
    }

    /// The page as HTML. An unknown brand is shown as the neutral one: a misspelt brand locks nobody out.
    pub fn render(&self, request: &PageRequest) -> Result<String, PageError> {
        render::render(self, request)
    }

    /// Whether a template has this page.
    pub fn has_page(&self, page: &str) -> bool {
        templates::find_template(page).is_some()
    }

    /// Whether every locale has a text for `key` on `page` of `policy`.
    pub fn has_message(&self, policy: &str, page: &str, key: &str) -> bool {
        Locale::ALL.into_iter().all(|locale| self.messages.find(locale, policy, page, key).is_some())
    }

    /// The brand of this id, if it is loaded.
    pub fn find_brand(&self, id: &str) -> Option<&Brand> {
        self.brands.get(id).map(Arc::as_ref)
    }

    /// Every brand that is loaded.
    pub fn brands(&self) -> impl Iterator<Item = &Brand> {
        self.brands.values().map(Arc::as_ref)
    }

    /// The brand whose host name this is.
    pub fn find_brand_of_host(&self, host: &str) -> Option<&Brand> {
        self.brands().find(|brand| brand.is_of_host(host))
    }

    /// The Terms of Use of this document and version, in the words of a brand.
    pub fn find_terms(&self, document: &str, version: &str, locale: Locale, brand: &str) -> Option<terms::TermsView> {
        self.documents.find(document, version, locale, self.brand_or_default(brand)?)
    }

    /// Whether there is such a document.
    pub fn has_terms(&self, document: &str, version: &str) -> bool {
        self.documents.has(document, version)
    }

    /// What lies at `path`, with or without its `/assets/`, for instance `pages-0123456789abcdef.css`.
    pub fn asset(&self, path: &str) -> Option<&Asset> {
        self.assets.find(path)
    }

    /// The address of an asset by its plain name, for instance `pages.css`; it changes with the content.
    pub fn asset_url(&self, name: &str) -> Option<&str> {
        self.assets.url(name)
    }

    fn brand_or_default(&self, id: &str) -> Option<&Arc<Brand>> {
        self.brands.get(id).or_else(|| self.brands.get(brand::DEFAULT))
    }
}
