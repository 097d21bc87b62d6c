//! Compares each number of pflogsumm's with ours on the same log, and proves why those differ that do.
//!
//! Input: a log, or none for a generated one. Output: a table in Markdown. Where the two differ, the difference must be the sum of
//! what is known to set them apart, each counted by itself; any other difference is an error.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

/// Which log.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// A mail log whose stamps are in UTC; without one, a week of three hosts is generated.
    #[arg(value_name = "FILE")]
    log: Option<PathBuf>,
    /// Use this program instead of building the workspace's own.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Prints the table; an unexplained difference is an error.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => crate::program::release()?,
    };
    let made = std::env::temp_dir().join(format!("pflogsumm-{}.log", std::process::id()));
    let log = match &options.log {
        Some(log) => log.clone(),
        None => {
            let settings = loggen::Settings { bytes: 20_000_000, ..loggen::Settings::default() };
            let file = fs::File::create(&made).with_context(|| format!("cannot write {}", made.display()))?;
            loggen::generate(&settings, std::io::BufWriter::new(file))?;
            made.clone()
        }
    };
    let rows = compare(&program, &log);
    if options.log.is_none() {
        fs::remove_file(&made).with_context(|| format!("cannot remove {}", made.display()))?;
    }
    let rows = rows?;
    print(&rows);
    let wrong = rows.iter().filter(|row| !row.is_explained()).count();
    ensure!(wrong == 0, "{wrong} numbers differ, and it is not known why");
    Ok(())
}

/// A number of theirs beside ours.
struct Row {
    name: String,
    theirs: i64,
    ours: i64,
    /// What sets them apart: how much theirs is more for it, and why.
    apart: Vec<(i64, &'static str)>,
}

impl Row {
    fn new(name: &str, theirs: u64, ours: u64) -> Self {
        Self { name: name.to_owned(), theirs: theirs.cast_signed(), ours: ours.cast_signed(), apart: Vec::new() }
    }

    fn more(mut self, by: u64, why: &'static str) -> Self {
        self.apart.push((by.cast_signed(), why));
        self
    }

    fn less(mut self, by: u64, why: &'static str) -> Self {
        self.apart.push((-by.cast_signed(), why));
        self
    }

