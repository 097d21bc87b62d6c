//! Follows logs, standard input, the journal or syslog, and prints each line with its place.
//!
//! `cargo run -p input --example follow -- [--syslog ADDR:PORT FOLDER | --journal FOLDER] [FILE|PATTERN|-]…`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use input::{
    FollowConfig, Follower, JournalConfig, JournalReader, Spool, SpoolLimits, SyslogConfig, SyslogServer, Watch,
};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (mut watches, mut journal, mut syslog) = (Vec::new(), None, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-" => watches.push(Watch::StandardInput),
            "--journal" => {
                let folder = PathBuf::from(arguments.next().unwrap_or_default());
                journal = Some(JournalReader::start(JournalConfig::default(), &folder, SpoolLimits::default())?);
                watches.push(Watch::Spool { folder, name: "journal".to_owned() });
            }
            "--syslog" => {
                let address = arguments.next().unwrap_or_default().parse().map_err(std::io::Error::other)?;
                let folder = PathBuf::from(arguments.next().unwrap_or_default());
                let config = SyslogConfig { udp: vec![address], tcp: vec![address], ..SyslogConfig::default() };
                let spool = Arc::new(Mutex::new(Spool::open(&folder, SpoolLimits::default())?));
                syslog = Some(SyslogServer::start(&config, spool)?);
                watches.push(Watch::Spool { folder, name: "syslog".to_owned() });
            }
            path => watches.push(Watch::Files(path.into())),
        }
    }
    let mut follower = Follower::new(FollowConfig::new(watches), None);
    while !follower.is_over() {
        let Some(batch) = follower.next(Instant::now() + Duration::from_secs(5)) else {
            for status in follower.status() {
                eprintln!("{status:?}");
            }
            eprintln!(
                "{:?} {:?}",
                journal.as_ref().map(JournalReader::status),
                syslog.as_ref().map(SyslogServer::counts)
            );
            continue;
        };
        for line in batch.lines() {
            println!("{}:{} +{} {}", batch.name(), line.line.line, line.offset, line.line.raw.escape_ascii());
        }
    }
    Ok(())
}
