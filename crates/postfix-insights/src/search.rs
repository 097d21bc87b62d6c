//! `search`: what a query means, newest first, with the lines around it, for people.

mod following;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufWriter};
use std::sync::Arc;

use query::{Entry, Query};
use store::{Answer, Order, Page, Question, Row, RowsAsked};

use crate::asked;
use crate::cli::{Search, Sort};
use crate::exit::Exit;
use crate::print;
use answers::formats::{Ndjson, Printer as _};
use answers::mask::Mask;
use answers::screen::{Ink, Screen, escape, number, plural};
use answers::times::Clock;
use following::Following;

/// Runs the command.
pub(crate) fn run(args: &Search) -> anyhow::Result<Exit> {
    let reading = args.input.reading(&args.output, true)?;
    let clock = Clock::new(reading.zone());
    let query = match asked::read(&args.words, &args.asked, &reading, &args.output) {
        Ok(query) => query,
        Err(exit) => return Ok(exit),
    };
    let order = match args.sort {
        Sort::Newest => Order::Newest,
        Sort::Oldest => Order::Oldest,
    };
    let following = match (args.follow, reading.state()) {
        (false, _) => None,
        (true, Some(state)) => Some(Following::begin(state)?),
        (true, None) => anyhow::bail!("--follow: there is no store; fill one with `postfix-insights follow`"),
    };
    let during = reading.asked_time();
    let rows = RowsAsked { order, limit: args.limit, after: args.cursor.clone(), context: args.context };
    // How many there are is said to people only, unless it is all there is to tell of a page behind the last one.
    let mut questions = vec![Question::Rows(rows)];
    questions.extend((!args.output.quiet || args.cursor.is_some()).then_some(Question::Count));
    let (answered, exit) = match asked::ask(reading, &query, &questions, args.output.quiet)? {
        Ok(answered) => answered,
        Err(exit) => return Ok(exit),
    };
    let (page, all) = match answered.answers.as_slice() {
        [Answer::Rows(page), Answer::Count(all)] => (page, *all),
        [Answer::Rows(page)] => (page, page.rows.len() as u64),
        _ => anyhow::bail!("a store answered another question"),
    };
    let shown = Shown { query: &query, screen: args.output.screen(), clock: &clock, mask: Mask(args.output.mask) };
    if let Some(mut following) = following {
        let rows: Vec<Entry> = page.rows.iter().rev().map(|row| Entry::clone(&row.entry)).collect();
        following.skip(rows.iter());
        shown.entries(&rows, args.json)?;
        return following.run(&query.clone().and(during), |entries| shown.entries(entries, args.json));
    }
    if args.json {
        shown.json(page.rows.iter().map(|row| &*row.entry))?;
    } else {
        print::text(&shown.page(page))?;
    }
    if !args.output.quiet {
        tell(page, all, &query, args.output.verbose > 0);
    }
    Ok(exit.or_no_match(all > 0))
}

/// Says how much there is besides what was shown.
fn tell(page: &Page, all: u64, query: &Query, explained: bool) {
    if let Some(next) = &page.next {
        print::note(&format!(
            "{} shown of {}; for more: --limit N, --cursor '{next}', or `entries -q` for all",
            plural(page.rows.len() as u64, "line", "lines"),
            number(all)
        ));
    }
    if all == 0 {
        asked::nothing_matched(query, explained);
    }
}

/// How rows are drawn.
struct Shown<'a> {
    query: &'a Query,
    screen: Screen,
    clock: &'a Clock,
    mask: Mask,
}

/// Neighbouring lines of one source, by number, and whether the query means them.
struct Block {
    source: Option<String>,
    lines: BTreeMap<i64, (Arc<Entry>, bool)>,
}

