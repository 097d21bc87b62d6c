//! Whether a request that changes something comes from another site's page: a browser says so itself.

use axum::http::{HeaderMap, header};

/// Whether a form was sent by a page of another site (`Sec-Fetch-Site`, else `Origin`; <https://www.w3.org/TR/fetch-metadata/>). Programs that are no
/// browsers send neither, and no cookies that they were not given on purpose.
pub(crate) fn is_foreign(headers: &HeaderMap, hosts: &[&str]) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text("sec-fetch-site"), text(header::ORIGIN.as_str())) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            !host.is_some_and(|host| hosts.iter().any(|own| own.eq_ignore_ascii_case(host)))
        }
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_sites_are_told_from_this_one() {
        let foreign = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            is_foreign(&headers, &["localhost:8025"])
        };
        assert!(!foreign(&[]));
        assert!(!foreign(&[("sec-fetch-site", "same-origin"), ("origin", "https://x")]));
        assert!(!foreign(&[("sec-fetch-site", "none")]));
        assert!(!foreign(&[("origin", "http://localhost:8025")]));
        for pair in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "?"),
            ("origin", "null"),
            ("origin", "http://localhost:8026"),
            ("origin", "https://evil.example"),
            ("origin", "localhost:8025"),
        ] {
            assert!(foreign(&[pair]), "{pair:?}");
        }
    }
}
