//! The live page, while a log is written.

use std::fs::{File, OpenOptions};
use std::io::Write as _;

use anyhow::{Result, ensure};

use crate::Place;
use crate::chrome::{Chrome, Look};
use crate::serve::Server;

/// New lines appear within two seconds or so, those written while the server was away too, each once, and names of strangers as text. Why a login
/// failed is known later than its line: the line does not wait for that, and its row then says so.
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
    dovecot_says(&log, "fifth")?;
    write(&log, "fifth")?;
    chrome.until("the fifth is held back", "document.getElementById('live-state').textContent.includes('1 new')")?;
    chrome.click("#live-pause")?;
    chrome.until("the fifth line", &row("fifth"))?;
    chrome.until("the cause, told by Dovecot", "[...document.querySelectorAll('#live .entry')].some((one) => one.textContent.includes('sasl_username=fifth') && one.textContent.includes('cred.unknown_user'))")?;
    chrome.until("still one row", &row("fifth"))?;
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

/// Dovecot's own line about the same login.
fn dovecot_says(log: &std::path::Path, name: &str) -> Result<()> {
    let now = jiff::Timestamp::now();
    let text = format!("{now:.6} mx dovecot: auth: passwd-file({name},203.0.113.9): unknown user\n");
    Ok(OpenOptions::new().append(true).open(log)?.write_all(text.as_bytes())?)
}

fn write(log: &std::path::Path, name: &str) -> Result<()> {
    let mut file: File = OpenOptions::new().create(true).append(true).open(log)?;
    // As of now: of an older line the clock does not say that nothing more will be known.
    let now = jiff::Timestamp::now();
    let text = format!(
        "{now:.6} mx postfix/submission/smtpd[7]: warning: unknown[203.0.113.9]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username={name}\n"
    );
    Ok(file.write_all(text.as_bytes())?)
}
