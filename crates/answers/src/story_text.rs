//! The story of a message as a person would tell it, and the lines that prove it.

use std::collections::{BTreeMap, BTreeSet};

use trace::{End, Fate, FromClient, LinkKind, Message, Origin, Recipient, Story, Try};

use crate::mask::Mask;
use crate::reading::Read;
use crate::screen::{Ink, Screen, cut, escape, left, number, plural, wrap};
use crate::story::Told;
use crate::story_json::personal;
use crate::subject::service;
use crate::times::{Clock, duration};

/// Everything the page is drawn from.
pub struct Page<'a> {
    /// The stories.
    pub told: &'a [Told],
    /// How many more there are.
    pub beyond: usize,
    /// What was read.
    pub read: &'a Read,
    /// Whether names and addresses are masked.
    pub mask: Mask,
    /// What it is drawn on.
    pub screen: Screen,
    /// How times are shown.
    pub clock: &'a Clock,
    /// More detail.
    pub verbose: bool,
}

/// One thing that happened. Its words may quote the log: they are masked and escaped where they are printed.
struct Happening {
    time: i64,
    /// The line that tells of it; the order within one instant.
    line: u64,
    queue_id: String,
    words: String,
    ink: Ink,
}

/// Lines shown without `-v` at most.
const LINES: usize = 24;
/// Recipients whose attempts are told without `-v` at most, per queue file.
const RECIPIENTS: usize = 20;

/// A recipient's last fate in a word.
pub fn fate_word(fate: Fate) -> &'static str {
    match fate {
        Fate::Sent | Fate::HandedOn => "delivered",
        Fate::Deferred => "deferred",
        Fate::Bounced => "returned",
        Fate::Expired => "expired",
    }
}

