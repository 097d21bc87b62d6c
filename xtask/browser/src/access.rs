//! Contrast, names and structure, as axe-core judges them: light and dark.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::Place;
use crate::chrome::{Chrome, Look};
use crate::serve::Server;

const RUN: &str = "const done = arguments[arguments.length - 1]; axe.run(document, {resultTypes: ['violations']}).then((result) => \
    done(result.violations.map((one) => one.id + ': ' + one.nodes.slice(0, 3).map((node) => node.target.join(' ') + ' ' + (node.any[0]?.message ?? '')).join('; '))), \
    (error) => done([String(error)]));";

/// Each page, light and dark, wide and narrow.
pub(crate) fn axe(place: &Place) -> Result<()> {
    let script = std::fs::read_to_string(&place.axe)?;
    let server =
        Server::of(place, &["busy_hour", "backend_socket_missing", "deferred_then_sent", "hostile_user_names"], &[])?;
    let mut found = Vec::new();
    let mut all = pages().map(str::to_owned).to_vec();
    all.push(server.first_finding()?);
    for look in [Look::default(), Look { dark: true, width: 390, ..Look::default() }] {
        let chrome = Chrome::open(look)?;
        for page in &all {
            chrome.go(&format!("{}{page}", server.url))?;
            chrome.until("the page is there", "document.querySelector('h1') && document.readyState === 'complete'")?;
            chrome.run("for (const one of [...document.querySelectorAll('details')].slice(0, 6)) one.open = true")?;
            chrome.run(&script)?;
            let violations = chrome.run_slowly(RUN)?;
            let words = violations.as_array().into_iter().flatten().filter_map(Value::as_str);
            found.extend(words.map(|word| format!("/{page} {}: {word}", if look.dark { "dark" } else { "light" })));
        }
    }
    if found.is_empty() { Ok(()) } else { bail!("\n  {}", found.join("\n  ")) }
}

/// Every kind of page.
pub(crate) fn pages() -> [&'static str; 13] {
    [
        "",
        "search?q=class:auth_failed",
        "search?q=line:20&context=3",
        "search?q=usre:bob",
        "live",
        "findings",
        "client/198.51.100.240",
        "account/dave%40example.test",
        "delivery",
        "sources",
        "explain?line=postfix/smtpd[7]:%20warning:%20h[192.0.2.9]:%20SASL%20LOGIN%20authentication%20failed:%20UGFzc3dvcmQ6",
        "help",
        "nothing",
    ]
}
