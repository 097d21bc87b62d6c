//! Who asks: from a token, a session, or the word of a proxy that is believed.

use std::time::Duration;

use answers::mask::Mask;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use query::{Expr, Glob, IntRange, Query, TS, Term, Test};

use super::{Access, AccessError, Origin, Role, User};
use crate::app::App;
use crate::problem::Problem;
use crate::route::{Need, Route};

/// The cookie's name.
const COOKIE: &str = "postfix_insights";

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Viewer {
    /// The user; `None` where nobody signs in.
    pub(crate) name: Option<String>,
    pub(crate) role: Role,
    /// Only events of these domains are seen.
    pub(crate) scope: Option<Scope>,
}

impl Viewer {
    /// Somebody on this machine, where nobody signs in.
    pub(crate) fn local() -> Self {
        Self { name: None, role: Role::Admin, scope: None }
    }

    /// Somebody who is not signed in, for what everybody may ask: sees as little as anybody does.
    pub(crate) fn nobody() -> Self {
        Self { name: None, role: Role::Masked, scope: Some(Scope(Vec::new())) }
    }

    fn of(user: User) -> Self {
        let scope = if user.domains.is_empty() { None } else { Some(Scope(user.domains)) };
        Self { name: Some(user.name), role: user.role, scope }
    }

    /// Sees names and addresses masked.
    pub(crate) fn is_masked(&self) -> bool {
        self.role == Role::Masked
    }

    pub(crate) fn mask(&self) -> Mask {
        Mask(self.is_masked())
    }
}

/// Domains, in small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope(Vec<String>);

/// Fields whose addresses tell whose event it is.
const ADDRESSES: [&str; 5] = ["username", "from", "to", "orig_to", "sasl_sender"];

impl Scope {
    #[cfg(test)]
    pub(crate) fn new(domains: &[&str]) -> Self {
        Self(domains.iter().map(|domain| (*domain).to_owned()).collect())
    }

    /// Entries that name somebody of these domains.
    pub(crate) fn query(&self) -> Query {
        let address = |name, domain: &str| {
            let field = query::field(name)?;
            // The star stands for what is before the domain.
            let glob = Glob::new(vec![String::new(), format!("@{domain}")], field.cased);
            Some(Expr::Term(Term { field, test: Test::Word(glob) }))
        };
        let terms = self.0.iter().flat_map(|domain| ADDRESSES.iter().filter_map(move |name| address(name, domain)));
        let terms: Vec<Expr> = terms.collect();
        // A range of times in which nothing is: who has no domain sees nothing.
        let nothing = Test::Time(IntRange { from: Some(1), to: Some(0) });
        Query::of(if terms.is_empty() { Expr::Term(Term { field: TS, test: nothing }) } else { Expr::or(terms) })
    }

    /// Whether an address is of one of these domains.
    pub(crate) fn covers(&self, address: &str) -> bool {
        let domain = address.rsplit_once('@').map(|(_, domain)| domain);
        domain.is_some_and(|domain| self.0.iter().any(|own| own.eq_ignore_ascii_case(domain)))
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        Self::ours(&error.into())
    }
}

impl Access {
    /// Who asks. `None`: nobody who is known. `is_open`: without users, whoever gets here is let in.
    fn viewer(
        &self,
        headers: &HeaderMap,
        origin: &Origin,
        name_header: Option<&HeaderName>,
        is_open: bool,
    ) -> Result<Option<Viewer>, Problem> {
        let found = self.with(|users| {
            if let Some(token) = bearer(headers) {
                return users.by_token(token);
            }
            if let Some(header) = name_header.filter(|header| origin.by_proxy && headers.contains_key(*header)) {
                // Two of them: one is the client's own, and which one cannot be told.
                let mut names = headers.get_all(header).into_iter();
                let only = names.next().filter(|_| names.next().is_none()).and_then(|name| name.to_str().ok());
                return only.map_or(Ok(None), |name| users.user(name));
            }
            cookie_of(headers).map_or(Ok(None), |secret| users.by_session(secret))
        })?;
        Ok(match found {
            Some(user) => user.map(Viewer::of),
            None if !is_open || name_header.is_some() || origin.by_stranger => None,
            None => Some(Viewer::local()),
        })
    }
}

impl App {
    /// Who asks. `None`: nobody who is known.
    pub(crate) fn viewer(&self, headers: &HeaderMap, origin: &Origin) -> Result<Option<Viewer>, Problem> {
        let config = &self.config;
        // Also where the last user was removed meanwhile.
        let is_open = config.no_sign_in || (config.is_local() && !origin.by_proxy);
        self.access.viewer(headers, origin, config.name_header.as_ref(), is_open)
    }
}

/// Whether a viewer may ask that; if not, why.
pub(crate) fn may(viewer: Option<&Viewer>, route: &Route, origin: &Origin) -> Result<(), Problem> {
    match (viewer, route.need) {
        (_, Need::Nobody) => Ok(()),
        (None, _) if origin.by_stranger => Err(Problem::forbidden(
            "this came through a proxy that the server was not told of: start it with --trusted-proxy ADDR, and add users (`postfix-insights user add`)",
        )),
        (None, _) => Err(Problem::new(StatusCode::UNAUTHORIZED, "sign in first, or send a token")),
        (Some(viewer), Need::Admin) if viewer.role != Role::Admin => Err(Problem::forbidden("this is for admins")),
        (Some(viewer), Need::Whole | Need::Admin) if viewer.scope.is_some() => {
            Err(Problem::forbidden("this is about all domains, and your sign-in is for some of them"))
        }
        (Some(_), _) => Ok(()),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The session's secret.
pub(crate) fn cookie_of(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, secret)| secret)
}

/// The cookie that keeps a session, or ends it.
pub(crate) fn cookie(secret: &str, base: &str, secure: bool, age: Duration) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={secret}; Path={base}; Max-Age={}; HttpOnly; SameSite=Lax{secure}", age.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use query::Entry;

    #[test]
    fn whose_events() {
        let scope = Scope::new(&["a.example", "b.example"]);
        let query = scope.query();
        let entry = |set: fn(&mut Entry, String), value: &str| {
            let mut entry = Entry::default();
            set(&mut entry, value.to_owned());
            entry
        };
        assert!(query.matches(&entry(|entry, value| entry.username = Some(value), "Bob@A.example")));
        assert!(query.matches(&entry(|entry, value| entry.orig_to = Some(value), "x@b.example")));
        for name in ["bob", "bob@c.example", "bob@x.a.example", "a.example", "bob@a.example.evil", "bob@xa.example"] {
            assert!(!query.matches(&entry(|entry, value| entry.username = Some(value), name)), "{name}");
            assert!(!scope.covers(name), "{name}");
        }
        assert!(!query.matches(&entry(|entry, value| entry.text = Some(value), "bob@a.example")));
        assert!(scope.covers("bob@a.EXAMPLE") && !Scope::new(&[]).query().matches(&Entry::default()));
    }
}