impl Page<'_> {
    /// The whole page.
    pub fn draw(&self) -> String {
        if self.told.is_empty() {
            let to = self.read.coverage.to.map_or_else(|| "the end of the log".to_owned(), |to| self.clock.long(to));
            return format!("no message found up to {to}\n");
        }
        let stories: Vec<String> = self.told.iter().map(|told| self.story(told)).collect();
        let mut out = stories.join("\n");
        if self.beyond > 0 {
            out += &format!("\n… and {}; --since and --until narrow it\n", plural(self.beyond as u64, "more", "more"));
        }
        out
    }

    fn story(&self, told: &Told) -> String {
        let story = &told.story;
        let personal = if self.mask.0 { personal(story) } else { Vec::new() };
        let safe = |text: &str| escape(&self.mask.within(text, &personal)).into_owned();
        let mut out = self.screen.ink(Ink::Heading, &safe(&title(story))) + "\n";
        for line in wrap(&safe(&outcome(story)), self.screen.width - 2) {
            out += &format!("  {line}\n");
        }
        let width = story.messages().iter().map(|message| message.queue_id().len()).max().unwrap_or_default().min(18);
        for happening in self.happenings(story) {
            let indent = 17 + width + 2;
            let words = safe(&happening.words);
            for (n, part) in wrap(&words, self.screen.width.saturating_sub(indent + 2)).iter().enumerate() {
                let part = cut(part, self.screen.width.saturating_sub(indent + 2));
                let part = self.screen.ink(happening.ink, &part);
                out += &if n == 0 {
                    let time = left(&self.clock.short(happening.time), 15);
                    format!("  {time}  {}  {part}\n", left(&safe(&happening.queue_id), width))
                } else {
                    format!("{}  {part}\n", " ".repeat(indent))
                };
            }
        }
        out + &self.lines(told)
    }

    fn happenings(&self, story: &Story) -> Vec<Happening> {
        let mut all = Vec::new();
        for message in story.messages() {
            self.tell(story, message, &mut all);
        }
        all.sort_by_key(|happening| (happening.time, happening.line));
        all
    }

    fn tell(&self, story: &Story, message: &Message, all: &mut Vec<Happening>) {
        let queue_id = text(message.queue_id());
        let mut add = |time: i64, line: u64, words: String, ink: Ink| {
            all.push(Happening { time, line, queue_id: queue_id.clone(), words, ink });
        };
        let came = came_from(story, message);
        add(message.first, message.first_line, came, if message.start_missing() { Ink::Dim } else { Ink::Plain });
        if let Some(words) = envelope(message) {
            add(message.first, message.first_line, words, Ink::Plain);
        }
        let mut tries: BTreeMap<_, Vec<Try<'_>>> = BTreeMap::new();
        for attempt in message.tries() {
            tries.entry((attempt.to, attempt.orig_to)).or_default().push(attempt);
        }
        let most = if self.verbose { usize::MAX } else { RECIPIENTS };
        for recipient in message.recipients().take(most) {
            for attempt in
                tries.get(&(recipient.to, recipient.orig_to)).map(|tries| runs(tries, self.verbose)).unwrap_or_default()
            {
                let (words, ink) = attempted(story, &recipient, &attempt);
                add(attempt.last.time, attempt.last.line, words, ink);
            }
        }
        let hidden = message.recipients().len().saturating_sub(most) as u64 + u64::from(message.recipients_beyond);
        if hidden > 0 {
            let words = format!(
                "and {} (-v shows up to {})",
                plural(hidden, "more recipient", "more recipients"),
                Message::RECIPIENTS
            );
            add(message.last, u64::MAX - 1, words, Ink::Dim);
        }
        if message.recipients().any(|recipient| recipient.fate == Fate::Expired) {
            add(message.last, u64::MAX - 1, "its time in the queue is over: no more attempts".to_owned(), Ink::Bad);
        }
        let (words, ink) = ended(message);
        add(message.ended.unwrap_or(message.last), u64::MAX, words, ink);
    }

    fn lines(&self, told: &Told) -> String {
        let mut out = format!("  {}\n", self.screen.ink(Ink::Dim, "the lines:"));
        let most = if self.verbose { usize::MAX } else { LINES };
        for shown in told.lines.values().take(most) {
            let name = self.read.coverage.sources.get(shown.source).map_or("", |source| source.name.as_str());
            let place = format!("{}:{}", escape(name), shown.number);
            let line = if self.mask.0 { "[masked]".to_owned() } else { escape(&shown.text).into_owned() };
            let room = self.screen.width.saturating_sub(5 + place.chars().count()).max(40);
            let line = if self.verbose { line } else { cut(&line, room) };
            out += &format!("  {} {line}\n", self.screen.ink(Ink::Dim, &place));
        }
        let known: BTreeSet<u64> = told.story.messages().iter().flat_map(|message| message.lines()).copied().collect();
        if told.lines.len() > most {
            out += &format!(
                "  … and {} (-v shows all)\n",
                plural((told.lines.len() - most) as u64, "more line", "more lines")
            );
        } else if known.len() > told.lines.len() {
            out += "  … and lines too far back to show: name a file instead of standard input\n";
        }
        out
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn title(story: &Story) -> String {
    let sender = match story.first().and_then(Message::sender) {
        Some(b"") => " from Postfix itself (<>)".to_owned(),
        Some(sender) => format!(" from {}", text(sender)),
        None => String::new(),
    };
    let host = story.first().map(|message| text(&message.host)).unwrap_or_default();
    format!("message {}{sender} on {host}", text(story.queue_id()))
}

/// `3 recipients: 2 delivered, 1 returned; nothing more will happen`.
fn outcome(story: &Story) -> String {
    let fates = story.fates();
    let count = |wanted: &[Fate]| fates.iter().filter(|(_, fate)| wanted.contains(fate)).count() as u64;
    let counts: Vec<String> = [
        (count(&[Fate::Sent, Fate::HandedOn]), "delivered"),
        (count(&[Fate::Deferred]), "deferred"),
        (count(&[Fate::Bounced]), "returned"),
        (count(&[Fate::Expired]), "expired"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{} {word}", number(*count)))
    .collect();
    let stopped = story.messages().iter().find_map(stopped);
    let recipients = match stopped {
        Some(stopped) if fates.is_empty() => return stopped,
        _ if fates.is_empty() => "no delivery in this log".to_owned(),
        _ => format!("{}: {}", plural(fates.len() as u64, "recipient", "recipients"), counts.join(", ")),
    };
    let stopped = stopped.map_or(String::new(), |words| format!("; {words}"));
    format!("{recipients}{stopped}; {}", what_comes(story))
}

/// What may still happen to a mail. A notice about it is another mail: it is told of only where all else is done.
fn what_comes(story: &Story) -> &'static str {
    let open = |notices: bool| {
        let of_kind = story.messages().iter().filter(move |message| story.is_notice(message) == notices);
        of_kind.filter(|message| message.end_missing()).map(|message| message.end).min_by_key(|end| *end as u8)
    };
    match open(false) {
        Some(End::InQueue) => "the log ends while it is in the queue",
        Some(End::Held) => "the log ends while it is on hold",
        Some(End::Canceled) => "it never got into the queue",
        Some(_) => "its end is not in this log",
        None if story.messages().iter().all(|message| message.end == End::Canceled) => "it never got into the queue",
        None if open(true).is_some() => "all is done but the notice about it",
        None => "nothing more will happen",
    }
}

/// `refused by a milter: 5.7.1 Spam message rejected`, of a message that did not get into the queue.
fn stopped(message: &Message) -> Option<String> {
    let how = match message.end {
        End::Refused if message.stop().is_some_and(|stop| stop.words.starts_with(b"4")) => "refused for now",
        End::Refused => "refused",
        End::Discarded => "thrown away",
        _ => return None,
    };
    let Some(stop) = message.stop() else { return Some(how.to_owned()) };
    let words = if stop.words.is_empty() { String::new() } else { format!(": {}", text(stop.words)) };
    Some(format!("{how} by {}{words}", stop.by.words()))
}

/// Another message of the story, by its queue id, and its host if that is another.
fn other(story: &Story, message: &Message, number: Option<u64>) -> String {
    match number.and_then(|number| story.message(number)) {
        Some(other) if other.host != message.host => format!("{} on {}", text(other.queue_id()), text(&other.host)),
        Some(other) => text(other.queue_id()),
        None => "another message".to_owned(),
    }
}

fn came_from(story: &Story, message: &Message) -> String {
    let parent = other(story, message, message.parent.map(|link| link.message));
    match (&message.origin, message.parent.map(|link| link.kind)) {
        (Origin::Client(client), Some(LinkKind::Filter)) => {
            format!("back from the content filter ({}), was {parent}", peer(client))
        }
        (Origin::Client(client), Some(LinkKind::Hop)) => format!("taken over ({}), was {parent}", peer(client)),
        (Origin::Client(client), _) => accepted(client),
        (Origin::Local { .. }, Some(LinkKind::Filter)) => format!("back from the content filter, was {parent}"),
        (Origin::Local { uid }, _) => format!("handed in by the local user with uid {uid}"),
        (Origin::Notice { what }, _) => format!("{} notification about {parent}", text(what)),
        (Origin::Forward, _) => format!("{parent} forwarded (alias or .forward)"),
        (Origin::Requeue, _) => format!("{parent} put in the queue again (postsuper -r)"),
        (Origin::Internal, _) => "written by Postfix itself".to_owned(),
        (Origin::Unknown, Some(kind)) => format!("made from {parent} ({})", kind.name()),
        (Origin::Unknown, None) => "first seen here: where it came from is not in this log".to_owned(),
    }
}

fn peer(client: &FromClient) -> String {
    let ip = client.at.client_ip.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
    client.at.client_host.as_deref().map_or_else(|| ip.clone(), |host| format!("{} [{ip}]", text(host)))
}

fn accepted(client: &FromClient) -> String {
    let login = match (client.username.as_deref(), client.mechanism.as_deref()) {
        (Some(name), Some(mechanism)) => format!(", logged in as {} ({})", text(name), text(mechanism)),
        (Some(name), None) => format!(", logged in as {}", text(name)),
        (None, _) => String::new(),
    };
    format!("accepted from {}{login} by {}", peer(client), service(&client.at))
}

fn envelope(message: &Message) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(sender) = message.sender() {
        parts.push(format!("from <{}>", text(sender)));
    }
    if let Some(count) = message.nrcpt {
        parts.push(plural(count.into(), "recipient", "recipients"));
    }
    if let Some(size) = message.size {
        parts.push(format!("{} bytes", number(size)));
    }
    if let Some(id) = message.message_id() {
        parts.push(format!("Message-ID <{}>", text(id)));
    }
    if let Some(id) = message.resent_message_id().filter(|id| Some(*id) != message.message_id()) {
        parts.push(format!("sent again as <{}>", text(id)));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Attempts that went alike, one after the other.
struct Run<'a> {
    last: Try<'a>,
    /// Attempts told of; more than 1 only for deferrals.
    count: usize,
    /// The recipient had been put off before.
    again: bool,
}

/// An attempt for itself, unless it is one of several deferrals: the first of these for itself, the rest together.
fn runs<'a>(tries: &[Try<'a>], verbose: bool) -> Vec<Run<'a>> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    for attempt in tries {
        match runs.last_mut() {
            Some(run) if !verbose && run.again && [run.last.fate, attempt.fate] == [Fate::Deferred; 2] => {
                run.last = *attempt;
                run.count += 1;
            }
            before => {
                let again = before.is_some_and(|run| run.last.fate == Fate::Deferred);
                runs.push(Run { last: *attempt, count: 1, again });
            }
        }
    }
    runs
}