    fn is_explained(&self) -> bool {
        self.theirs == self.ours + self.apart.iter().map(|(by, _)| by).sum::<i64>()
    }
}

fn print(rows: &[Row]) {
    println!("| number | pflogsumm | ours | |\n|---|---:|---:|---|");
    for row in rows {
        let apart: Vec<String> =
            row.apart.iter().filter(|(by, _)| *by != 0).map(|(by, why)| format!("{by:+}: {why}")).collect();
        let verdict = match (row.is_explained(), apart.as_slice()) {
            (true, []) => "equal".to_owned(),
            (true, apart) => apart.join("; "),
            (false, apart) => format!("NOT EXPLAINED {}", apart.join("; ")),
        };
        println!("| {} | {} | {} | {verdict} |", row.name, row.theirs, row.ours);
    }
}

const STRANGE: &str = "services it does not know (`postfix/submissions/smtpd`, another `syslog_name`)";

const FORWARDED: &str = "`forwarded as`, which it counts apart";

const FILTERED: &str = "hand-overs to a content filter, which are no delivery: the copy that comes back is";

const HOPPED: &str = "hops to another host in the log, which are no delivery: that host's own is";

fn compare(program: &Path, log: &Path) -> anyhow::Result<Vec<Row>> {
    let theirs = Summary::of(log)?;
    let ours = answer(program, log)?;
    let facts = Facts::of(&fs::read_to_string(log).with_context(|| format!("cannot read {}", log.display()))?);
    let n = |path: &str| number(&ours, path);
    let actions = |names: &[&str]| names.iter().map(|name| n(&format!("/actions/{name}"))).sum::<u64>();
    let rejects: u64 = values(at(&ours, "/rejects")).sum();
    let mut rows = vec![
        Row::new("received", theirs.total("received")?, n("/messages/received"))
            .less(n("/messages/notices"), "bounces and other notices of Postfix's own, which it leaves out")
            .less(n("/messages/forwarded"), "mail that an alias made, which it counts as forwarded")
            .less(n("/messages/start_missing"), "messages that came before the log begins")
            .more(n("/messages/canceled"), "messages that never got into the queue: given up by the client")
            .more(
                n("/messages/refused"),
                "messages that never got into the queue: refused by a milter, a check or a limit",
            )
            .more(n("/messages/discarded"), "messages that a rule threw away")
            .more(n("/messages/never_active"), "messages on hold that were never taken up")
            .less(facts.accepted, STRANGE),
        Row::new("delivered", theirs.total("delivered")?, n("/delivered/deliveries"))
            .more(n("/handed_on/filter"), FILTERED)
            .more(n("/handed_on/hop"), HOPPED),
        Row::new("delivery lines", theirs.total("delivered")?, n("/deliveries/sent"))
            .less(theirs.total("forwarded")?, FORWARDED),
        Row::new("forwarded", theirs.total("forwarded")?, n("/handed_on/forward")),
        Row::new("deferred (messages)", theirs.total("deferred")?, n("/messages/deferred")),
        Row::new("deferrals", theirs.deferrals()?, n("/deliveries/deferred")),
        Row::new("bounced", theirs.total("bounced")?, n("/deliveries/bounced")),
        Row::new("rejected", theirs.total("rejected")?, rejects).less(facts.rejected, STRANGE),
        Row::new("reject warnings", theirs.total("reject warnings")?, actions(&["warning", "warn", "reject_warning"])),
        Row::new("held", theirs.total("held")?, actions(&["hold"])),
        Row::new("discarded", theirs.total("discarded")?, actions(&["discard"])),
        Row::new("recipients", theirs.total("recipients")?, length(at(&ours, "/top_recipients")))
            .more(facts.only_filtered, "addresses that are only handed to a content filter, and come back as others"),
        Row::new(
            "recipient hosts/domains",
            theirs.total("recipient hosts/domains")?,
            length(at(&ours, "/destinations")),
        ),
        Row::new("delivered, summed over domains", theirs.delivered_by_domain(), by_domain(&ours))
            .less(theirs.total("forwarded")?, FORWARDED)
            .more(n("/to_filters"), "hand-overs to a content filter, which are no delivery to the domain"),
        Row::new("warnings", theirs.detail("Warnings"), n("/levels/warning")),
        Row::new("fatal errors", theirs.detail("Fatal Errors"), n("/levels/fatal")),
        Row::new("panics", theirs.detail("Panics"), n("/levels/panic")),
    ];
    let days = theirs.days();
    let ours_by_day = at(&ours, "/days").as_array().into_iter().flatten();
    if !days.is_empty() {
        let told = |row: &&Value| days.keys().any(|day| same_day(at(row, "/day"), day));
        let sum = ours_by_day.filter(told).map(|row| number(row, "/counts/sent")).sum();
        let name = format!("delivery lines, summed over {} days", days.len());
        rows.push(Row::new(&name, days.values().sum(), sum).less(theirs.total("forwarded")?, FORWARDED));
    }
    Ok(rows)
}

fn answer(program: &Path, log: &Path) -> anyhow::Result<Value> {
    let output = Command::new(program)
        .args(["report", "--json", "--top", "0", "--timezone", "UTC", "--quiet"])
        .arg(log)
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(output.status.success(), "report ended with {}", output.status);
    serde_json::from_slice(&output.stdout).context("the report is no JSON")
}

/// What stands at a JSON pointer; null where nothing does.
fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    value.pointer(path).unwrap_or(&Value::Null)
}

/// The number there; a missing one is 0.
fn number(value: &Value, path: &str) -> u64 {
    at(value, path).as_u64().unwrap_or_default()
}

fn values(object: &Value) -> impl Iterator<Item = u64> {
    object.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_u64())
}

fn length(list: &Value) -> u64 {
    list.as_array().map_or(0, Vec::len) as u64
}

fn by_domain(ours: &Value) -> u64 {
    at(ours, "/destinations").as_array().into_iter().flatten().map(|row| number(row, "/sent")).sum()
}

/// `Tue 3 Mar` and `Mar  3 2026`.
fn same_day(ours: &Value, theirs: &str) -> bool {
    let theirs: Vec<&str> = theirs.split_whitespace().collect();
    let ours: Vec<&str> = ours.as_str().unwrap_or_default().split_whitespace().collect();
    matches!((ours.as_slice(), theirs.as_slice()), ([_, day, month], [m, d, _]) if month == m && day == d)
}

