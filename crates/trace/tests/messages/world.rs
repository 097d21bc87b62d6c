//! Legal queues, made up: what happens to each mail, the lines that this writes, and what must be told of it.

use proptest::collection::vec;
use proptest::prelude::*;

/// Where a mail comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Source {
    Login,
    Stranger,
    Local,
}

/// What becomes of a recipient in the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Last {
    Sent,
    Bounced,
    Expired,
}

/// How much of a queue file's end is in the log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cut {
    No,
    /// All but `removed`.
    Removal,
    /// All after the first `queue active`.
    Deliveries,
    /// All after `client=`.
    All,
}

#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) source: Source,
    /// It passes a content filter.
    pub(crate) filter: bool,
    /// Two recipients each are aliases of one mailbox.
    pub(crate) aliases: bool,
    /// Deferrals before the end, and the end.
    pub(crate) recipients: Vec<(u8, Last)>,
    pub(crate) cut: Cut,
    /// First lines that are not in the log: 0 to 3.
    pub(crate) headless: usize,
    /// `bounce` logs before the notice's own lines (Postfix 3.11).
    pub(crate) notice_first: bool,
}

/// Mail after mail under the same queue id, on one of two hosts.
pub(crate) type Slot = Vec<Mail>;

pub(crate) fn slots() -> impl Strategy<Value = Vec<Slot>> {
    vec(vec(mail(), 1..4), 1..6).prop_map(|mut slots| {
        for slot in &mut slots {
            for mail in slot.iter_mut().skip(1) {
                mail.headless = 0;
            }
        }
        slots
    })
}

fn mail() -> impl Strategy<Value = Mail> {
    let last = prop_oneof![4 => Just(Last::Sent), 1 => Just(Last::Bounced), 1 => Just(Last::Expired)];
    let source = prop_oneof![2 => Just(Source::Login), 2 => Just(Source::Stranger), 1 => Just(Source::Local)];
    let cut = prop_oneof![6 => Just(Cut::No), 1 => Just(Cut::Removal), 1 => Just(Cut::Deliveries), 1 => Just(Cut::All)];
    let headless = prop_oneof![5 => Just(0usize), 1 => 1usize..4];
    (source, any::<(bool, bool)>(), vec((0u8..3, last), 1..4), cut, headless, any::<bool>()).prop_map(
        |(source, (filter, aliases), recipients, cut, headless, notice_first)| {
            let whole = cut == Cut::No && headless == 0;
            Mail { source, filter: filter && whole, aliases, recipients, cut, headless, notice_first }
        },
    )
}

/// What must be told of a queue file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    pub(crate) host: String,
    pub(crate) queue_id: String,
    pub(crate) origin: &'static str,
    pub(crate) parent: Option<String>,
    pub(crate) sender: Option<String>,
    pub(crate) message_id: Option<String>,
    pub(crate) activations: u32,
    pub(crate) end: &'static str,
    /// Address, fate, tries, deferrals.
    pub(crate) recipients: Vec<(String, &'static str, u32, u32)>,
}

impl Expected {
    pub(crate) fn row(&self) -> String {
        let mut recipients = self.recipients.clone();
        recipients.sort();
        format!(
            "{} {} {} of {:?} from {:?} id {:?} active {} {} {recipients:?}",
            self.host,
            self.queue_id,
            self.origin,
            self.parent,
            self.sender,
            self.message_id,
            self.activations,
            self.end
        )
    }
}

/// The lines of one mail's queue files, each in its own order, and what must hold between them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    pub(crate) files: Vec<Vec<String>>,
    /// A line (file, index) that comes before another one.
    pub(crate) before: Vec<((usize, usize), (usize, usize))>,
    pub(crate) expected: Vec<Expected>,
    pub(crate) login: bool,
}

/// Everything a world writes and expects, slot by slot.
pub(crate) fn print(slots: &[Slot]) -> Vec<Vec<Lines>> {
    let mut notices = 0;
    slots
        .iter()
        .enumerate()
        .map(|(n, slot)| {
            let host = if n % 2 == 0 { "mx1" } else { "mx2" };
            slot.iter()
                .enumerate()
                .map(|(m, mail)| {
                    // The same short id on both hosts.
                    let place = Place { host, queue_id: format!("{:05X}A", 0xA0000 + n / 2), number: n * 100 + m };
                    write(mail, &place, m + 1 < slot.len(), &mut notices)
                })
                .collect()
        })
        .collect()
}

struct Place {
    host: &'static str,
    queue_id: String,
    number: usize,
}

impl Place {
    fn line(&self, tag: &str, queue_id: &str, text: &str) -> String {
        format!("Jun 17 10:00:00 {} postfix/{tag}[7]: {queue_id}: {text}", self.host)
    }
}

