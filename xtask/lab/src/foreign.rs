//! Mail servers that are not Postfix: somebody else's, and a content filter of our own.
//!
//! They are no Postfix of the lab on purpose: what a foreign server logs is not in one's own mail log.
//! The recipient says what becomes of the mail: `nobody…` is refused for good, `later…` for now, `grey…` the first
//! time only, `slow…` three times.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::arrival::Arrival;
use crate::lock;

/// What such a server is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trade {
    /// Takes mail.
    Mail,
    /// Takes nothing without a login, and refuses every password.
    Login,
    /// Hands all mail back to Postfix, except what has `spam` for a subject: that it refuses.
    Filter,
}

/// How often it did what.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Recipients taken.
    pub(crate) taken: AtomicU32,
    /// Recipients refused for good.
    pub(crate) refused: AtomicU32,
    /// Recipients put off.
    pub(crate) put_off: AtomicU32,
    /// Logins refused.
    pub(crate) logins_refused: AtomicU32,
    /// The mails taken.
    mails: Mutex<Vec<Arrival>>,
    /// How often recipients were put off that are taken in the end.
    patience: Mutex<HashMap<String, u32>>,
}

impl Counts {
    /// The mails it has taken so far, in the order in which they came.
    pub(crate) fn mails(&self) -> Vec<Arrival> {
        lock(&self.mails).clone()
    }

    /// Whether it is too early for such a recipient.
    fn put_off_again(&self, rcpt: &str) -> bool {
        let times = if rcpt.contains("<GREY") { 1 } else { 3 * u32::from(rcpt.contains("<SLOW")) };
        let mut patience = lock(&self.patience);
        let seen = patience.entry(rcpt.to_owned()).or_default();
        *seen += 1;
        *seen <= times
    }
}

/// A running server. Its threads end with the process.
pub(crate) struct Foreign {
    /// What it has done so far.
    pub(crate) counts: Arc<Counts>,
}

impl Foreign {
    /// Starts it.
    pub(crate) fn start(address: Ipv4Addr, port: u16, trade: Trade) -> Result<Foreign> {
        let listener =
            TcpListener::bind((address, port)).with_context(|| format!("cannot listen on {address}:{port}"))?;
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counts = Arc::clone(&shared);
                thread::spawn(move || serve(&stream, &counts, trade));
            }
        });
        Ok(Foreign { counts })
    }
}

/// One session. An error ends it; Postfix then tries again, and the scenario notices.
fn serve(stream: &TcpStream, counts: &Counts, trade: Trade) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut writer = stream;
    let mut say = |text: &str| writer.write_all(format!("{text}\r\n").as_bytes());
    say("220 mx.example.org ESMTP")?;
    // The mail so far, as the commands and lines that hand it on.
    let mut mail: Vec<String> = Vec::new();
    let mut in_data = false;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let command = line.to_ascii_uppercase();
        if in_data || ["XFORWARD", "MAIL", "RCPT", "DATA"].iter().any(|verb| command.starts_with(verb)) {
            mail.push(line.clone());
        }
        if in_data {
            in_data = line != ".";
            if !in_data {
                say(&take(&std::mem::take(&mut mail), counts, trade)?)?;
            }
            continue;
        }
        in_data = command == "DATA";
        say(&answer(&command, counts, trade))?;
        if command == "QUIT" {
            break;
        }
    }
    Ok(())
}

/// The answer to a whole mail: the commands that brought it, and its text.
fn take(mail: &[String], counts: &Counts, trade: Trade) -> Result<String> {
    if trade != Trade::Filter {
        let text = mail.iter().skip_while(|line| !line.eq_ignore_ascii_case("DATA")).skip(1);
        lock(&counts.mails).push(Arrival::of(&text.map(|line| format!("{line}\n")).collect::<String>()));
        return Ok("250 2.0.0 taken".to_owned());
    }
    if mail.iter().any(|line| line == "Subject: spam") {
        return Ok("554 5.7.1 Content refused".to_owned());
    }
    hand_back(mail)
}

fn answer(command: &str, counts: &Counts, trade: Trade) -> String {
    let count = |counter: &AtomicU32| counter.fetch_add(1, Ordering::SeqCst);
    let judges = trade == Trade::Mail;
    let answer = match command.split([' ', ':']).next().unwrap_or_default() {
        "EHLO" if trade == Trade::Login => "250-relay.example.org\r\n250 AUTH PLAIN",
        // What a content filter needs to tell the server behind it where a mail came from (Postfix XFORWARD_README).
        "EHLO" if trade == Trade::Filter => "250-filter.example.test\r\n250 XFORWARD NAME ADDR PROTO HELO IDENT SOURCE",
        "EHLO" => "250 mx.example.org",
        "AUTH" => {
            count(&counts.logins_refused);
            "535 5.7.8 Error: authentication failed: (reason unavailable)"
        }
        "MAIL" if trade == Trade::Login => "530 5.7.0 Authentication required",
        "RCPT" if judges && command.contains("<NOBODY") => {
            count(&counts.refused);
            "550 5.1.1 User unknown"
        }
        "RCPT" if judges && command.contains("<LATER") => {
            count(&counts.put_off);
            "450 4.2.1 Mailbox busy"
        }
        "RCPT" if judges && counts.put_off_again(command) => {
            count(&counts.put_off);
            "450 4.2.0 Greylisted, try again later"
        }
        "RCPT" => {
            count(&counts.taken);
            "250 2.1.5 Ok"
        }
        "DATA" => "354 go on",
        "QUIT" => "221 2.0.0 Bye",
        _ => "250 2.0.0 Ok",
    };
    answer.to_owned()
}

/// Gives a mail back to Postfix, on the port it keeps for that, and repeats what it said, as amavis does.
fn hand_back(mail: &[String]) -> Result<String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, 10025))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut replies = BufReader::new(&stream).lines();
    let mut writer = &stream;
    let mut reply = || -> Result<String> {
        loop {
            let line = replies.next().context("Postfix hung up on the filter")??;
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line);
            }
        }
    };
    reply()?;
    writer.write_all(b"EHLO filter.example.test\r\n")?;
    reply()?;
    let mut last = String::new();
    let mut in_data = false;
    for line in mail {
        writer.write_all(format!("{line}\r\n").as_bytes())?;
        if !in_data || line == "." {
            last = reply()?;
        }
        in_data = in_data || line.eq_ignore_ascii_case("DATA");
    }
    writer.write_all(b"QUIT\r\n")?;
    Ok(format!("250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): {last}"))
}
