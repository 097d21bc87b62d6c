//! Names that strangers made up to run in a browser.

use anyhow::{Result, ensure};

use crate::Place;
use crate::chrome::{Chrome, Look};
use crate::serve::Server;

const NAME: &str = "<script>alert(1)</script>@example.test";

/// They are read as they were written, nothing of them runs, and the browser had nothing to block.
pub(crate) fn text(place: &Place) -> Result<()> {
    let server = Server::of(place, &["hostile_user_names", "hostile_helo_and_addresses", "hostile_mechanisms"], &[])?;
    let chrome = Chrome::open(Look::default())?;
    let account = "account/%3Cscript%3Ealert%281%29%3C%2Fscript%3E%40example.test";
    let pages = [
        "",
        "search?limit=200",
        "live",
        "findings",
        "sources",
        "delivery",
        "client/198.51.100.240",
        account,
        "search?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
        "nothing/%3Cscript%3E",
    ];
    for page in pages {
        chrome.go(&format!("{}{page}", server.url))?;
        chrome.until("the page is there", "document.querySelector('h1') && document.readyState === 'complete'")?;
        chrome.run("for (const one of document.querySelectorAll('details')) one.open = true")?;
        let suspicious = chrome.suspicious()?;
        ensure!(suspicious.is_empty(), "/{page}: {suspicious:?}");
        let strange = chrome.run(
            "return [...document.querySelectorAll('script, img, iframe, object, embed, style, [style], [onerror], [onload], [onclick]')].filter((one) => !one.src?.includes('/assets/')).map((one) => one.outerHTML)",
        )?;
        ensure!(strange.as_array().is_some_and(Vec::is_empty), "/{page}: {strange}");
        let raw = chrome.run("return /[\\u0000-\\u0008\\u000b-\\u001f\\u007f\\u202a-\\u202e\\u2066-\\u2069]/.test(document.body.textContent)")?;
        ensure!(raw == false, "/{page} holds characters that are not to be obeyed");
    }
    chrome.go(&format!("{}{account}", server.url))?;
    ensure!(chrome.text("h1")?.contains(NAME), "the name is not read as it was written");
    chrome.go(&format!("{}search?q=class:auth_failed%20user:%22%3Cscript%3E*%22", server.url))?;
    ensure!(chrome.text(".rows")?.contains(NAME), "the line is not read as it was written");
    Ok(())
}