impl Shown<'_> {
    fn json<'e>(&self, mut entries: impl Iterator<Item = &'e Entry>) -> io::Result<()> {
        let mut printer = Ndjson(BufWriter::with_capacity(1 << 16, io::stdout()), self.mask);
        entries.try_for_each(|entry| printer.print(entry, b""))?;
        printer.finish()
    }

    /// Lines one by one.
    fn entries(&self, entries: &[Entry], json: bool) -> anyhow::Result<()> {
        if json {
            return Ok(self.json(entries.iter())?);
        }
        let mut out = String::new();
        entries.iter().for_each(|entry| self.entry(entry, true, &mut out));
        Ok(print::text(&out)?)
    }

    fn page(&self, page: &Page) -> String {
        let mut out = String::new();
        let context = page.rows.iter().any(|row| !row.before.is_empty() || !row.after.is_empty());
        if !context {
            page.rows.iter().for_each(|row| self.entry(&row.entry, true, &mut out));
            return out;
        }
        for (at, block) in blocks(&page.rows).iter().enumerate() {
            if at > 0 {
                out.push_str("--\n");
            }
            block.lines.values().for_each(|(entry, meant)| self.entry(entry, *meant, &mut out));
        }
        out
    }

    /// One line as it was logged, what was asked for in colour, and below it what is known of it. A line of the context is
    /// dim and has nothing below.
    fn entry(&self, entry: &Entry, meant: bool, out: &mut String) {
        let masked = self.mask.entry(entry);
        let when = entry.ts.map_or_else(|| "no time".to_owned(), |ts| self.clock.full(ts));
        let field = |value: &Option<String>| value.as_deref().map(|text| escape(text).into_owned()).unwrap_or_default();
        let pid = entry.pid.map(|pid| format!("[{pid}]")).unwrap_or_default();
        let head = format!("{when} {} {}{pid}: ", field(&masked.host), field(&masked.tag));
        // Writing to a string cannot fail.
        let _ = if meant {
            writeln!(out, "{}{}", self.screen.ink(Ink::Dim, &head), self.marked(&masked))
        } else {
            writeln!(out, "{}", self.screen.ink(Ink::Dim, &format!("{head}{}", field(&masked.text))))
        };
        if meant {
            let _ = writeln!(out, "    {}", self.screen.ink(Ink::Dim, &known(&masked)));
        }
    }

    /// The text with what was asked for in colour.
    fn marked(&self, entry: &Entry) -> String {
        let text = entry.text.as_deref().unwrap_or_default();
        let mut out = String::new();
        let mut end = 0;
        for range in self.query.highlights(entry) {
            out.push_str(&escape(text.get(end..range.start).unwrap_or_default()));
            out.push_str(&self.screen.ink(Ink::Bad, &escape(text.get(range.clone()).unwrap_or_default())));
            end = range.end;
        }
        out.push_str(&escape(text.get(end..).unwrap_or_default()));
        out
    }
}

/// Rows with their context; those whose lines meet are one block.
fn blocks(rows: &[Row]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for row in rows {
        let near = row.before.iter().chain(&row.after).map(|entry| (Arc::clone(entry), false));
        let lines: Vec<(i64, (Arc<Entry>, bool))> = near
            .chain([(Arc::clone(&row.entry), true)])
            .map(|(entry, meant)| (entry.line.unwrap_or_default(), (entry, meant)))
            .collect();
        let meets = |block: &Block| {
            block.source == row.entry.source
                && lines.iter().any(|(line, _)| (line - 1..=line + 1).any(|near| block.lines.contains_key(&near)))
        };
        match blocks.last_mut().filter(|block| meets(block)) {
            Some(block) => {
                for (line, (entry, meant)) in lines {
                    let known = block.lines.entry(line).or_insert((entry, false));
                    known.1 |= meant;
                }
            }
            None => {
                blocks.push(Block { source: row.entry.source.clone(), lines: lines.into_iter().collect() });
            }
        }
    }
    blocks
}

/// Class, cause, who, and where the line stands.
fn known(entry: &Entry) -> String {
    let joined = match (entry.username.as_deref(), entry.username_origin.as_deref()) {
        (Some(name), Some("joined")) => Some(format!("user {name} (joined)")),
        _ => None,
    };
    let times = entry.repeat.map(|times| format!("{times} times"));
    let place = match (entry.source.as_deref(), entry.line) {
        (Some(source), Some(line)) => Some(format!("{source}:{line}")),
        _ => None,
    };
    let parts = [entry.class.clone(), entry.cause.clone(), joined, times, place];
    escape(&parts.into_iter().flatten().collect::<Vec<_>>().join("  ")).into_owned()
}
