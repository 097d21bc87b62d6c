//! Plays lines to a tracer and keeps what it tells.

use std::collections::BTreeMap;

use trace::{Attempt, Fate, Limits, Line, Login, Refusal, Sink, Story, Tracer, Where};

use crate::world::Logged;

/// All outcomes of a log, as rows to compare and as sums.
#[derive(Default, Debug)]
pub(crate) struct Told {
    /// One row per outcome, without what depends on neighbours.
    pub(crate) rows: Vec<String>,
    /// Sums by kind of outcome.
    pub(crate) counts: BTreeMap<String, u64>,
    /// Failed attempts with the numbers of their evidence lines, by the number of their own line.
    pub(crate) evidence: BTreeMap<u64, Vec<u64>>,
    /// Failed attempts' names, by the number of their own line.
    pub(crate) names: BTreeMap<u64, Option<String>>,
}

impl Told {
    fn add(&mut self, what: &str, count: u64) {
        *self.counts.entry(what.to_owned()).or_default() += count;
    }

    fn row(&mut self, at: &Where, what: String) {
        let (host, tag) = (show(&at.host), show(&at.tag));
        self.rows.push(format!(
            "{} {host} {tag} {:?} {:?} {what}",
            at.time,
            at.client_ip,
            at.client_host.as_deref().map(show)
        ));
    }
}

impl Sink for Told {
    fn attempt(&mut self, attempt: &Attempt) {
        let name = attempt.username.as_deref().map(show);
        self.add(&format!("{:?}", attempt.kind), attempt.count.into());
        self.row(
            &attempt.at,
            format!(
                "{:?} x{} user={name:?} mechanism={} reason={}",
                attempt.kind,
                attempt.count,
                show(&attempt.mechanism),
                show(&attempt.reason)
            ),
        );
        if attempt.kind == trace::AttemptKind::Failed {
            self.evidence.insert(attempt.at.line, attempt.evidence.iter().map(|e| e.line).collect());
            self.names.insert(attempt.at.line, name);
        }
    }

    fn login(&mut self, login: &Login) {
        self.add("login", login.count.into());
        self.row(
            &login.at,
            format!(
                "login x{} further={} user={:?} mechanism={}",
                login.count,
                login.further,
                login.username.as_deref().map(show),
                show(&login.mechanism)
            ),
        );
    }

    fn refusal(&mut self, refusal: &Refusal) {
        self.add("refusal", refusal.count.into());
        self.row(
            &refusal.at,
            format!(
                "refusal {} {} logged_in={} user={:?} after {} failures",
                show(&refusal.reply),
                refusal.count,
                refusal.logged_in,
                refusal.username.as_deref().map(show),
                refusal.failed_logins
            ),
        );
    }

    fn message_accepted(&mut self, at: &Where, username: &[u8], queue_id: Option<&[u8]>) {
        self.add("accepted", 1);
        self.row(at, format!("accepted {} {:?}", show(username), queue_id.map(show)));
    }

    fn story(&mut self, story: &Story) {
        self.add("message", 1);
        for (what, fate) in [
            ("sent", Fate::Sent),
            ("deferred", Fate::Deferred),
            ("bounced", Fate::Bounced),
            ("expired", Fate::Expired),
            ("filtered", Fate::HandedOn),
        ] {
            self.add(what, story.count(fate) as u64);
        }
        let fates: Vec<String> = story.fates().iter().map(|(to, fate)| format!("{} {fate:?}", show(to))).collect();
        self.row(
            story.at().expect("a login's mail came from a client"),
            format!(
                "message {} {:?} finished={} {fates:?}",
                show(story.queue_id()),
                story.username().map(show),
                story.is_finished()
            ),
        );
    }
}

pub(crate) fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Plays lines in the given order; each keeps its own number. With `all`, also those the tracer says it does not want.
pub(crate) fn play<'a>(lines: impl IntoIterator<Item = &'a Logged>, all: bool) -> Told {
    let mut told = Told::default();
    let mut tracer = Tracer::new(Limits::default());
    for line in lines {
        let record = maillog::record(line.text.as_bytes()).unwrap();
        let Some(event) = maillog::event(&record) else { panic!("not understood: {}", line.text) };
        if all || Tracer::wants(&event) {
            tracer.line(&Line { id: line.id, time: line.time, record: &record, event: &event }, &mut told);
        }
    }
    tracer.finish(&mut told);
    told.rows.sort();
    told.counts.retain(|_, count| *count > 0);
    told
}
