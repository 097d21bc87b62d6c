//! Mail hosts set up wrongly, one thing at a time, and a few set up well: what does `doctor` find on each?
//!
//! Each is a machine of its own with real daemons ([`crate::machine`]), changed with the admin's own commands ([`host`]). The
//! program looks at it, and must name what is wrong, and call nothing else a fault.

mod answer;
mod cyrus_hosts;
mod dovecot_hosts;
mod fail2ban;
mod healthy_hosts;
mod host;
mod postfix_hosts;
mod tls_hosts;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::machine::Setup;
use crate::{isolation, packages};
use host::Host;

/// What to do.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Set up only this host (may be given several times).
    #[arg(long, value_name = "HOST")]
    pub only: Vec<String>,
    /// List the hosts and set up none.
    #[arg(long)]
    pub list: bool,
    /// The program under test (default: built beside this one).
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// How many hosts at once.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub jobs: usize,
    /// Print the program's whole answer.
    #[arg(long)]
    pub show: bool,
    /// Set up here and now: for the lab's own use, inside the namespaces it has made.
    #[arg(long, hide = true)]
    pub inside: bool,
}

impl Options {
    /// All hosts, with this program.
    #[must_use]
    pub fn with(program: PathBuf) -> Options {
        Options { only: Vec::new(), list: false, program: Some(program), jobs: 4, show: false, inside: false }
    }
}

/// A host, and what must be found on it.
#[derive(Clone, Copy)]
struct Case {
    /// Named by what is wrong, in snake case.
    name: &'static str,
    /// One sentence for an admin.
    about: &'static str,
    /// What runs on it.
    setup: fn() -> Setup,
    /// What is done to it.
    arrange: fn(&mut Host) -> Result<()>,
    /// Checks that must be faults; no other may be.
    faults: &'static [&'static str],
    /// Checks that must be warnings; others may be.
    warnings: &'static [&'static str],
    /// Words that must stand in the summary of one of these.
    says: &'static str,
    /// A cause that the log must show, and what the checks must say of it.
    logged: Option<(&'static str, &'static str)>,
}

/// A host with a fault.
const fn broken(
    name: &'static str,
    about: &'static str,
    arrange: fn(&mut Host) -> Result<()>,
    faults: &'static [&'static str],
    says: &'static str,
) -> Case {
    Case { name, about, setup: Setup::default, arrange, faults, warnings: &[], says, logged: None }
}

/// A host that works, and will not for long or for everybody.
const fn weak(
    name: &'static str,
    about: &'static str,
    arrange: fn(&mut Host) -> Result<()>,
    warnings: &'static [&'static str],
    says: &'static str,
) -> Case {
    Case { name, about, setup: Setup::default, arrange, faults: &[], warnings, says, logged: None }
}

impl Case {
    const fn on(self, setup: fn() -> Setup) -> Case {
        Case { setup, ..self }
    }

    const fn logged(self, cause: &'static str, says: &'static str) -> Case {
        Case { logged: Some((cause, says)), ..self }
    }
}

fn all() -> Vec<Case> {
    [
        healthy_hosts::CASES,
        postfix_hosts::CASES,
        tls_hosts::CASES,
        dovecot_hosts::CASES,
        cyrus_hosts::CASES,
        fail2ban::CASES,
    ]
    .concat()
}

/// Does it.
///
/// # Errors
/// If the lab cannot be used here, a host is unknown, or something was not found, or found that is not there.
pub fn run(options: &Options) -> Result<()> {
    if options.list {
        let lines = all().into_iter().map(|case| format!("{:30} {}\n", case.name, case.about));
        // A reader that has seen enough (`| head`) is no error.
        let _ = std::io::stdout().write_all(lines.collect::<String>().as_bytes());
        return Ok(());
    }
    if options.inside {
        return inside(options);
    }
    let start = Instant::now();
    let chosen = choose(&options.only)?;
    packages::check()?;
    packages::install()?;
    let outcomes = crate::play_all(&chosen, options.jobs, |case| examine(case, options));
    let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    println!("{} hosts in {:.0?}", outcomes.len(), start.elapsed());
    ensure!(failed == 0, "{failed} of {} hosts were not seen as they are", outcomes.len());
    Ok(())
}

fn choose(only: &[String]) -> Result<Vec<Case>> {
    let mut cases = all();
    if let Some(unknown) = only.iter().find(|name| !cases.iter().any(|case| case.name == **name)) {
        bail!("no host {unknown}; see --list");
    }
    cases.retain(|case| only.is_empty() || only.iter().any(|name| name == case.name));
    Ok(cases)
}

fn examine(case: &Case, options: &Options) -> Result<()> {
    let start = Instant::now();
    let mut arguments: Vec<std::ffi::OsString> = ["doctor", "--inside", "--only", case.name].map(Into::into).to_vec();
    arguments.extend(options.program.iter().flat_map(|program| ["--program".into(), program.into()]));
    arguments.extend(options.show.then(|| "--show".into()));
    let outcome = isolation::play_inside(&arguments);
    let word = if outcome.is_ok() { "ok" } else { "FAILED" };
    println!("{:30} {word:6} {:5.1} s", case.name, start.elapsed().as_secs_f32());
    if let Err(error) = &outcome {
        println!("    {}", format!("{error:#}").replace('\n', "\n    "));
    }
    outcome
}

/// Inside the namespaces: sets the host up, asks the program, compares.
fn inside(options: &Options) -> Result<()> {
    let name = options.only.first().context("--inside needs --only")?;
    let cases = all();
    let number = cases.iter().position(|case| case.name == name).context("no such host")?;
    let case = cases.get(number).context("no such host")?;
    let program = options.program.as_deref().context("--inside needs --program")?;
    let mut host = Host::start((case.setup)(), number)?;
    (case.arrange)(&mut host)?;
    let (code, answer) = host.ask(program)?;
    if options.show {
        println!("{}", serde_json::to_string_pretty(&answer)?);
    }
    answer::compare(case, code, &answer)
}

/// The lab's folder for a file, as text.
fn place(name: &str) -> String {
    crate::machine::lab_path(name).display().to_string()
}

/// Something done without arrangement.
fn as_it_is(_: &mut Host) -> Result<()> {
    Ok(())
}

/// A file in place of another.
fn replace(path: &Path, from: &str, to: &str) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    ensure!(text.contains(from), "{}: no {from:?}", path.display());
    Ok(std::fs::write(path, text.replace(from, to))?)
}
