//! `follow`: what is written now into the store, until SIGTERM or Ctrl-C.

use std::collections::BTreeSet;
use std::time::Duration;

use answers::follow::{Following, Phase, Status, Stop};
use answers::state;
use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use store::state::State;

use crate::cli;
use crate::exit::Exit;
use crate::print;

/// How often it is looked whether something has come in the way.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Runs the command.
pub(crate) fn run(args: &cli::Follow) -> anyhow::Result<Exit> {
    let folder = args.state.clone().or_else(state::usual);
    let state = State::new(&folder.context("--state: no usual folder for it, because HOME is not set; name one")?);
    let config = args.plain().or_usual();
    if config.is_empty() {
        anyhow::bail!("nothing to follow: name log files, --journal or --syslog ADDR:PORT");
    }
    let following = Following::start(&state, config)?;
    stop_at_signals(following.stopper())?;
    if !args.output.quiet {
        print::note(&format!("following into {}; Ctrl-C ends it", state.root().display()));
    }
    let mut told = Told::default();
    loop {
        let status = following.wait_for_commit(u64::MAX, LOOK_EVERY);
        told.tell(&status);
        if matches!(status.phase, Phase::Ended(_)) {
            following.wait()?;
            return Ok(Exit::Ok);
        }
    }
}

/// Lets SIGTERM and SIGINT end the following in good order.
fn stop_at_signals(stop: Stop) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT]).context("signals")?;
    // It ends with the process.
    drop(std::thread::spawn(move || signals.forever().for_each(|_| stop.stop())));
    Ok(())
}

/// What was in the way when it was last looked: each thing is told of once, until it has gone.
#[derive(Default)]
struct Told(BTreeSet<String>);

impl Told {
    fn tell(&mut self, status: &Status) {
        let of_sources = status.sources.iter().filter_map(|source| source.problem.clone());
        let mut now: BTreeSet<String> = of_sources.chain(status.problems.iter().cloned()).collect();
        if let Phase::Waiting(why) = &status.phase {
            now.insert(format!("{why}; it is tried again"));
        }
        now.difference(&self.0).for_each(|what| print::error(what));
        self.0 = now;
    }
}