fn attempted(story: &Story, recipient: &Recipient<'_>, run: &Run<'_>) -> (String, Ink) {
    let attempt = &run.last;
    let alias = recipient.orig_to.map_or(String::new(), |orig_to| format!(" (for {})", text(orig_to)));
    let to = format!("{}{alias}", text(attempt.to));
    let after = attempt.delay.map_or(String::new(), |seconds| format!(" after {}", after(seconds)));
    let (relay, response) = (text(attempt.relay), text(attempt.response));
    let via = if attempt.relay == b"none" { String::new() } else { format!(" via {relay}") };
    match attempt.fate {
        Fate::Sent if recipient.next.is_some() => {
            let next = recipient.next.and_then(|number| story.message(number));
            let how = match next.and_then(|next| next.parent).map(|link| link.kind) {
                Some(LinkKind::Forward) => "forwarded",
                Some(LinkKind::Hop) => "handed to our next host",
                _ if attempt.response.starts_with(b"delivered to command") => "handed to a command",
                _ => "handed to the content filter",
            };
            let on = next.map_or(String::new(), |next| {
                format!(", goes on as {} on {}", text(next.queue_id()), text(&next.host))
            });
            (format!("{to}: {how}{via}{on}"), Ink::Plain)
        }
        Fate::Sent | Fate::HandedOn if is_thrown_away(attempt) => {
            (format!("{to}: thrown away{via}{after}: {response}"), Ink::Bad)
        }
        Fate::Sent | Fate::HandedOn => (format!("{to}: delivered{via}{after}: {response}"), Ink::Good),
        Fate::Deferred => {
            let times = if run.count > 1 {
                format!("put off {} times more, at last", number(run.count as u64))
            } else {
                "put off".to_owned()
            };
            let again = if run.again && run.count == 1 { " again" } else { "" };
            (format!("{to}: {times}{again}{via}{after}: {response}"), Ink::Warn)
        }
        Fate::Bounced => (format!("{to}: refused for good{via}{after}: {response}"), Ink::Bad),
        Fate::Expired => (format!("{to}: expired{via}{after}: {response}"), Ink::Bad),
    }
}