fn write(mail: &Mail, place: &Place, id_comes_again: bool, notices: &mut usize) -> Lines {
    let mut lines = Lines { login: mail.source == Source::Login && mail.headless == 0, ..Lines::default() };
    let mut first = begin(mail, place);
    if mail.filter {
        let copy = format!("{:05X}B", 0xB0000 + place.number);
        first.1.activations = 1;
        first.0.push(place.line(
            "qmgr",
            &place.queue_id,
            &format!("from=<s{}@a>, size=10, nrcpt=1 (queue active)", place.number),
        ));
        for n in 0..mail.recipients.len() {
            first.0.push(place.line("smtp", &place.queue_id, &format!("to=<r{n}@b>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {copy})")));
            first.1.recipients.push((format!("r{n}@b"), "HandedOn", 1, 0));
            lines.before.push(((1, 0), (0, first.0.len() - 1)));
        }
        first.0.push(place.line("qmgr", &place.queue_id, "removed"));
        first.1.end = "removed";
        let mut second = (vec![place.line("reinject/smtpd", &copy, "client=localhost[127.0.0.1]")], first.1.clone());
        second.0.push(place.line("cleanup", &copy, &format!("message-id=<m{}@a>", place.number)));
        second.1 = Expected {
            queue_id: copy.clone(),
            origin: "client",
            parent: Some(place.queue_id.clone()),
            recipients: Vec::new(),
            activations: 0,
            ..second.1
        };
        lines.files.push(first.0);
        lines.expected.push(first.1);
        deliver(mail, place, &copy, second, id_comes_again, &mut lines, notices);
    } else {
        let queue_id = place.queue_id.clone();
        deliver(mail, place, &queue_id, first, id_comes_again, &mut lines, notices);
    }
    lines
}

/// Origin and Message-ID.
fn begin(mail: &Mail, place: &Place) -> (Vec<String>, Expected) {
    let number = place.number;
    let mut expected = Expected {
        host: place.host.to_owned(),
        queue_id: place.queue_id.clone(),
        origin: "unknown",
        ..Expected::default()
    };
    let mut lines = Vec::new();
    if mail.headless == 0 {
        let (tag, text, origin) = match mail.source {
            Source::Login => (
                "submission/smtpd",
                format!("client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=u{number}"),
                "client",
            ),
            Source::Stranger => ("smtpd", "client=h[192.0.2.2]".to_owned(), "client"),
            Source::Local => {
                // As the local user is called; the queue manager tells the whole address.
                expected.sender = Some(format!("s{number}"));
                ("pickup", format!("uid=0 from=<s{number}>"), "local")
            }
        };
        lines.push(place.line(tag, &place.queue_id, &text));
        expected.origin = origin;
    }
    if mail.headless < 2 && mail.cut != Cut::All {
        lines.push(place.line("cleanup", &place.queue_id, &format!("message-id=<m{number}@a>")));
        expected.message_id = Some(format!("m{number}@a"));
    }
    if mail.headless < 3 && mail.cut != Cut::All {
        expected.sender = Some(format!("s{number}@a"));
    }
    (lines, expected)
}

