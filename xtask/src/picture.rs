//! `cargo xtask picture`: the README's pictures, drawn from what the program really prints, and from its pages in a real browser.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// Where the picture goes, and what it shows.
const FILE: &str = "docs/triage.svg";
/// Lines shown at most.
const LINES: usize = 46;
const COLUMN: f64 = 7.83;
const ROW: f64 = 17.0;

/// Where the pictures of the pages go.
const PAGES: &str = "docs/images";

/// What to draw.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The program that is drawn (default: it is built).
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Draws all of them.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let program = options.program.clone().map_or_else(crate::program::release, Ok)?;
    terminal(&program)?;
    browser::draw_for_docs(program, Path::new(PAGES))?;
    println!("{PAGES}");
    Ok(())
}

/// Runs the triage of the recordings in colour and draws its first lines as SVG.
fn terminal(program: &Path) -> anyhow::Result<()> {
    let mut logs: Vec<_> = std::fs::read_dir("corpus")?
        .filter_map(|entry| Some(entry.ok()?.path().join("mail.log")))
        .filter(|log| log.exists())
        .collect();
    logs.sort();
    let output = Command::new(program)
        .args(["triage", "--color", "always", "--timezone", "UTC"])
        .args(logs)
        .env("COLUMNS", "104")
        .output()
        .context("cannot run the program")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(FILE, svg(&String::from_utf8(output.stdout)?))?;
    println!("{FILE}");
    Ok(())
}

fn svg(text: &str) -> String {
    let lines: Vec<&str> =
        std::iter::once("$ postfix-insights corpus/*/mail.log").chain(text.lines()).take(LINES).collect();
    let (width, height) = (104.0 * COLUMN + 32.0, lines.len() as f64 * ROW + 32.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" aria-label=\"postfix-insights on a terminal\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#14171c\"/>\n<g font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"13\" fill=\"#d5d9e0\" xml:space=\"preserve\">\n"
    );
    for (n, line) in lines.iter().enumerate() {
        let y = 16.0 + ROW * (n as f64 + 0.8);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "<text x=\"16\" y=\"{y:.1}\">{}</text>", spans(line));
    }
    out + "</g>\n</svg>\n"
}

/// A line with its colours as `tspan`s, each placed at its column so that every font keeps the table.
fn spans(line: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for (n, part) in line.split("\x1b[").enumerate() {
        let (code, text) = if n == 0 { ("0", part) } else { part.split_once('m').unwrap_or(("0", part)) };
        let style = match code {
            "1" => "fill=\"#ffffff\" font-weight=\"bold\"",
            "1;31" => "fill=\"#ff6b6b\" font-weight=\"bold\"",
            "33" => "fill=\"#f2c14e\"",
            "32" => "fill=\"#6bcf7f\"",
            "2" => "fill=\"#8b93a1\"",
            _ => "fill=\"#d5d9e0\"",
        };
        if !text.is_empty() {
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let _ = write!(out, "<tspan x=\"{:.1}\" {style}>{escaped}</tspan>", 16.0 + f64::from(column) * COLUMN);
            column += u32::try_from(text.chars().count()).unwrap_or_default();
        }
    }
    out
}
