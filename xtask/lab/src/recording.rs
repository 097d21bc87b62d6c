//! Playing one scenario on a machine, and keeping its logs and its truth.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;

use crate::daemons::{dovecot, postfix, saslauthd, syslog};
use crate::machine::Machine;
use crate::scenarios::Scenario;
use crate::truth::TruthFile;

/// A scenario that was played: its name, and the folder with `mail.log`, `mail-traditional.log`, `truth.json`.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The scenario.
    pub name: String,
    /// The folder.
    pub dir: PathBuf,
}

/// Plays a scenario here and writes its folder. Must run inside namespaces of its own.
pub(crate) fn record(scenario: &Scenario, number: usize, out: &Path, work: Option<&Path>) -> Result<()> {
    let work = work.map(|work| work.join(scenario.name));
    if let Some(work) = &work {
        // Of an earlier run; a daemon must not find that one's files.
        let _ = fs::remove_dir_all(work);
        fs::create_dir_all(work).with_context(|| format!("cannot create {}", work.display()))?;
    }
    let setup = (scenario.setup)();
    let versions = versions(setup.saslauthd)?;
    let mut machine = Machine::start(setup, number, work.as_deref())?;
    let started = Timestamp::now();
    let played = (scenario.play)(&mut machine);
    machine.syslog().settle()?;
    let ended = Timestamp::now();
    // Of a scenario that failed the log is kept too: it is the best hint at what went wrong.
    let folder = out.join(scenario.name);
    fs::create_dir_all(&folder)?;
    fs::copy(syslog::iso_log(), folder.join("mail.log")).context("no log")?;
    fs::copy(syslog::traditional_log(), folder.join("mail-traditional.log"))?;
    let named = (scenario.name, scenario.about);
    let truth = TruthFile::new(named, versions, (started, ended), machine.truth().story());
    fs::write(folder.join("truth.json"), serde_json::to_string_pretty(&truth)? + "\n")?;
    played
}

fn versions(with_saslauthd: bool) -> Result<BTreeMap<String, String>> {
    let mut versions = BTreeMap::new();
    versions.insert("postfix".to_owned(), postfix::version()?);
    versions.insert("dovecot".to_owned(), dovecot::version()?);
    if let Some(version) = saslauthd::version().filter(|_| with_saslauthd) {
        versions.insert("cyrus_sasl".to_owned(), version);
    }
    Ok(versions)
}
