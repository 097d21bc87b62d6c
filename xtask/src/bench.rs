//! Measures the program beside other tools on the same file, and its answer against the truth about that file.
//!
//! Question: what does a whole summary of a mail log cost, in CPU seconds, beside reading its lines (`wc -l`), beside a search
//! for one pattern (`rg -c`), and beside the tools that give a summary today? Corpus: logs that `cargo xtask generate` makes.
//! CPU seconds and their ratios are the figures to quote; wall time depends on what else the machine does.

mod compare;
mod findings;
mod index;
mod measure;
mod tools;
mod web;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use loggen::Truth;

use measure::{Usage, measure, median};
use tools::Tool;

/// The smaller file, for slow tools, for memory beside the large one, and compressed.
const PIECE: u64 = 100_000_000;
/// The size of `--quick`.
const QUICK: u64 = 20_000_000;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How large the log is.
    #[arg(long, default_value = "1G", value_parser = loggen::parse_size)]
    size: u64,
    /// How often each quick command runs; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// A small file, one run, and only the tools that are installed.
    #[arg(long)]
    quick: bool,
    /// Keep the logs in this folder, and use those that a former run left there.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// How the log's lines are stamped.
    #[arg(long, value_enum, default_value = "rfc3164")]
    stamp: loggen::Stamp,
    /// Fold repeated messages in the log as rsyslog does.
    #[arg(long)]
    folded: bool,
    /// Another seed gives another log.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many days the log covers.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Measure the store instead: how fast lines go in, what they take there, how soon it answers.
    #[arg(long)]
    index: bool,
    /// Measure the server instead: pages, many requests at once, live views, memory.
    #[arg(long, conflicts_with = "index")]
    web: bool,
    /// Measure the detectors alone, on a year of failed logins.
    #[arg(long)]
    findings: bool,
    /// Being that measurement.
    #[arg(long, hide = true, requires = "findings")]
    inside: bool,
    /// Measure this program instead of building the workspace's own.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Runs the measurements, prints a table, and compares the program's counts with the truth.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    match (options.findings, options.inside) {
        (true, true) => return findings::inside(),
        (true, false) => return findings::run(),
        _ => {}
    }
    let folder = options.keep.clone().unwrap_or_else(|| target().join("bench"));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let result = bench(options, &folder);
    if options.keep.is_none() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    result
}

fn bench(options: &Options, folder: &Path) -> anyhow::Result<()> {
    let (size, runs) = if options.quick { (options.size.min(QUICK), 1) } else { (options.size, options.runs) };
    let program = match &options.program {
        Some(program) => program.clone(),
        None => build()?,
    };
    if !options.quick {
        tools::install();
    }
    let log = make_log(options, folder, size)?;
    if options.index {
        return index::bench(&program, &log, folder, runs);
    }
    if options.web {
        return web::bench(&program, &log, folder, runs);
    }
    let piece = if size > PIECE { make_log(options, folder, PIECE)? } else { log.clone() };
    let mut table = Table::new();
    table.quick_tools(&log, &program, runs)?;
    table.slow_tools(&log, &piece, options.quick)?;
    if piece != log {
        table.add(&Tool::triage(&program), &piece, runs)?;
        table.add_report(&program, &piece, runs)?;
    }
    table.compressed(&piece, &program, runs)?;
    table.print();
    check(&program, &log)?;
    if piece != log {
        check(&program, &piece)?;
    }
    Ok(())
}

/// Compares the program's answers about a log with the truth.
fn check(program: &Path, log: &Path) -> anyhow::Result<()> {
    let truth = truth_of(log)?;
    let mut report = compare::Comparison::default();
    report.triage(&truth, &Tool::triage(program).answer(log)?);
    match Tool::report(program).answer(log) {
        Ok(answer) => report.report(&truth, &answer),
        Err(error) => report.note(format!("deliveries not compared: {error:#}")),
    }
    let name = log.file_name().unwrap_or(log.as_os_str()).to_string_lossy();
    println!("\nCounts of {name} against the truth about it:");
    report.print();
    ensure!(report.exact(), "the counts of {name} differ from the truth");
    Ok(())
}

