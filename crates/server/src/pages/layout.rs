//! What every page has around it, and what its template asks for while it is filled: times, numbers, harmless text, addresses.

use answers::screen;
use answers::times::Clock;
use jiff::Timestamp;

use super::links::{address, part};
use super::terms;
use crate::access::{self, Origin, Viewer};
use crate::app::App;
use crate::asked::Asked;
use crate::assets;

/// The places of the navigation: path and word.
const PLACES: [(&str, &str); 9] = [
    ("", "Overview"),
    ("search", "Search"),
    ("live", "Live"),
    ("findings", "Findings"),
    ("delivery", "Delivery"),
    ("sources", "Sources"),
    ("explain", "Explain"),
    ("host", "This host"),
    ("help", "Help"),
];

/// Lengths of time to look at: what `since` says, and the words for it.
const PRESETS: [(&str, &str); 5] =
    [("1h", "1 hour"), ("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days"), ("", "all")];

/// What every page has around it.
pub(crate) struct Layout {
    /// What the window is called.
    pub(crate) title: String,
    /// Where links begin: `/`, or the base path.
    pub(crate) base: String,
    /// Which place of the navigation the page belongs to: the route's first part.
    pub(crate) place: &'static str,
    /// What stands in the query box.
    pub(crate) query: String,
    /// The time asked for, as it was written; empty without a bound.
    pub(crate) since: String,
    pub(crate) until: String,
    /// Lengths of time to choose from, where the page is about a time.
    pub(crate) presets: Vec<Preset>,
    /// How far the reading of the files is, in per cent, while they are being read.
    pub(crate) reading: Option<String>,
    /// Who is signed in.
    pub(crate) who: Option<String>,
    /// The places that this viewer may see.
    places: Vec<(&'static str, &'static str)>,
    /// Names and addresses are masked: they lead nowhere.
    masked: bool,
    clock: Clock,
}

/// A step to take.
pub(crate) struct Step<'s> {
    /// Where it applies: `Dovecot`; empty if that is not said.
    pub(crate) with: &'static str,
    /// The command, or what to do.
    pub(crate) what: &'s str,
    /// What it tells.
    pub(crate) why: &'static str,
}

/// What commands of steps begin with: what they are looked at with, and what they change.
const PROGRAMS: [&str; 22] = [
    "ausearch",
    "chage",
    "doveadm",
    "doveconf",
    "grep",
    "journalctl",
    "ls",
    "passwd",
    "postcat",
    "postconf",
    "postfix",
    "postfix-insights",
    "postmap",
    "postqueue",
    "postsuper",
    "printf",
    "sasldblistusers2",
    "saslpluginviewer",
    "ss",
    "systemctl",
    "testsaslauthd",
    "fail2ban-client",
];

impl Step<'_> {
    /// It is a command to copy; else it is said in words.
    pub(crate) fn is_command(&self) -> bool {
        self.what.split([' ', ';']).next().is_some_and(|first| PROGRAMS.contains(&first))
    }
}

/// A length of time to look at.
pub(crate) struct Preset {
    pub(crate) word: &'static str,
    pub(crate) href: String,
    pub(crate) current: bool,
}

impl Layout {
    pub(crate) fn new(app: &App, place: &'static str, title: &str) -> Self {
        let reading = app.progress.so_far().map(|(read, total)| match total {
            0 => format!("{} bytes", screen::number(read)),
            total => format!("{} %", read.saturating_mul(100) / total),
        });
        Self {
            title: screen::escape(title).into_owned(),
            place,
            query: String::new(),
            since: String::new(),
            until: String::new(),
            presets: Vec::new(),
            base: app.config.base.clone(),
            reading,
            who: None,
            places: PLACES.to_vec(),
            masked: false,
            clock: Clock::new(app.config.zone.clone()),
        }
    }

    /// With what was asked in the query box.
    pub(crate) fn asked(asked: &Asked, place: &'static str, title: &str) -> Self {
        let own = |name| asked.params.get(name).unwrap_or_default().to_owned();
        Self {
            query: own("q"),
            since: own("since"),
            until: own("until"),
            ..Self::new(&asked.app, place, title).seen_by(&asked.viewer, &asked.origin)
        }
    }

