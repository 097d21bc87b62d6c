//! Pictures of the pages, light and dark, wide and narrow.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use crate::Place;
use crate::access::pages;
use crate::chrome::{Chrome, Look};
use crate::serve::Server;

/// Highest picture.
const HEIGHT: u64 = 2_400;

/// What the documents show: names of files, the page, and how wide, how high and in which light it is drawn.
const FOR_DOCS: [(&str, &str, u32, u32, bool); 3] = [
    ("overview.png", "", 1280, 860, false),
    ("overview-phone.png", "", 390, 844, true),
    ("search.png", "search?q=class:auth_failed", 1280, 860, false),
];

/// Draws the pictures of the documents.
pub(crate) fn for_docs(place: &Place, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let scenarios =
        ["busy_hour", "backend_socket_missing", "deferred_then_sent", "guessing_from_many_sources", "stale_device"];
    let server = Server::of(place, &scenarios, &[])?;
    for (name, page, width, height, dark) in FOR_DOCS {
        let chrome = Chrome::open(Look { width, height, dark, ..Look::default() })?;
        chrome.go(&format!("{}{page}", server.url))?;
        chrome.until("the answers are there", "document.querySelector('.first, .rows')")?;
        std::fs::write(folder.join(name), chrome.picture(width, height)?)?;
    }
    Ok(())
}

/// Draws all of them into a folder: `search-dark-390.png`.
pub(crate) fn draw(place: &Place, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let scenarios = [
        "busy_hour",
        "backend_socket_missing",
        "deferred_then_sent",
        "hostile_user_names",
        "guessing_from_many_sources",
    ];
    let server = Server::of(place, &scenarios, &[])?;
    for (width, dark) in [(1440, false), (1440, true), (390, false), (390, true)] {
        let chrome = Chrome::open(Look { width, dark, ..Look::default() })?;
        for (number, page) in pages().into_iter().enumerate() {
            chrome.go(&format!("{}{page}", server.url))?;
            chrome.until("the page is there", "document.querySelector('h1') && !document.querySelector('.verdict')?.textContent.includes('being counted')")?;
            let height =
                chrome.run("return document.documentElement.scrollHeight")?.as_u64().unwrap_or(900).min(HEIGHT);
            let picture = chrome.picture(width, u32::try_from(height)?)?;
            let name = page.split(['?', '/']).next().unwrap_or_default();
            let name = if name.is_empty() { "overview" } else { name };
            let scheme = if dark { "dark" } else { "light" };
            std::fs::write(folder.join(format!("{number:02}-{name}-{scheme}-{width}.png")), picture)?;
        }
        // A page must not be wider than the screen.
        let wide: Value = chrome.run("return document.documentElement.scrollWidth > innerWidth")?;
        anyhow::ensure!(wide == false, "a page is wider than {width}");
    }
    Ok(())
}
