//! The program: commands, options, and wiring. Holds no logic that others need.

mod asked;
mod cli;
mod commands;
mod configuration;
mod doctor;
mod doctor_log;
mod doctor_text;
mod exit;
mod export;
mod keeping;
mod password;
mod print;
mod progress;
mod report_mail;
mod search;
mod tables;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::cli::{Cli, Command};
use crate::commands::{
    check, config, entries, explain, follow, ingest, questions, reindex, report, serve, subject, trace, triage, user,
};
use crate::configuration::Loaded;
use crate::exit::Exit;

// A server makes large answers in several threads and must give their memory back; the C library's allocator keeps it, arena by arena.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let args = cli::with_default_command(std::env::args_os().collect());
    let loaded = match configuration::load(&Cli::command(), &args) {
        Ok(loaded) => loaded,
        Err(error) => {
            print::error(&format!("{error:#}"));
            return Exit::Usage.into();
        }
    };
    let matches = configuration::applied(Cli::command(), &loaded).try_get_matches_from(args);
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, and are no errors.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    std::panic::set_hook(Box::new(|info| {
        print::error(&format!("a bug of ours: {info}; please report it with the command you ran"))
    }));
    let result = std::panic::catch_unwind(|| run(&cli, &loaded));
    match result {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(error)) if print::is_closed_pipe(&error) => Exit::Ok.into(),
        Ok(Err(error)) => {
            print::error(&format!("{error:#}"));
            Exit::Usage.into()
        }
        Err(_) => Exit::Bug.into(),
    }
}

fn run(cli: &Cli, loaded: &Loaded) -> anyhow::Result<Exit> {
    match &cli.command {
        Command::Triage(args) => triage::run(args),
        Command::Entries(args) => entries::run(args),
        Command::Search(args) => search::run(args),
        Command::Count(args) => questions::count(args),
        Command::Top(args) => questions::top(args),
        Command::Histogram(args) => questions::histogram(args),
        Command::Export(args) => export::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Client(args) => subject::client(args),
        Command::Account(args) => subject::account(args),
        Command::Serve(args) => serve::run(args),
        Command::User(args) => user::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Ingest(args) => ingest::run(args),
        Command::Follow(args) => follow::run(args),
        Command::Status(args) => keeping::status(args),
        Command::Check(args) => check::run(args),
        Command::Reindex(args) => reindex::run(args),
        Command::Purge(args) => keeping::purge(args),
        Command::Report(args) => report::run(args),
        Command::Trace(args) => trace::run(args),
        Command::Findings(args) => commands::findings::run(args),
        Command::Rehearse(args) => commands::rehearse::run(args),
        Command::Bans(args) => commands::bans::run(args),
        Command::Blocklist(args) => commands::blocklist::run(args),
        Command::Config(args) => config::run(args, loaded),
        Command::Fields => tables::fields(),
        Command::Causes => tables::causes(),
        Command::Reasons => tables::reasons(),
        Command::Checks => tables::checks(),
        Command::Thresholds => tables::thresholds(),
    }
}