    /// With the places that somebody may see.
    pub(crate) fn seen_by(self, viewer: &Viewer, origin: &Origin) -> Self {
        Self {
            who: viewer.name.clone(),
            places: PLACES.into_iter().filter(|(path, _)| may_see(viewer, origin, path)).collect(),
            masked: viewer.is_masked(),
            ..self
        }
    }

    /// With lengths of time to choose from.
    pub(crate) fn with_presets(mut self, asked: &Asked) -> Self {
        let path = asked.uri.path();
        let own = |name| asked.params.get(name).unwrap_or_default();
        let preset = |(since, word): (&'static str, &'static str)| Preset {
            word,
            href: address(path, &[("q", own("q")), ("since", since), ("sort", own("sort"))]),
            current: self.until.is_empty() && self.since == since,
        };
        self.presets = PRESETS.into_iter().map(preset).collect();
        self
    }

    /// The time asked for, with other bounds than those of the presets.
    pub(crate) fn has_own_time(&self) -> bool {
        self.presets.iter().all(|preset| !preset.current)
    }

    /// For the template.
    pub(crate) fn places(&self) -> &[(&'static str, &'static str)] {
        &self.places
    }

    /// The address of a file of style or script.
    pub(crate) fn file(&self, plain: &str) -> String {
        format!("{}{}", self.base, assets::path(plain))
    }

    /// The address of a page about the same time.
    pub(crate) fn at(&self, path: &str) -> String {
        address(&format!("{}{path}", self.base), &[("since", &self.since), ("until", &self.until)])
    }

    /// The address of a search in the same time.
    pub(crate) fn search(&self, query: impl AsRef<str>) -> String {
        self.search_in(query, &self.since, &self.until)
    }

    /// The address of a search for a value of a field at any time.
    pub(crate) fn search_ever(&self, field: &str, value: &str) -> String {
        self.search_in(terms::text(field, value), "", "")
    }

    /// The address of a search in the same time, narrowed to a class.
    pub(crate) fn search_class(&self, query: &str, class: &str) -> String {
        self.search(format!("{query} class:{class}"))
    }

    /// The address of a search in another time.
    pub(crate) fn search_in(&self, query: impl AsRef<str>, since: &str, until: &str) -> String {
        address(&format!("{}search", self.base), &[("q", query.as_ref()), ("since", since), ("until", until)])
    }

    /// The address of the page about a client; empty where it is masked.
    pub(crate) fn client(&self, ip: &str) -> String {
        self.about("client", ip)
    }

    /// The address of the page about an account; empty where it is masked.
    pub(crate) fn account(&self, name: &str) -> String {
        self.about("account", name)
    }

    /// The address of the page about a finding.
    pub(crate) fn finding(&self, id: &str) -> String {
        self.at(&format!("findings/{}", part(id)))
    }

    /// The address of the page about a message.
    pub(crate) fn message(&self, id: &str) -> String {
        self.at(&format!("message/{}", part(id)))
    }

    fn about(&self, what: &str, name: &str) -> String {
        if self.masked { String::new() } else { self.at(&format!("{what}/{}", part(name))) }
    }

    /// Whether names lead to pages about them.
    pub(crate) fn leads(&self) -> bool {
        !self.masked
    }

    /// An RFC 3339 time in the zone of the pages.
    pub(crate) fn when(&self, time: &str) -> String {
        let instant: Option<Timestamp> = time.parse().ok();
        instant.map_or_else(String::new, |instant| self.clock.full(instant.as_microsecond()))
    }

    /// The same without the year.
    pub(crate) fn briefly(&self, time: &str) -> String {
        let instant: Option<Timestamp> = time.parse().ok();
        instant.map_or_else(String::new, |instant| self.clock.short(instant.as_microsecond()))
    }

    /// How long it was between two times.
    pub(crate) fn between(&self, from: &str, to: &str) -> String {
        let micros = |time: &str| time.parse::<Timestamp>().ok().map(Timestamp::as_microsecond);
        match (micros(from), micros(to)) {
            (Some(from), Some(to)) => answers::times::duration(to.saturating_sub(from)),
            _ => String::new(),
        }
    }

    /// `1,234,567`.
    pub(crate) fn number(&self, value: impl Plain<u64>) -> String {
        screen::number(value.plain())
    }