/// Whether `sent` says that nobody gets it: `discard`(8) alone has no relay for it (Postfix `src/discard/discard.c`); Amavis says so in its
/// reply (`amavisd`, `250 2.7.0 Ok, discarded`).
fn is_thrown_away(attempt: &Try<'_>) -> bool {
    attempt.relay == b"none" || attempt.response.windows(13).any(|words| words.eq_ignore_ascii_case(b"ok, discarded"))
}

/// Seconds since a message came in.
fn after(seconds: f64) -> String {
    if seconds < 10.0 { format!("{seconds} s") } else { duration((seconds * 1e6) as i64) }
}

fn ended(message: &Message) -> (String, Ink) {
    let (words, ink) = how_it_ended(message);
    let Some(stopped) = stopped(message) else { return (words.to_owned(), ink) };
    let to = message.stop().and_then(|stop| stop.to).map_or(String::new(), |to| format!(" (to <{}>)", text(to)));
    (format!("{stopped}{to}; {words}"), ink)
}

fn how_it_ended(message: &Message) -> (&'static str, Ink) {
    match message.end {
        End::Removed => ("all done: removed from the queue", Ink::Plain),
        End::Expired => ("returned to its sender, and removed from the queue", Ink::Bad),
        End::Deleted => ("deleted by an admin (postsuper)", Ink::Bad),
        End::Requeued => ("an admin put it in the queue again (postsuper -r)", Ink::Warn),
        End::Canceled if message.client().is_some() => ("the client broke off: it never got into the queue", Ink::Warn),
        End::Canceled => ("given up before it got into the queue", Ink::Warn),
        End::InQueue => ("still in the queue at the end of the log", Ink::Warn),
        End::Held => ("on hold at the end of the log", Ink::Warn),
        End::Refused => ("it never got into the queue", Ink::Bad),
        End::Discarded => ("nobody is told of it", Ink::Bad),
        End::Missing if message.activations == 0 && message.recipients().len() == 0 => {
            ("its end is not in this log, nor whether it got into the queue", Ink::Dim)
        }
        End::Missing => ("its end is not in this log: the queue id is in use again", Ink::Dim),
        End::GivenUp => ("not followed any further: too many messages at once", Ink::Dim),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deferrals_are_told_together() {
        let attempt = |time: i64, fate: Fate| Try {
            line: 0,
            time,
            to: b"x",
            orig_to: None,
            fate,
            relay: b"none",
            dsn: b"",
            response: b"",
            delay: None,
            delays: None,
        };
        let tries: Vec<Try<'_>> = [Fate::Deferred, Fate::Deferred, Fate::Deferred, Fate::Sent]
            .into_iter()
            .enumerate()
            .map(|(n, fate)| attempt(n as i64, fate))
            .collect();
        let told: Vec<(i64, usize)> = runs(&tries, false).iter().map(|run| (run.last.time, run.count)).collect();
        assert_eq!(told, [(0, 1), (2, 2), (3, 1)]);
        assert_eq!(runs(&tries, true).len(), 4);
    }
}