/// All attempts, the notice, and the end of one queue file.
fn deliver(
    mail: &Mail,
    place: &Place,
    queue_id: &str,
    (mut out, mut expected): (Vec<String>, Expected),
    id_comes_again: bool,
    lines: &mut Lines,
    notices: &mut usize,
) {
    let file = lines.files.len();
    let line = |tag: &str, text: &str| place.line(tag, queue_id, text);
    let open_end = if id_comes_again && queue_id == place.queue_id { "end_missing" } else { "in_queue" };
    let rounds = mail.recipients.iter().map(|(deferrals, _)| *deferrals).max().unwrap_or_default() + 1;
    let mut failed = false;
    for round in 0..rounds {
        if mail.cut == Cut::All {
            break;
        }
        if round > 0 || mail.headless < 3 {
            out.push(line("qmgr", &format!("from=<s{}@a>, size=10, nrcpt=1 (queue active)", place.number)));
            expected.activations += 1;
            expected.sender = Some(format!("s{}@a", place.number));
        }
        if mail.cut == Cut::Deliveries {
            break;
        }
        for (n, (deferrals, last)) in mail.recipients.iter().enumerate() {
            let is_last = round == *deferrals;
            let (status, fate) = match last {
                _ if round > *deferrals && *last != Last::Expired => continue,
                Last::Sent if is_last => ("sent", "Sent"),
                Last::Bounced if is_last => ("bounced", "Bounced"),
                _ => ("deferred", "Deferred"),
            };
            failed |= status == "bounced";
            let (fields, to) = if mail.aliases {
                (format!("to=<r{}@b>, orig_to=<o{n}@b>", n / 2), format!("r{}@b for o{n}@b", n / 2))
            } else {
                (format!("to=<r{n}@b>"), format!("r{n}@b"))
            };
            out.push(line(
                "smtp",
                &format!("{fields}, relay=none, delay=1, delays=0/0/0/1, dsn=2.0.0, status={status} (250 x)"),
            ));
            if !expected.recipients.iter().any(|row| row.0 == to) {
                expected.recipients.push((to.clone(), fate, 0, 0));
            }
            let row = expected.recipients.iter_mut().find(|row| row.0 == to).unwrap();
            (row.1, row.2, row.3) = (fate, row.2 + 1, row.3 + u32::from(status == "deferred"));
        }
    }
    let expires = mail.recipients.iter().any(|(_, last)| *last == Last::Expired);
    let ends = matches!(mail.cut, Cut::No | Cut::Removal);
    if expires && ends {
        out.push(line("qmgr", &format!("from=<s{}@a>, status=expired, returned to sender", place.number)));
        expected.sender = Some(format!("s{}@a", place.number));
        for row in expected.recipients.iter_mut().filter(|row| row.1 == "Deferred") {
            row.1 = "Expired";
        }
    }
    let notice = ((failed || expires) && ends).then(|| {
        *notices += 1;
        let id = format!("{:05X}C", 0xC0000 + *notices);
        out.push(line("bounce", &format!("sender non-delivery notification: {id}")));
        (id, out.len() - 1)
    });
    if mail.cut == Cut::No {
        out.push(line("qmgr", "removed"));
        expected.end = if expires { "expired" } else { "removed" };
    } else if mail.cut == Cut::All && expected.origin != "unknown" {
        expected.end = "end_missing";
    } else {
        expected.end = open_end;
    }
    // All of a file may be cut off: then it is none.
    if !out.is_empty() {
        lines.files.push(out);
        lines.expected.push(expected);
    }
    if let Some((id, at)) = notice {
        let child = lines.files.len();
        let last = if mail.notice_first { ((file, at), (child, 0)) } else { ((child, 0), (file, at)) };
        lines.before.push(last);
        lines.files.push(vec![
            place.line("cleanup", &id, &format!("message-id=<{id}@mx>")),
            place.line("qmgr", &id, "from=<>, size=10, nrcpt=1 (queue active)"),
            place.line(
                "virtual",
                &id,
                "to=<s@a>, relay=virtual, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (delivered to maildir)",
            ),
            place.line("qmgr", &id, "removed"),
        ]);
        lines.expected.push(Expected {
            host: place.host.to_owned(),
            queue_id: id.clone(),
            origin: "notice",
            parent: Some(queue_id.to_owned()),
            sender: Some(String::new()),
            message_id: Some(format!("{id}@mx")),
            activations: 1,
            end: "removed",
            recipients: vec![("s@a".to_owned(), "Sent", 1, 0)],
        });
    }
}

/// Mixes the files of each mail and the mails of all slots, each in its own order.
pub(crate) fn mix(slots: &[Vec<Lines>], choices: &[u8]) -> Vec<String> {
    let mut choices = choices.iter().copied().cycle();
    let mut queues: Vec<std::vec::IntoIter<String>> = slots
        .iter()
        .map(|slot| {
            let lines: Vec<String> = slot.iter().flat_map(|mail| within(mail, &mut choices)).collect();
            lines.into_iter()
        })
        .collect();
    let mut out = Vec::new();
    while !queues.is_empty() {
        let at = usize::from(choices.next().unwrap_or_default()) % queues.len();
        match queues[at].next() {
            Some(line) => out.push(line),
            None => drop(queues.remove(at)),
        }
    }
    out
}

/// Mixes the files of one mail as far as one may.
fn within(mail: &Lines, choices: &mut impl Iterator<Item = u8>) -> Vec<String> {
    let mut done = vec![0; mail.files.len()];
    let mut out = Vec::new();
    loop {
        let may = |file: &usize| {
            done[*file] < mail.files[*file].len()
                && mail.before.iter().all(|(first, then)| *then != (*file, done[*file]) || done[first.0] > first.1)
        };
        let ready: Vec<usize> = (0..mail.files.len()).filter(may).collect();
        if ready.is_empty() {
            return out;
        }
        let file = ready[usize::from(choices.next().unwrap_or_default()) % ready.len()];
        out.push(mail.files[file][done[file]].clone());
        done[file] += 1;
    }
}
