//! `cargo xtask`: whatever the project needs done that is longer than a line.

mod bench;
mod contract;
mod fuzz;
mod judge;
mod peers;
mod pflogsumm;
mod picture;
mod program;
mod served;
mod test;

use clap::{Parser, Subcommand};

/// The project's own chores.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run all tests: the workspace's, the lab's fresh logs, short fuzzing, other projects' lines.
    Test(test::Options),
    /// Play login scenarios against real Postfix, Dovecot and saslauthd and keep their logs.
    Lab(lab::Options),
    /// Set up mail hosts wrongly, with real daemons, and check that `doctor` finds what is wrong and nothing else.
    Doctor(lab::hosts::Options),
    /// Use the pages in a real browser as people do, or draw pictures of them.
    Browser(browser::Options),
    /// Write a mail log of a busy server, and the truth about it.
    Generate(loggen::Options),
    /// Measure speed and memory beside other tools on the same file.
    Bench(bench::Options),
    /// Stage attacks, people and outages, and score what `triage` finds.
    Judge(judge::Options),
    /// Hold the API against its own description, with schemathesis.
    Contract(contract::Options),
    /// Compare with log lines from other projects.
    Peers(peers::Options),
    /// Compare each number of pflogsumm's with ours on the same log.
    Pflogsumm(pflogsumm::Options),
    /// Draw the README's pictures.
    Picture(picture::Options),
    /// Feed the parsers noise and mutated log lines.
    Fuzz(fuzz::Options),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Test(options) => test::run(&options),
        Task::Lab(options) => lab::run(&options),
        Task::Doctor(options) => doctor(options),
        Task::Browser(options) => in_browser(options),
        Task::Generate(options) => loggen::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Judge(options) => judge::run(&options),
        Task::Contract(options) => contract::run(&options),
        Task::Peers(options) => peers::run(&options),
        Task::Pflogsumm(options) => pflogsumm::run(&options),
        Task::Picture(options) => picture::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
    }
}

/// Builds the program where none is named.
fn doctor(mut options: lab::hosts::Options) -> anyhow::Result<()> {
    if options.program.is_none() && !options.list && !options.inside {
        options.program = Some(program::release()?);
    }
    lab::hosts::run(&options)
}

/// The same for the pages.
fn in_browser(mut options: browser::Options) -> anyhow::Result<()> {
    if options.program.is_none() {
        options.program = Some(program::release()?);
    }
    browser::run(&options)
}