fn truth_of(log: &Path) -> anyhow::Result<Truth> {
    let text = fs::read(loggen::truth_path(log)).context("cannot read the truth")?;
    serde_json::from_slice(&text).context("cannot understand the truth")
}

/// Makes a log by a process of its own, so that its memory does not show in what is measured later.
fn make_log(options: &Options, folder: &Path, size: u64) -> anyhow::Result<PathBuf> {
    let stamp = if options.stamp == loggen::Stamp::Rfc3339 { "rfc3339" } else { "rfc3164" };
    let folded = if options.folded { "-folded" } else { "" };
    let log = folder.join(format!("{stamp}{folded}-{}-{}d-{size}.log", options.seed, options.days));
    if log.exists() && loggen::truth_path(&log).exists() {
        return Ok(log);
    }
    let mut command = Command::new(std::env::current_exe().context("this program cannot find itself")?);
    command.arg("generate").arg("--out").arg(&log);
    command.args(["--bytes", &size.to_string(), "--stamp", stamp, "--seed", &options.seed.to_string()]);
    command.args(["--days", &options.days.to_string()]);
    if options.folded {
        command.arg("--folded");
    }
    let status = command.status().context("cannot start the generator")?;
    ensure!(status.success(), "the generator failed");
    Ok(log)
}

