//! `cargo xtask fuzz`: seeds the fuzz targets from the recordings in `corpus/` and runs each for a while.
//!
//! The targets are safe Rust, so no sanitizer is needed, and with that the stable toolchain does. A crash leaves its input
//! in `fuzz/artifacts/` and makes the run fail.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

/// How to fuzz.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Seconds for each target.
    #[arg(long, default_value_t = 20)]
    seconds: u32,
}

impl Options {
    /// So many seconds for each target.
    pub(crate) fn seconds(seconds: u32) -> Self {
        Self { seconds }
    }
}

/// The targets, and what their seeds are made of.
const TARGETS: [(&str, Seed); 7] = [
    ("record", Seed::Line),
    ("event", Seed::Message),
    ("redact", Seed::Text),
    ("unwrap", Seed::Line),
    ("tracer", Seed::Log),
    ("query", Seed::Query),
    ("config", Seed::Config),
];

/// Seeds per target at most: enough to hold each form of line once, few enough to be read in a moment.
const SEEDS_MAX: usize = 500;
/// Bytes of a whole log given as a seed at most.
const LOG_BYTES_MAX: usize = 6_000;

#[derive(Clone, Copy)]
enum Seed {
    /// A line.
    Line,
    /// `TAG: TEXT`.
    Message,
    /// The text alone.
    Text,
    /// The beginning of a log.
    Log,
    /// A query of the manual.
    Query,
    /// A section of the sample file.
    Config,
}

/// Builds, seeds and runs every target, then tells which of them crashed.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    have_cargo_fuzz(root)?;
    let logs = recordings(&root.join("corpus"))?;
    let queries = queries(&root.join("docs/reference/query.md"))?;
    for (target, seed) in TARGETS {
        let folder = root.join("fuzz/corpus").join(target);
        write_seeds(&folder, &seeds(&logs, &queries, seed))
            .with_context(|| format!("cannot write seeds to {}", folder.display()))?;
    }
    build(root)?;
    let mut crashed = Vec::new();
    for (target, _) in TARGETS {
        if !runs_clean(root, target, options.seconds)? {
            crashed.push(target);
        }
    }
    if !crashed.is_empty() {
        bail!("crashed: {}; the inputs are in {}", crashed.join(", "), root.join("fuzz/artifacts").display());
    }
    Ok(())
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

fn have_cargo_fuzz(root: &Path) -> anyhow::Result<()> {
    let found = cargo(root).args(["fuzz", "--version"]).output().is_ok_and(|output| output.status.success());
    if found {
        return Ok(());
    }
    println!("cargo-fuzz is not installed: installing it");
    let installed =
        cargo(root).args(["install", "cargo-fuzz", "--locked"]).status().is_ok_and(|status| status.success());
    if !installed {
        bail!(
            "cannot install cargo-fuzz: run `cargo install cargo-fuzz --locked` where there is a network; until then `cargo test -p maillog -p trace -p query` checks the same properties, with less patience"
        );
    }
    Ok(())
}

fn build(root: &Path) -> anyhow::Result<()> {
    let status =
        cargo(root).args(["fuzz", "build", "--sanitizer", "none"]).status().context("cannot run cargo fuzz")?;
    if !status.success() {
        bail!("the fuzz targets do not build; libFuzzer itself needs a C++ compiler (`c++`)");
    }
    Ok(())
}

/// Runs one target. Output: whether nothing was found.
fn runs_clean(root: &Path, target: &str, seconds: u32) -> anyhow::Result<bool> {
    let limits = [format!("-max_total_time={seconds}"), "-timeout=10".to_owned(), "-rss_limit_mb=2048".to_owned()];
    let output = cargo(root)
        .args(["fuzz", "run", "--sanitizer", "none", target, "--"])
        .args(limits)
        .output()
        .context("cannot run cargo fuzz")?;
    let told = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = told.lines().collect();
    if output.status.success() {
        println!("{target}: {}", lines.iter().rev().find(|line| line.starts_with("Done ")).unwrap_or(&"done"));
    } else {
        println!("{target}: CRASHED\n{}", lines.get(lines.len().saturating_sub(60)..).unwrap_or_default().join("\n"));
    }
    Ok(output.status.success())
}

/// The queries of the manual, as they stand in its blocks of `query`.
fn queries(page: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let page = std::fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
    let blocks = page.split("```query\n").skip(1).filter_map(|rest| rest.split("```").next());
    Ok(blocks.flat_map(str::lines).filter_map(|line| Some(line.split("  #").next()?.trim().into())).collect())
}

/// Every recording's log.
fn recordings(corpus: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let folders = std::fs::read_dir(corpus).with_context(|| format!("cannot read {}", corpus.display()))?;
    let mut paths: Vec<PathBuf> =
        folders.filter_map(|folder| Some(folder.ok()?.path().join("mail.log"))).filter(|log| log.is_file()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))).collect()
}

/// Seeds of one kind: of lines that differ in digits only, the first.
fn seeds(logs: &[Vec<u8>], queries: &[Vec<u8>], seed: Seed) -> Vec<Vec<u8>> {
    let mut forms = BTreeSet::new();
    let lines = logs.iter().flat_map(|log| log.split(|b| *b == b'\n'));
    let all: Vec<Vec<u8>> = match seed {
        Seed::Log => logs.iter().map(|log| log.get(..LOG_BYTES_MAX).unwrap_or(log).to_vec()).collect(),
        Seed::Line => lines.map(<[u8]>::to_vec).collect(),
        Seed::Message => lines.filter_map(message).map(|(tag, text)| [tag, b": ", text].concat()).collect(),
        Seed::Text => lines.filter_map(message).map(|(_, text)| text.to_vec()).collect(),
        Seed::Query => queries.to_vec(),
        Seed::Config => vec![include_bytes!("../../docs/reference/config.toml").to_vec()],
    };
    all.into_iter().filter(|seed| !seed.is_empty() && forms.insert(form(seed))).take(SEEDS_MAX).collect()
}

/// Tag and text of `STAMP HOST TAG[PID]: TEXT` or `STAMP HOST TAG: TEXT`.
fn message(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let program = line.splitn(3, |b| *b == b' ').nth(2)?;
    let colon = program.windows(2).position(|pair| pair == b": ")?;
    let (tag, text) = (program.get(..colon)?, program.get(colon + 2..)?);
    Some((tag.split(|b| *b == b'[').next()?, text))
}

/// A line with each run of digits as one.
fn form(line: &[u8]) -> Vec<u8> {
    let mut form: Vec<u8> = line.iter().map(|b| if b.is_ascii_digit() { b'0' } else { *b }).collect();
    form.dedup_by(|a, b| *a == b'0' && *b == b'0');
    form
}

fn write_seeds(folder: &Path, seeds: &[Vec<u8>]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (number, seed) in seeds.iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number:03}")), seed)?;
    }
    Ok(())
}
