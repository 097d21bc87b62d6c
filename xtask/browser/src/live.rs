//! The live page, while a log is written.

use std::fs::{File, OpenOptions};
use std::io::Write as _;

use anyhow::{Result, ensure};

use crate::Place;
use crate::chrome::{Chrome, Look};
use crate::serve::Server;

/// New lines appear, those written while the server was away too, each once, and names of strangers as text.
pub(crate) fn tail(place: &Place) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("mail.log");
    let (state, log_name) = (folder.path().join("state").display().to_string(), log.display().to_string());
    write(&log, "first")?;
    let args = |listen| ["--listen", listen, "--state", state.as_str(), "--follow", log_name.as_str()];
    let server = Server::start(place, &args("127.0.0.1:0"))?;
    let listen = server.listen();
    let chrome = Chrome::open(Look::default())?;
    chrome.go(&format!("{}live?q=class:auth_failed", server.url))?;
    write(&log, "second<script>alert(1)</script>")?;
    chrome.until("the second line", &row("second<script>alert(1)</script>"))?;
    drop(server);
    write(&log, "third")?;
    let server = Server::start(place, &args(&listen))?;
    write(&log, "fourth")?;
    chrome.until("the third line", &row("third"))?;
    chrome.until("the fourth line", &row("fourth"))?;
    chrome.click("#live-pause")?;
    write(&log, "fifth")?;
    chrome.until("the fifth is held back", "document.getElementById('live-state').textContent.includes('1 new')")?;
    chrome.click("#live-pause")?;
    chrome.until("the fifth line", &row("fifth"))?;
    ensure!(chrome.suspicious()?.is_empty(), "{:?}", chrome.suspicious()?);
    drop(server);
    Ok(())
}

/// Says whether exactly one row tells of a name.
fn row(name: &str) -> String {
    format!(
        "[...document.querySelectorAll('#live .text')].filter((text) => text.textContent.endsWith('sasl_username={name}')).length === 1"
    )
}

fn write(log: &std::path::Path, name: &str) -> Result<()> {
    let mut file: File = OpenOptions::new().create(true).append(true).open(log)?;
    let text = format!(
        "2026-06-17T10:25:14.000000+00:00 mx postfix/submission/smtpd[7]: warning: unknown[203.0.113.9]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username={name}\n"
    );
    Ok(file.write_all(text.as_bytes())?)
}
