//! What each role sees in the browser.

use anyhow::{Result, ensure};

use crate::Place;
use crate::chrome::{Chrome, Look};
use crate::serve::{Server, command, store};

const PASSWORD: &str = "correct horse battery";

/// Everybody signs in, sees the places that are theirs, and is told no for others; the masked one never sees a whole name.
pub(crate) fn each(place: &Place) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let state = store(place, folder.path(), &["busy_hour", "wrong_password_plain"])?;
    for (name, rest) in [
        ("ada", &["--role", "admin"][..]),
        ("rea", &["--role", "reader"]),
        ("max", &["--role", "masked"]),
        ("sco", &["--role", "reader", "--domain", "example.test"]),
    ] {
        let mut args = vec!["user", "--state", state.as_str(), "add", name, "--password-fd", "0"];
        args.extend(rest);
        command(place, &args, PASSWORD)?;
    }
    let server = Server::start(place, &["--listen", "127.0.0.1:0", "--state", &state, "--no-follow"])?;
    stranger(&server)?;
    let places = |name: &str| -> Result<(Chrome, String)> {
        let chrome = sign_in(&server, name)?;
        let places = chrome.text(".top nav")?;
        Ok((chrome, places))
    };
    let (admin, seen) = places("ada")?;
    ensure!(seen.contains("This host") && seen.contains("Findings"), "the admin sees {seen}");
    ensure!(admin.source()?.contains("dave@example.test"), "the admin sees no names");
    let (reader, seen) = places("rea")?;
    ensure!(!seen.contains("This host") && seen.contains("Findings"), "the reader sees {seen}");
    refused(&reader, &server, "host")?;
    let (masked, seen) = places("max")?;
    ensure!(!seen.contains("This host"), "the masked reader sees {seen}");
    for page in ["", "search", "live", "findings", "delivery", "search?q=class:auth_failed"] {
        masked.go(&format!("{}{page}", server.url))?;
        masked.until("the page is there", "document.querySelector('h1')")?;
        ensure!(!masked.source()?.contains("dave@example.test"), "the masked reader sees a name on /{page}");
    }
    let (scoped, seen) = places("sco")?;
    ensure!(
        !seen.contains("Findings") && !seen.contains("Sources") && seen.contains("Search"),
        "the reader of a domain sees {seen}"
    );
    for page in ["findings", "sources", "delivery", "client/203.0.113.151", "host"] {
        refused(&scoped, &server, page)?;
    }
    scoped.click(".who button")?;
    scoped.until("signed out", "location.pathname.endsWith('/sign-in')")
}

/// Without signing in every page is the one to sign in, and a wrong password does not help.
fn stranger(server: &Server) -> Result<()> {
    let chrome = Chrome::open(Look::default())?;
    for page in ["", "search", "live", "help", "client/203.0.113.151", "host"] {
        chrome.go(&format!("{}{page}", server.url))?;
        ensure!(chrome.place()?.contains("/sign-in"), "/{page} is open to strangers");
    }
    chrome.type_into("#name", "ada")?;
    chrome.type_into("#password", "wrong\u{e007}")?;
    chrome.until("it is refused", "document.body.textContent.includes('Status 403')")
}

fn sign_in(server: &Server, name: &str) -> Result<Chrome> {
    let chrome = Chrome::open(Look::default())?;
    chrome.go(&server.url)?;
    chrome.type_into("#name", name)?;
    chrome.type_into("#password", &format!("{PASSWORD}\u{e007}"))?;
    chrome.until(
        "the first page is there",
        "document.querySelector('.who') && !document.querySelector('.verdict')?.textContent.includes('being counted')",
    )?;
    Ok(chrome)
}

fn refused(chrome: &Chrome, server: &Server, page: &str) -> Result<()> {
    chrome.go(&format!("{}{page}", server.url))?;
    ensure!(chrome.text("main")?.contains("Status 403"), "/{page} is not refused");
    Ok(())
}