    /// For what is shown paler.
    pub(crate) fn is_zero(&self, value: impl Plain<u64>) -> bool {
        value.plain() == 0
    }

    /// `1 line`, `3 lines`.
    pub(crate) fn plural(&self, count: impl Plain<u64>, one: &str, many: &str) -> String {
        screen::plural(count.plain(), one, many)
    }

    /// Text of strangers: control and direction characters are shown, not obeyed. HTML is escaped by the template.
    pub(crate) fn safe(&self, text: &str) -> String {
        screen::escape(text).into_owned()
    }

    /// Text of strangers in several lines.
    pub(crate) fn lines(&self, text: &str) -> String {
        text.lines().map(|line| self.safe(line)).collect::<Vec<_>>().join("\n")
    }

    /// A finding's sentence as a heading.
    pub(crate) fn sentence(&self, text: &str) -> String {
        let mut chars = text.chars();
        let first = chars.next().map(|first| first.to_ascii_uppercase());
        screen::escape(&first.into_iter().chain(chars).collect::<String>()).into_owned()
    }

    /// A word of a table, for people: `auth_failed` is `auth failed`.
    pub(crate) fn word(&self, name: &str) -> String {
        screen::escape(&name.replace('_', " ")).into_owned()
    }

    /// How a class or a verdict is coloured besides its word.
    pub(crate) fn tone(&self, name: &str) -> &'static str {
        tone(name)
    }

    /// A cause's title; its id where there is none.
    pub(crate) fn cause(&self, id: &str) -> String {
        let found = diagnose::all().find(|cause| cause.id == id);
        found.map_or_else(|| screen::escape(id).into_owned(), |cause| cause.title.to_owned())
    }

    /// A step to take, as it stands in the cause table or in a finding.
    pub(crate) fn step<'s>(&self, text: &'s str) -> Step<'s> {
        let mut checks = diagnose::all().flat_map(|cause| cause.next);
        match checks.find(|check| check.to_string() == text) {
            Some(check) => Step { with: check.with.name(), what: check.command, why: check.why },
            None => Step { with: "", what: text, why: "" },
        }
    }

    /// Seconds for people.
    pub(crate) fn seconds(&self, value: impl Plain<f64>) -> String {
        answers::report_page::seconds(value.plain())
    }

    /// Bytes for people.
    pub(crate) fn size(&self, bytes: impl Plain<u64>) -> String {
        answers::report_page::size(bytes.plain())
    }

    /// A share of one as per cent.
    pub(crate) fn percent(&self, part: impl Plain<u64>, all: impl Plain<u64>) -> String {
        answers::report_page::share(part.plain(), all.plain())
    }
}

/// Whether the viewer may see a page.
fn may_see(viewer: &Viewer, origin: &Origin, path: &str) -> bool {
    let route = super::ROUTES.iter().find(|route| route.path == path);
    route.is_some_and(|route| access::may(Some(viewer), route, origin).is_ok())
}

/// A number, or a reference to one: templates give now this, now that.
pub(crate) trait Plain<T> {
    fn plain(&self) -> T;
}

impl Plain<Self> for u64 {
    fn plain(&self) -> Self {
        *self
    }
}

impl Plain<Self> for f64 {
    fn plain(&self) -> Self {
        *self
    }
}

impl<T, R: Plain<T>> Plain<T> for &R {
    fn plain(&self) -> T {
        (**self).plain()
    }
}

/// How a class, a verdict, a status or a level is coloured besides its word.
pub(crate) fn tone(name: &str) -> &'static str {
    match name {
        "auth_ok" | "sent" | "fine" | "recovered" | "ok" | "removed" => "good",
        "auth_failed"
        | "attack"
        | "taken_over"
        | "bounced"
        | "expired"
        | "tls_failed"
        | "relayhost_auth_failed"
        | "fatal"
        | "panic" => "bad",
        "backend_fault" | "backend_evidence" | "outage" | "fault" => "fault",
        "auth_refused" | "relay_denied" | "not_logged_in" | "deferred" | "suspicious" | "misconfigured" | "warn"
        | "warning" | "error" | "rate_limited" | "sender_mismatch" | "held" | "in_queue" => "warn",
        _ => "plain",
    }
}
