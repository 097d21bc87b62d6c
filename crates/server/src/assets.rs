//! Style and scripts: part of the program, named by what is in them, so that a browser keeps them until they change.

use std::sync::LazyLock;

/// A file of ours.
pub(crate) struct Asset {
    /// What templates call it: `style.css`.
    pub(crate) plain: &'static str,
    /// What it is called on the wire: `style.0123456789abcdef.css`.
    pub(crate) name: String,
    /// Its media type.
    pub(crate) media: &'static str,
    /// What is in it.
    pub(crate) body: &'static str,
}

/// Every file in `assets/`: its plain name, its media type and what is in it. A new file is added here.
const FILES: [(&str, &str, &str); 4] = [
    ("style.css", "text/css; charset=utf-8", include_str!("../assets/style.css")),
    ("icon.svg", "image/svg+xml", include_str!("../assets/icon.svg")),
    ("page.js", "text/javascript; charset=utf-8", include_str!("../assets/page.js")),
    ("live.js", "text/javascript; charset=utf-8", include_str!("../assets/live.js")),
];

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let named = |(plain, media, body): (&'static str, &'static str, &'static str)| {
        let hash = blake3::hash(body.as_bytes()).to_hex();
        let (stem, ending) = plain.rsplit_once('.').unwrap_or((plain, ""));
        let short = hash.get(..16).unwrap_or_default();
        Asset { plain, name: format!("{stem}.{short}.{ending}"), media, body }
    };
    FILES.into_iter().map(named).collect()
});

/// The file of that name on the wire.
pub(crate) fn named(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

/// The name on the wire of a file; for templates.
pub(crate) fn path(plain: &str) -> String {
    let found = ASSETS.iter().find(|asset| asset.plain == plain);
    found.map_or_else(String::new, |asset| format!("assets/{}", asset.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_name_of_its_own_content() {
        for (plain, _, body) in FILES {
            let asset = named(path(plain).strip_prefix("assets/").unwrap()).unwrap();
            assert_eq!((asset.plain, asset.body), (plain, body));
        }
        assert!(named("style.css").is_none());
    }
}
