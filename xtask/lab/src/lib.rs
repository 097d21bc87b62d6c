//! Real Postfix, Dovecot and saslauthd on loopback, and the logs they write.
//!
//! Each scenario is played on a machine of its own ([`isolation`], [`machine`]): private namespaces with a mail
//! server, a network of nothing but the loopback interface, and clients that do what the scenario says
//! ([`client`], [`session`], [`scenarios`]). What they did and saw is the truth ([`truth`]) beside the two logs.

mod accounts;
mod arrival;
mod base64;
mod client;
mod command;
mod daemons;
mod foreign;
pub mod hosts;
mod isolation;
mod login;
mod machine;
pub mod packages;
mod policy_service;
mod queue_truth;
mod recording;
mod scenarios;
mod service;
mod session;
mod tls;
mod truth;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

pub use recording::Recording;
use scenarios::Scenario;

/// What to do.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Play only this scenario (may be given several times).
    #[arg(long, value_name = "SCENARIO")]
    pub only: Vec<String>,
    /// List the scenarios and play none.
    #[arg(long)]
    pub list: bool,
    /// Where the recordings go, a folder for each.
    #[arg(long, value_name = "DIR", default_value = "target/lab")]
    pub out: PathBuf,
    /// Record into the repository: the recordings go to corpus/.
    #[arg(long, conflicts_with = "out")]
    pub record: bool,
    /// Keep the daemons' own files here (otherwise they are in memory, and gone with the scenario).
    #[arg(long, value_name = "DIR")]
    pub work: Option<PathBuf>,
    /// How many scenarios are played at once.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub jobs: usize,
    /// Play here and now: for the lab's own use, inside the namespaces it has made.
    #[arg(long, hide = true)]
    pub inside: bool,
}

impl Default for Options {
    fn default() -> Options {
        let out = PathBuf::from("target/lab");
        Options { only: Vec::new(), list: false, out, record: false, work: None, jobs: 4, inside: false }
    }
}

/// Does it.
///
/// # Errors
/// If the lab cannot be used here, a scenario is unknown, or one of them did not go as arranged.
pub fn run(options: &Options) -> Result<()> {
    if options.list {
        return list();
    }
    if options.inside {
        return play_here(options);
    }
    let start = Instant::now();
    let recordings = play(options)?;
    println!("{} scenarios in {:.0?}", recordings.len(), start.elapsed());
    Ok(())
}

fn list() -> Result<()> {
    let lines = scenarios::all().into_iter().map(|scenario| format!("{:36} {}\n", scenario.name, scenario.about));
    // A reader that has seen enough (`| head`) is no error.
    let _ = std::io::stdout().write_all(lines.collect::<String>().as_bytes());
    Ok(())
}

/// Fetches the packages whose programs tests start, if they are missing and may be fetched.
pub fn install() -> Result<()> {
    packages::install()
}

/// Says what stands in the way of [`play`]: no root, no namespaces, no packages and no way to install them.
///
/// # Errors
/// The reason, for people.
pub fn available() -> Result<(), String> {
    packages::check().map_err(|error| format!("{error:#}"))
}

/// Plays the scenarios and returns where their recordings are. The running program must be `xtask`, as it is
/// called again inside the namespaces.
///
/// # Errors
/// As [`run`]. All scenarios are played before an error of one is returned.
pub fn play(options: &Options) -> Result<Vec<Recording>> {
    let chosen = choose(&options.only)?;
    packages::check()?;
    packages::install()?;
    let root = repository();
    let out = if options.record { Path::new("corpus") } else { &options.out };
    let out = absolute(&root, out)?;
    let work = options.work.as_deref().map(|work| absolute(&root, work)).transpose()?;
    let outcomes = play_all(&chosen, options.jobs, |scenario| play_one(scenario, &out, work.as_deref()));
    let failures = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    ensure!(failures == 0, "{failures} of {} scenarios did not go as arranged", outcomes.len());
    let mut recordings = outcomes.into_iter().collect::<Result<Vec<Recording>>>()?;
    recordings.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(recordings)
}

/// Plays `jobs` scenarios at a time until none is left.
fn play_all<S: Sync, T: Send>(chosen: &[S], jobs: usize, play: impl Fn(&S) -> T + Sync) -> Vec<T> {
    let queue = Mutex::new(chosen.iter());
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for _ in 0..jobs.clamp(1, 16) {
            threads.spawn(|| {
                loop {
                    let Some(scenario) = lock(&queue).next() else {
                        break;
                    };
                    let outcome = play(scenario);
                    lock(&outcomes).push(outcome);
                }
            });
        }
    });
    outcomes.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// What is behind the lock is whole at any time, also after a panic elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn choose(only: &[String]) -> Result<Vec<Scenario>> {
    let mut all = scenarios::all();
    if let Some(unknown) = only.iter().find(|name| !all.iter().any(|scenario| scenario.name == **name)) {
        bail!("no scenario {unknown}; see --list");
    }
    all.retain(|scenario| only.is_empty() || only.iter().any(|name| name == scenario.name));
    // The long ones first, so that they do not run alone at the end.
    all.sort_by_key(|scenario| !scenario.slow);
    Ok(all)
}

/// Plays a scenario. One that did not go as arranged is played once more: on a busy machine a daemon of Postfix may miss a moment,
/// which says nothing of the log that it writes.
fn play_one(scenario: &Scenario, out: &Path, work: Option<&Path>) -> Result<Recording> {
    play_once(scenario, out, work).or_else(|_| play_once(scenario, out, work))
}

fn play_once(scenario: &Scenario, out: &Path, work: Option<&Path>) -> Result<Recording> {
    let start = Instant::now();
    let mut arguments: Vec<std::ffi::OsString> =
        ["lab", "--inside", "--only", scenario.name, "--out"].map(Into::into).to_vec();
    arguments.push(out.into());
    arguments.extend(work.iter().flat_map(|work| ["--work".into(), work.into()]));
    let outcome = isolation::play_inside(&arguments);
    let word = if outcome.is_ok() { "ok" } else { "FAILED" };
    println!("{:36} {word:6} {:5.1} s", scenario.name, start.elapsed().as_secs_f32());
    if let Err(error) = &outcome {
        println!("    {}", format!("{error:#}").replace('\n', "\n    "));
    }
    outcome.map(|()| Recording { name: scenario.name.to_owned(), dir: out.join(scenario.name) })
}

fn play_here(options: &Options) -> Result<()> {
    let all = scenarios::all();
    let name = options.only.first().context("--inside needs --only")?;
    let number = all.iter().position(|scenario| scenario.name == name).context("no such scenario")?;
    let scenario = all.get(number).context("no such scenario")?;
    recording::record(scenario, number, &options.out, options.work.as_deref())
}

/// The root of the repository: the nearest folder upwards with a `Cargo.lock`, else the current one.
fn repository() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let root = here.ancestors().find(|folder| folder.join("Cargo.lock").exists());
    root.unwrap_or(&here).to_owned()
}

/// A machine has a `/run` and a `/dev` of its own, so nothing of the host's can be seen there.
fn absolute(root: &Path, folder: &Path) -> Result<PathBuf> {
    let folder = root.join(folder);
    let hidden = folder.starts_with("/run") || folder.starts_with("/dev");
    ensure!(!hidden, "{} cannot be used by the lab: choose a folder outside /run and /dev", folder.display());
    Ok(folder)
}
