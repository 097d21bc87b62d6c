//! What people do first: look, narrow down, open a line, take it with them.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::Place;
use crate::chrome::{Chrome, Look};
use crate::serve::Server;

/// Bytes of a page with all that belongs to it, uncompressed.
const WEIGHT: u64 = 150_000;
/// Keys as WebDriver names them.
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
const DOWN: &str = "\u{e015}";

/// The number that the page of a search shows.
fn shown(chrome: &Chrome) -> Result<u64> {
    Ok(chrome.text(".count b")?.replace(',', "").parse()?)
}

/// From the first page to the cause of a failure by clicks.
pub(crate) fn first_visit(place: &Place) -> Result<()> {
    let server = Server::of(place, &["backend_socket_missing"], &[])?;
    let chrome = Chrome::open(Look::default())?;
    chrome.go(&server.url)?;
    let cause = "a[href*='cause%3Abackend.socket_missing']";
    chrome.until("the cause is named", &format!("document.querySelector(\"{cause}\")"))?;
    let title = chrome.text(cause)?;
    chrome.click(cause)?;
    chrome.until("the lines are there", "document.querySelectorAll('.rows .entry').length > 0")?;
    chrome.click(".rows .entry summary")?;
    ensure!(chrome.text(".entry details[open] .cause")? == title, "the line does not name the cause {title}");
    ensure!(chrome.has(".entry details[open] .fields"), "the line's fields are not shown");
    Ok(())
}

/// Drawing over bars leads to the page about that time, with as many entries as the bars said.
pub(crate) fn brushing(place: &Place) -> Result<()> {
    let server = Server::of(place, &["busy_hour"], &[])?;
    let chrome = Chrome::open(Look::default())?;
    chrome.go(&format!("{}search", server.url))?;
    let all = shown(&chrome)?;
    let box_of = chrome.run("const box = document.querySelector('.plot').getBoundingClientRect(); return [box.left, box.top, box.width, box.height].map(Math.round)")?;
    let at = |place: usize| box_of.get(place).and_then(Value::as_i64).unwrap_or_default();
    let (left, middle, width) = (at(0), at(1) + at(3) / 2, at(2));
    chrome.draw((left + 3, middle), (left + width / 3, middle))?;
    chrome.until("a time is chosen", "location.search.includes('since=') && location.search.includes('until=')")?;
    chrome.until("the page is there", "document.querySelector('.count b')")?;
    let part = shown(&chrome)?;
    ensure!(part > 0 && part < all, "{part} of {all} entries");
    let parameters = chrome.run("return location.search.slice(1)")?;
    ensure!(
        server.count(parameters.as_str().unwrap_or_default())? == part,
        "the API counts another number than {part}"
    );
    Ok(())
}

/// A value's link means as many entries as stand beside it; its other link means the rest.
pub(crate) fn facets(place: &Place) -> Result<()> {
    let server = Server::of(place, &["busy_hour"], &[])?;
    let chrome = Chrome::open(Look::default())?;
    let start = format!("{}search", server.url);
    chrome.go(&start)?;
    let all = shown(&chrome)?;
    let beside: u64 = chrome.text(".facets li .n")?.replace(',', "").parse()?;
    chrome.click(".facets li .value a")?;
    ensure!(shown(&chrome)? == beside, "the facet said {beside}");
    ensure!(chrome.has(".chip"), "the query's part is not shown");
    chrome.click(".chip a")?;
    ensure!(shown(&chrome)? == all, "taken away, it does not mean all again");
    chrome.click(".facets li .not")?;
    ensure!(shown(&chrome)? == all - beside, "left out, {beside} of {all} should be gone");
    Ok(())
}

/// A file has as many entries as the page says, in each format.
pub(crate) fn export(place: &Place) -> Result<()> {
    let server = Server::of(place, &["busy_hour", "hostile_user_names"], &[])?;
    let chrome = Chrome::open(Look::default())?;
    chrome.go(&format!("{}search?q=class:auth_failed", server.url))?;
    let counted = shown(&chrome)?;
    let address = |format: &str| -> Result<String> {
        let link =
            chrome.run(&format!("return document.querySelector('.exports a[href*=\"format={format}\"]').href"))?;
        Ok(link.as_str().unwrap_or_default().trim_start_matches(&server.url).to_owned())
    };
    ensure!(server.get(&address("ndjson")?)?.lines().count() as u64 == counted, "NDJSON");
    ensure!(server.get(&address("raw")?)?.lines().count() as u64 == counted, "raw");
    ensure!(server.get(&address("csv")?)?.lines().count() as u64 == counted + 1, "CSV and its header");
    let json: Value = serde_json::from_str(&server.get(&address("json")?)?)?;
    ensure!(json.as_array().map(Vec::len) == Some(usize::try_from(counted)?), "JSON");
    Ok(())
}