/// What the log holds besides, read with plain string functions.
#[derive(Default)]
struct Facts {
    /// Messages accepted by services whose tag pflogsumm cannot read: it knows `postfix/`, `postfix/smtps/` and
    /// `postfix/submission/`.
    accepted: u64,
    /// Rejects of these services.
    rejected: u64,
    /// Recipients of which only hand-overs to a content filter on this host are logged as sent.
    only_filtered: u64,
}

impl Facts {
    fn of(log: &str) -> Self {
        let mut found = Self::default();
        let (mut filtered, mut delivered) = (HashSet::new(), HashSet::new());
        for line in log.lines() {
            let Some((head, text)) = line.split_once("]: ") else { continue };
            let tag = head.rsplit(' ').next().unwrap_or_default();
            if !is_known(tag) {
                found.accepted += u64::from(text.contains(": client=") && !text.starts_with("NOQUEUE"));
                found.rejected += u64::from(text.contains("reject: "));
            }
            if let Some((to, rest)) = sent(text) {
                let filter = rest.contains("relay=127.0.0.1[127.0.0.1]") && rest.contains("queued as ");
                let addresses = if filter { &mut filtered } else { &mut delivered };
                addresses.insert(to.to_lowercase());
            }
        }
        found.only_filtered = filtered.difference(&delivered).count() as u64;
        found
    }
}

fn is_known(tag: &str) -> bool {
    let starts = ["postfix/smtps/", "postfix/submission/", "postfix/"];
    let rest = starts.iter().find_map(|start| tag.strip_prefix(start));
    !tag.contains('/') || rest.is_some_and(|rest| !rest.contains('/'))
}

/// The recipient of a line that says `sent`, and what stands behind it.
fn sent(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once(": to=<")?;
    let (to, rest) = rest.split_once('>')?;
    rest.contains("status=sent").then_some((to, rest))
}

/// What pflogsumm printed.
struct Summary {
    text: String,
}

impl Summary {
    fn of(log: &Path) -> anyhow::Result<Self> {
        let output = Command::new("pflogsumm")
            .arg(log)
            .env("TZ", "UTC")
            .output()
            .context("cannot start pflogsumm (apt-get install pflogsumm)")?;
        ensure!(output.status.success(), "pflogsumm ended with {}", output.status);
        Ok(Self { text: String::from_utf8_lossy(&output.stdout).into_owned() })
    }

    /// The lines under a heading and its underline, up to the next empty line.
    fn section(&self, heading: &str) -> impl Iterator<Item = &str> {
        let lines = self.text.lines().skip_while(move |line| !line.starts_with(heading));
        lines.skip(2).take_while(|line| !line.trim().is_empty())
    }

    /// A figure of the grand totals.
    fn total(&self, name: &str) -> anyhow::Result<u64> {
        for line in self.text.lines().take_while(|line| !line.starts_with("Per-")) {
            let mut words = line.trim().splitn(2, "  ");
            let (Some(count), Some(rest)) = (words.next(), words.next()) else { continue };
            let rest = rest.split('(').next().unwrap_or_default().trim();
            if rest == name {
                return count.parse().with_context(|| format!("{name}: {count} is no number"));
            }
        }
        bail!("pflogsumm says nothing of {name}")
    }

    /// `348 deferred (607 deferrals)`.
    fn deferrals(&self) -> anyhow::Result<u64> {
        let line = self.text.lines().find(|line| line.contains(" deferrals)")).context("no deferrals")?;
        let count = line.split('(').nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
        count.parse().with_context(|| format!("{count} is no number"))
    }

    /// `sent cnt` of all domains.
    fn delivered_by_domain(&self) -> u64 {
        let rows = self.section("Host/Domain Summary: Message Delivery");
        rows.filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok()).sum()
    }

    /// The sum of `(total: N)` under a heading.
    fn detail(&self, heading: &str) -> u64 {
        let totals = self.section(heading).filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        totals.filter_map(|line| line.split("(total: ").nth(1)?.split(')').next()?.parse::<u64>().ok()).sum()
    }

    /// Delivered by day. One day has no such table.
    fn days(&self) -> BTreeMap<String, u64> {
        let mut days = BTreeMap::new();
        for line in self.section("Per-Day Traffic Summary") {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let [month, day, year, _received, delivered, ..] = words.as_slice()
                && let Ok(delivered) = delivered.parse()
            {
                days.insert(format!("{month} {day} {year}"), delivered);
            }
        }
        days
    }
}