/// Builds the program as users get it.
fn build() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--package", "postfix-insights"])
        .current_dir(root())
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("postfix-insights does not build");
    }
    Ok(target().join("release/postfix-insights"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// One line of the table.
struct Row {
    tool: String,
    file: String,
    runs: u32,
    usage: Usage,
    /// Bytes of text that were read.
    bytes: u64,
}

impl Row {
    fn per_gb(&self) -> f64 {
        self.usage.cpu() / (self.bytes as f64 / 1e9)
    }
}

/// What was measured, and what was not and why.
struct Table {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Table {
    fn new() -> Self {
        Self { rows: Vec::new(), notes: Vec::new() }
    }

    /// The commands that take seconds, in turn, so that a disturbance meets them all.
    fn quick_tools(&mut self, log: &Path, program: &Path, runs: u32) -> anyhow::Result<()> {
        let mut tools = vec![Tool::lines(), Tool::ripgrep(), Tool::triage(program)];
        match Tool::report(program).answer(log) {
            Ok(_) => tools.push(Tool::report(program)),
            Err(error) => self.notes.push(format!("{}: not measured: {error:#}", tools::REPORT)),
        }
        let (present, missing): (Vec<_>, Vec<_>) = tools.into_iter().partition(Tool::present);
        self.notes.extend(missing.iter().map(|tool| format!("{}: not installed, not measured", tool.name)));
        // Once for the page cache.
        measure(&Tool::lines(), log)?;
        let mut usages: Vec<Vec<Usage>> = present.iter().map(|_| Vec::new()).collect();
        for _ in 0..runs {
            for (tool, usages) in present.iter().zip(&mut usages) {
                usages.push(measure(tool, log)?);
            }
        }
        for (tool, usages) in present.iter().zip(usages) {
            self.push(tool, log, runs, median(usages))?;
        }
        Ok(())
    }

    /// The commands that take minutes on a large file: once each, fail2ban's on the smaller file.
    fn slow_tools(&mut self, log: &Path, piece: &Path, quick: bool) -> anyhow::Result<()> {
        for (tool, file) in [(Tool::pflogsumm(), log), (Tool::fail2ban(), piece)] {
            if !tool.present() {
                self.notes.push(format!("{}: not installed, not measured", tool.name));
                continue;
            }
            self.add(&tool, file, 1)?;
        }
        if !quick && piece != log {
            self.notes.push("pflogsumm and fail2ban-regex ran once; fail2ban-regex on the smaller file".to_owned());
        }
        Ok(())
    }

    /// The smaller file, compressed as a rotated log is.
    fn compressed(&mut self, piece: &Path, program: &Path, runs: u32) -> anyhow::Result<()> {
        let mut name = piece.as_os_str().to_owned();
        name.push(".gz");
        let packed = PathBuf::from(name);
        if !packed.exists() {
            match Command::new("gzip").args(["--keep", "-6"]).arg(piece).status() {
                Ok(status) if status.success() => {}
                _ => {
                    self.notes.push("gzip: not installed, no compressed log measured".to_owned());
                    return Ok(());
                }
            }
        }
        let tool = Tool::triage(program);
        let usages = (0..runs).map(|_| measure(&tool, &packed)).collect::<anyhow::Result<_>>()?;
        let usage = median(usages);
        let bytes = size_of(piece)?;
        let seconds = usage.cpu() / (bytes as f64 / 1e8);
        self.notes.push(format!("compressed: {seconds:.2} CPU s for 100 MB of text"));
        self.rows.push(Row { tool: tool.name, file: format!("{} of text, .gz", megabytes(bytes)), runs, usage, bytes });
        Ok(())
    }

    /// The report on the smaller file, if the large one could be reported on: its memory beside the large one's.
    fn add_report(&mut self, program: &Path, piece: &Path, runs: u32) -> anyhow::Result<()> {
        if self.of(tools::REPORT).is_none() {
            return Ok(());
        }
        self.add(&Tool::report(program), piece, runs)
    }

    fn add(&mut self, tool: &Tool, file: &Path, runs: u32) -> anyhow::Result<()> {
        let usages = (0..runs).map(|_| measure(tool, file)).collect::<anyhow::Result<_>>()?;
        self.push(tool, file, runs, median(usages))
    }

    fn push(&mut self, tool: &Tool, file: &Path, runs: u32, usage: Usage) -> anyhow::Result<()> {
        if !usage.success {
            self.notes.push(format!("{}: ended with an error", tool.name));
        }
        let bytes = size_of(file)?;
        self.rows.push(Row { tool: tool.name.clone(), file: megabytes(bytes), runs, usage, bytes });
        Ok(())
    }

    /// The first measurement of a tool, which is the one on the large file.
    fn of(&self, tool: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.tool == tool)
    }

    fn print(&self) {
        let floor = |name: &str| self.of(name).map(Row::per_gb);
        let (lines, search) = (floor(&Tool::lines().name), floor(&Tool::ripgrep().name));
        println!(
            "\n{:<24} {:<20} {:>4} {:>8} {:>8} {:>8} {:>8} {:>9} {:>7} {:>7}",
            "tool", "file", "runs", "user s", "sys s", "wall s", "peak MB", "CPU s/GB", "x wc -l", "x rg -c"
        );
        for row in &self.rows {
            let Usage { user, system, wall, peak_bytes, .. } = row.usage;
            println!(
                "{:<24} {:<20} {:>4} {user:>8.2} {system:>8.2} {wall:>8.2} {:>8.0} {:>9.2} {:>7} {:>7}",
                row.tool,
                row.file,
                row.runs,
                peak_bytes as f64 / 1e6,
                row.per_gb(),
                times(row.per_gb(), lines),
                times(row.per_gb(), search),
            );
        }
        let theirs = self.of(&Tool::pflogsumm().name);
        for ours in [tools::TRIAGE, tools::REPORT] {
            if let (Some(ours), Some(theirs)) = (self.of(ours), theirs) {
                println!("pflogsumm costs {:.1} times as much as {}.", theirs.per_gb() / ours.per_gb(), ours.tool);
            }
        }
        for note in &self.notes {
            println!("note: {note}");
        }
    }
}

fn times(cost: f64, floor: Option<f64>) -> String {
    floor.filter(|floor| *floor > 0.0).map_or_else(|| "-".to_owned(), |floor| format!("{:.1}", cost / floor))
}

fn size_of(file: &Path) -> anyhow::Result<u64> {
    Ok(fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len())
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}
