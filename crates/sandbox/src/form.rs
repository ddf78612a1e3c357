//! Form bodies and queries.

use url::form_urlencoded;

/// A decoded `application/x-www-form-urlencoded` body; names may repeat.
pub struct Form(Vec<(String, String)>);

impl Form {
    pub fn read(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// The first non-empty value.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.list(name).into_iter().find(|value| !value.is_empty())
    }

    pub fn list(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_str()).collect()
    }
}
