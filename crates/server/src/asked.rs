//! A request as handlers see it: who asks, what for, with which parameters.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::Query as UrlQuery;
use axum::http::{HeaderMap, Uri};
use jiff::Timestamp;

use crate::access::{self, Origin, Viewer};
use crate::app::App;
use crate::problem::Problem;
use crate::route::Route;

/// A request that may be answered.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) app: Arc<App>,
    pub(crate) viewer: Viewer,
    pub(crate) origin: Origin,
    /// What stands in the path behind the route's name, decoded: an address, an account, a queue id; else empty.
    pub(crate) subject: String,
    pub(crate) params: Params,
    pub(crate) headers: HeaderMap,
    /// The path and query as they came.
    pub(crate) uri: Uri,
    /// The moment that relative times refer to.
    pub(crate) now: Timestamp,
}

/// The parameters of a request, each given once and known to its route.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    /// Of an address, and of a form if one was sent. A parameter that the route does not know is a problem, and so is one that is given twice.
    pub(crate) fn of(route: &Route, uri: &Uri, form: Vec<(String, String)>) -> Result<Self, Problem> {
        let UrlQuery(pairs) = UrlQuery::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| Problem::bad(format!("the parameters cannot be read: {error}")))?;
        let mut params = BTreeMap::new();
        for (name, value) in pairs.into_iter().chain(form) {
            if !route.params.iter().any(|param| param.name() == name) {
                let known: Vec<&str> = route.params.iter().map(|param| param.name()).collect();
                let known = if known.is_empty() { "none".to_owned() } else { format!("`{}`", known.join("`, `")) };
                return Err(Problem::bad(format!("no parameter is called `{name}` here; known are {known}")));
            }
            if value.contains('\0') {
                return Err(Problem::bad(format!("`{name}` holds a NUL byte")));
            }
            if params.insert(name.clone(), value).is_some() {
                return Err(Problem::bad(format!("`{name}` is given twice")));
            }
        }
        Ok(Self(params))
    }

    /// A parameter, if it is given and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A whole number, at most `most`.
    pub(crate) fn number(&self, name: &str, default: usize, most: usize) -> Result<usize, Problem> {
        let Some(text) = self.get(name) else { return Ok(default) };
        let number = text.parse::<usize>().ok().filter(|number| *number <= most);
        number.ok_or_else(|| Problem::bad(format!("`{name}` is a whole number from 0 to {most}, not `{text}`")))
    }

    /// All of them, for whoever makes a link to a page like this one.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl Asked {
    /// The address of this page or answer with one parameter changed, percent-encoded.
    pub(crate) fn link_with(&self, name: &str, value: &str) -> String {
        let others = self.params.pairs().filter(|(known, _)| *known != name);
        let pairs: Vec<(&str, &str)> = others.chain([(name, value)]).collect();
        let query = serde_urlencoded::to_string(pairs).unwrap_or_default();
        format!("{}?{query}", self.uri.path())
    }

    /// Whether it is the password. Few are looked at at once.
    pub(crate) fn is_password(&self, password: &str, hash: Option<&str>) -> Result<bool, Problem> {
        let turn = tokio::runtime::Handle::current().block_on(self.app.access.checks.acquire());
        let _turn = turn.map_err(|error| Problem::ours(&error.into()))?;
        Ok(access::is_password(password, hash))
    }

    /// How times are shown.
    pub(crate) fn clock(&self) -> answers::times::Clock {
        answers::times::Clock::new(self.app.config.zone.clone())
    }
}
