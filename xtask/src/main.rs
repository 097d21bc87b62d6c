//! `cargo xtask`: whatever the project needs done that is longer than a line.

mod bench;

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
    /// Play login scenarios against real Postfix, Dovecot and saslauthd and keep their logs.
    Lab(lab::Options),
    /// Write a mail log of a busy server, and the truth about it.
    Generate(loggen::Options),
    /// Measure speed and memory beside other tools on the same file.
    Bench(bench::Options),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Lab(options) => lab::run(&options),
        Task::Generate(options) => loggen::run(&options),
        Task::Bench(options) => bench::run(&options),
    }
}
