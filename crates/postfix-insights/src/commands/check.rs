//! `check`: whether logs are there, can be read and look like mail logs, and whether the store is sound.

use std::path::{Path, PathBuf};

use answers::check::{Checked, check};
use answers::screen::escape;
use answers::{reading, state};
use input::{Options, Problem, Sources};
use serde_json::{Value, json};
use store::index::{Date, Index};
use store::state::State;

use crate::cli;
use crate::exit::Exit;
use crate::keeping;
use crate::print;

/// One thing that was looked at.
struct Row {
    id: String,
    /// `ok`, `warn` or `fault`.
    status: &'static str,
    summary: String,
    log: Option<Checked>,
}

/// Runs the command.
pub(crate) fn run(args: &cli::Check) -> anyhow::Result<Exit> {
    let state = if args.files.is_empty() { stored(args.state.as_deref())? } else { None };
    let rows = match &state {
        Some(state) => of_store(state)?,
        None => of_files(&args.files)?,
    };
    let is_sound = rows.iter().all(|row| row.status != "fault");
    if args.json {
        let rows: Vec<Value> = rows.iter().map(Row::to_json).collect();
        print::json(&json!({"checks": rows, "worst": if is_sound { "ok" } else { "fault" }}))?;
    } else {
        print::text(&rows.iter().map(Row::to_text).collect::<String>())?;
    }
    Ok(if is_sound { Exit::Ok } else { Exit::Partly })
}

/// The store, if there is one; one that was named has to be there.
fn stored(named: Option<&Path>) -> anyhow::Result<Option<State>> {
    if named.is_none() && state::usual().is_none_or(|folder| !State::new(&folder).exists()) {
        return Ok(None);
    }
    keeping::opened(named).map(Some)
}

fn of_store(state: &State) -> anyhow::Result<Vec<Row>> {
    let index = state::index(state);
    let mut rows: Vec<Row> = index.days()?.into_iter().map(|date| day(&index, date)).collect();
    let (sources, options) = (index.sources()?, options()?);
    let names: Vec<&str> = sources.numbers().map(|number| sources.name(number)).collect();
    rows.extend(names.into_iter().map(|name| match Path::new(name).try_exists() {
        Ok(false) => Row::plain(name, "warn", "the file is gone or has another name now; what was read of it is kept"),
        _ => log(name, &options),
    }));
    // Files may be as they were written and yet say what cannot be.
    for damaged in index.told().damaged {
        let row = Row::plain(&format!("day {}", damaged.day), "fault", &damaged.why.to_string());
        match rows.iter_mut().find(|known| known.id == row.id) {
            Some(known) if known.status == "ok" => *known = row,
            Some(_) => {}
            None => rows.push(row),
        }
    }
    Ok(rows)
}

fn of_files(files: &[PathBuf]) -> anyhow::Result<Vec<Row>> {
    let options = options()?;
    if files.is_empty() {
        return Ok(found("the usual places", &input::discover::<&str>(&[], Path::new("/")), &options));
    }
    let of = |file: &PathBuf| found(&file.display().to_string(), &input::discover(&[file], Path::new("/")), &options);
    Ok(files.iter().flat_map(of).collect())
}

/// What a file, a folder or a pattern leads to.
fn found(asked: &str, sources: &Sources, options: &Options) -> Vec<Row> {
    let problem = |problem: &Problem| Row::plain(asked, "fault", &problem.to_string());
    let logs = sources.list().iter().map(|source| log(source.name(), options));
    sources.problems().iter().map(problem).chain(logs).collect()
}

fn options() -> anyhow::Result<Options> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Options { timezone: reading::zone(None)?, year: None, now: jiff::Timestamp::now(), threads, keep_all: true })
}

fn day(index: &Index, date: Date) -> Row {
    let (status, why) = match index.verify(date) {
        Ok(files) if files.is_empty() => ("ok", String::new()),
        Ok(files) => {
            let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            ("fault", format!("damaged: {}", names.join(", ")))
        }
        Err(why) => ("fault", why.to_string()),
    };
    Row::plain(&format!("day {date}"), status, &why)
}

fn log(name: &str, options: &Options) -> Row {
    if !Path::new(name).is_file() {
        return Row::plain(name, "ok", "no file, and not looked into here");
    }
    let checked = check(name, options);
    let status = if checked.obstacle.is_some() { "warn" } else { "ok" };
    let summary = checked.obstacle.clone().unwrap_or_default();
    Row { id: name.to_owned(), status, summary, log: Some(checked) }
}

impl Row {
    fn plain(id: &str, status: &'static str, summary: &str) -> Self {
        Self { id: id.to_owned(), status, summary: summary.to_owned(), log: None }
    }

    fn to_json(&self) -> Value {
        let mut row = json!({"id": self.id, "status": self.status, "summary": self.summary});
        let more = self.log.as_ref().map(Checked::to_json);
        if let (Value::Object(row), Some(Value::Object(more))) = (&mut row, more) {
            row.extend(more);
        }
        row
    }

    fn to_text(&self) -> String {
        let told = self.log.as_ref().map(Checked::told).unwrap_or_default();
        let last = self.log.as_ref().and_then(Checked::last_told).map(|last| format!("last: {last}"));
        let summary = escape(&self.summary).into_owned();
        let further: String = [told, last.unwrap_or_default(), summary]
            .into_iter()
            .filter(|line| !line.is_empty())
            .map(|line| format!("      {line}\n"))
            .collect();
        format!("{:5} {}\n{further}", self.status, escape(&self.id))
    }
}