/// Everything by keys: to the query, through the rows, the sheet, a word while typing.
pub(crate) fn keys(place: &Place) -> Result<()> {
    let server = Server::of(place, &["busy_hour"], &[])?;
    let chrome = Chrome::open(Look::default())?;
    chrome.go(&format!("{}search", server.url))?;
    chrome.press("/")?;
    chrome.until("the query has the focus", "document.activeElement.id === 'q'")?;
    chrome.type_into("#q", "cla")?;
    chrome.until("words are offered", "document.querySelectorAll('#q-words li').length > 0")?;
    chrome.press(DOWN)?;
    chrome.press(ENTER)?;
    chrome.until("the word is taken", "document.getElementById('q').value === 'class:'")?;
    chrome
        .until("values are offered", "document.querySelector('#q-words li code')?.textContent.startsWith('class:')")?;
    chrome.press(ESCAPE)?;
    chrome.press(ESCAPE)?;
    chrome.until("the query is left", "document.activeElement.id !== 'q'")?;
    chrome.press("j")?;
    chrome.press("j")?;
    chrome.press("k")?;
    chrome
        .until("the first row has the focus", "document.activeElement === document.querySelector('.rows summary')")?;
    chrome.press(ENTER)?;
    chrome.until("the row is open", "document.querySelector('.rows details').open")?;
    let outline = chrome.run("return getComputedStyle(document.activeElement).outlineStyle")?;
    ensure!(outline != "none", "the focus is not seen");
    chrome.press("?")?;
    chrome.until("the sheet is open", "document.getElementById('keys').open")?;
    chrome.press(ESCAPE)?;
    chrome.until("the sheet is closed", "!document.getElementById('keys').open")?;
    chrome.press("g")?;
    chrome.press("f")?;
    chrome.until("the findings are there", "location.pathname.endsWith('/findings')")
}

/// Without script: what is read, narrowed down, and opened.
pub(crate) fn no_script(place: &Place) -> Result<()> {
    let server = Server::of(place, &["busy_hour"], &[])?;
    let chrome = Chrome::open(Look { script: false, ..Look::default() })?;
    chrome.go(&format!("{}search", server.url))?;
    ensure!(!chrome.has(".complete"), "a script ran");
    let all = shown(&chrome)?;
    chrome.click(".facets li .value a")?;
    let part = shown(&chrome)?;
    ensure!(part > 0 && part < all, "{part} of {all}");
    chrome.click(".rows summary")?;
    ensure!(chrome.has(".rows details[open] .fields"), "the row is not opened");
    chrome.type_into("#q", " event:connect")?;
    chrome.click(".ask button")?;
    chrome.until_at("connect").context("the form does not ask")?;
    chrome.go(&format!("{}live", server.url))?;
    ensure!(chrome.source()?.contains("http-equiv=\"refresh\""), "the live page does not come again by itself");
    ensure!(chrome.has(".rows .entry"), "the live page is empty");
    Ok(())
}

/// Each page with its files.
pub(crate) fn weight(place: &Place) -> Result<()> {
    let server = Server::of(
        place,
        &["busy_hour", "hostile_user_names", "deferred_then_sent", "guessing_from_many_sources"],
        &[],
    )?;
    let chrome = Chrome::open(Look::default())?;
    for page in [
        "",
        "search",
        "search?q=class:sent",
        "live",
        "findings",
        "delivery",
        "sources",
        "explain",
        "help",
        "client/198.51.100.240",
    ] {
        chrome.go(&format!("{}{page}", server.url))?;
        let all = chrome.run(
            "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].reduce((sum, one) => sum + one.decodedBodySize, 0)",
        )?;
        let bytes = all.as_u64().unwrap_or(u64::MAX);
        ensure!(bytes < WEIGHT, "/{page} has {bytes} bytes");
    }
    Ok(())
}
