//! A policy service that greylists, as Postfix asks it by `check_policy_service`.
//!
//! Input: the attributes of a request, a line each, with an empty line behind (Postfix SMTPD_POLICY_README). Output: the action.
//! The first try of each client, sender and recipient is put off; every later one passes.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context, Result};

use crate::lock;

/// Where it listens, on the loopback address.
pub(crate) const PORT: u16 = 10031;

/// Whom it has seen: client, sender and recipient.
type Seen = Mutex<HashSet<[String; 3]>>;

/// A running greylister. Its threads end with the process.
pub(crate) struct Greylister {
    seen: Arc<Seen>,
}

impl Greylister {
    /// Starts it.
    pub(crate) fn start() -> Result<Greylister> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).with_context(|| format!("cannot listen on {PORT}"))?;
        let seen = Arc::new(Seen::default());
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&shared);
                // An error ends the connection; Postfix then refuses with 451, and the scenario notices.
                thread::spawn(move || serve(&stream, &seen));
            }
        });
        Ok(Greylister { seen })
    }

    /// How many it has put off.
    pub(crate) fn put_off(&self) -> usize {
        lock(&self.seen).len()
    }
}

fn serve(stream: &TcpStream, seen: &Seen) -> Result<()> {
    let mut writer = stream;
    let mut who = [const { String::new() }; 3];
    for line in BufReader::new(stream).lines() {
        let line = line?;
        match line.split_once('=') {
            Some(("client_address", value)) => value.clone_into(&mut who[0]),
            Some(("sender", value)) => value.clone_into(&mut who[1]),
            Some(("recipient", value)) => value.clone_into(&mut who[2]),
            Some(_) => {}
            None => {
                let new = lock(seen).insert(std::mem::take(&mut who));
                let action = if new { "DEFER_IF_PERMIT 4.2.0 Greylisted, try again in 300 seconds" } else { "DUNNO" };
                writer.write_all(format!("action={action}\n\n").as_bytes())?;
            }
        }
    }
    Ok(())
}
