//! Lines that come from elsewhere: receivers of syslog and of the journal, and the spools they write.
//!
//! What to receive goes in; spools come out, to be followed like files, and to be released once their lines are in the store.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use input::{JournalConfig, JournalReader, Position, Spool, SpoolLimits, SyslogConfig, SyslogServer, Watch};
use store::state::State;

use super::Config;

/// The receivers. They stop when this is dropped.
pub(super) struct Elsewhere {
    spools: Vec<Arc<Mutex<Spool>>>,
    watches: Vec<Watch>,
    syslog: Option<SyslogServer>,
    journal: Option<JournalReader>,
}

impl Elsewhere {
    /// Receives from now on. The caller holds the state's lock.
    pub(super) fn start(config: &Config, state: &State) -> anyhow::Result<Self> {
        let folder = |name: &str| state.root().join("spool").join(name);
        let mut new = Self { spools: Vec::new(), watches: Vec::new(), syslog: None, journal: None };
        if !config.syslog.is_empty() || !config.syslog_tls.is_empty() {
            let spool = Spool::open(&folder("syslog"), SpoolLimits::default()).context("the spool of syslog")?;
            let spool = Arc::new(Mutex::new(spool));
            new.syslog = Some(SyslogServer::start(&syslog(config), Arc::clone(&spool))?);
            new.add("syslog", folder("syslog"), spool);
        }
        if config.journal {
            let reader = JournalReader::start(JournalConfig::default(), &folder("journal"), SpoolLimits::default())
                .context("the spool of the journal")?;
            new.add("journal", folder("journal"), reader.spool());
            new.journal = Some(reader);
        }
        // What was received before is not forgotten, though nothing is received there any more.
        for name in ["syslog", "journal"] {
            let is_watched =
                new.watches.iter().any(|watch| matches!(watch, Watch::Spool { name: known, .. } if known == name));
            if !is_watched && folder(name).is_dir() {
                new.watches.push(Watch::Spool { folder: folder(name), name: name.to_owned() });
            }
        }
        Ok(new)
    }

    fn add(&mut self, name: &str, folder: PathBuf, spool: Arc<Mutex<Spool>>) {
        self.spools.push(spool);
        self.watches.push(Watch::Spool { folder, name: name.to_owned() });
    }

    /// What of it is to be followed.
    pub(super) fn watches(&self) -> Vec<Watch> {
        self.watches.clone()
    }

    /// Deletes what is in the store. Output: what stood in the way.
    pub(super) fn release(&self, done: &[Position]) -> Vec<String> {
        let released = self.spools.iter().filter_map(|spool| spool.lock().ok().map(|mut spool| spool.release(done)));
        released.filter_map(|released| Some(format!("a spool cannot be emptied: {}", released.err()?))).collect()
    }

    /// What stands in the way of the receivers.
    pub(super) fn problems(&self) -> Vec<String> {
        let journal = self.journal.as_ref().and_then(|journal| journal.status().problem);
        let counts = self.syslog.as_ref().map(SyslogServer::counts).unwrap_or_default();
        let lost = |count: u64, what: &str| (count > 0).then(|| format!("syslog: {count} {what}"));
        let syslog = [
            lost(counts.dropped, "messages were lost, because the spool or the disk was full"),
            lost(counts.refused, "connections were refused, because there were too many"),
            lost(counts.cut, "messages were longer than 64 KiB and are cut"),
        ];
        journal.into_iter().chain(syslog.into_iter().flatten()).collect()
    }
}

fn syslog(config: &Config) -> SyslogConfig {
    SyslogConfig {
        udp: config.syslog.clone(),
        tcp: config.syslog.clone(),
        tls: config.syslog_tls.clone(),
        tls_files: config.tls_files.clone(),
        ..SyslogConfig::default()
    }
}
