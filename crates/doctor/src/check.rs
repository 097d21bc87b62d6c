//! What a check is: its kind (a row of the table in `kinds.rs`), and what came out of it on this host.

/// How a check ended, the harmless first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// As it should be.
    Ok,
    /// Could not be looked at.
    Unknown,
    /// Works, but hides causes, or will break, or is weak.
    Warn,
    /// Logins fail because of it, or passwords are in danger.
    Fault,
}

impl Status {
    /// The word used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Fault => "fault",
        }
    }
}

/// One row of the table of checks.
#[derive(Debug)]
pub struct Kind {
    /// Stable id: `backend.socket`.
    pub id: &'static str,
    /// What is looked at, as a headline.
    pub title: &'static str,
    /// Why it matters.
    pub meaning: &'static str,
    /// Ids of the cause table that a fault or warning of this kind explains, and an `ok` rules out for now.
    pub causes: &'static [&'static str],
    /// Kinds whose fault brings a fault of this one with it: then this one is no finding of its own.
    pub follows: &'static [&'static str],
}

/// A command or a change, and whether it changes anything on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// A command, or what to do in words.
    pub text: String,
    /// Whether doing it changes the host.
    pub changes: bool,
}

/// What came out of one check.
#[derive(Clone, Debug)]
pub struct Check {
    /// The row of the table.
    pub kind: &'static Kind,
    /// The Postfix instance it belongs to; empty for what belongs to the whole host.
    pub instance: String,
    /// What exactly was checked where there is more than one: `submission (587)`; else empty.
    pub about: String,
    /// How it ended.
    pub status: Status,
    /// The result in a sentence.
    pub summary: String,
    /// What was looked at and found.
    pub seen: Vec<String>,
    /// How to see it oneself; changes nothing.
    pub command: String,
    /// What to do about it; empty where there is nothing to do.
    pub next: Vec<Step>,
}

/// Longest text of a program's or a file's that goes into a check, in characters.
const TEXT_MAX: usize = 300;

impl Check {
    /// A check of a kind with its result.
    pub(crate) fn new(kind: &'static Kind, status: Status, summary: impl Into<String>) -> Self {
        Self {
            kind,
            instance: String::new(),
            about: String::new(),
            status,
            summary: short(&summary.into()),
            seen: Vec::new(),
            command: String::new(),
            next: Vec::new(),
        }
    }

    /// All is well.
    pub(crate) fn ok(kind: &'static Kind, summary: impl Into<String>) -> Self {
        Self::new(kind, Status::Ok, summary)
    }

    /// Works, but.
    pub(crate) fn warn(kind: &'static Kind, summary: impl Into<String>) -> Self {
        Self::new(kind, Status::Warn, summary)
    }

    /// Broken.
    pub(crate) fn fault(kind: &'static Kind, summary: impl Into<String>) -> Self {
        Self::new(kind, Status::Fault, summary)
    }

    /// Could not be seen, and why.
    pub(crate) fn unknown(kind: &'static Kind, summary: impl Into<String>) -> Self {
        Self::new(kind, Status::Unknown, summary)
    }

    pub(crate) fn about(mut self, about: impl Into<String>) -> Self {
        self.about = short(&about.into());
        self
    }

    pub(crate) fn seen(mut self, seen: impl Into<String>) -> Self {
        self.seen.push(short(&seen.into()));
        self
    }

    pub(crate) fn command(mut self, command: impl Into<String>) -> Self {
        self.command = command.into();
        self
    }

    /// Something to do that changes the host.
    pub(crate) fn fix(mut self, text: impl Into<String>) -> Self {
        self.next.push(Step { text: text.into(), changes: true });
        self
    }

    /// Something to look at, or to tell somebody.
    pub(crate) fn look(mut self, text: impl Into<String>) -> Self {
        self.next.push(Step { text: text.into(), changes: false });
        self
    }
}

/// The beginning of a text that somebody else wrote.
pub(crate) fn short(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(TEXT_MAX) {
        Some((at, _)) => text.get(..at).unwrap_or_default().to_owned() + "…",
        None => text.to_owned(),
    }
}

/// A fault that another fault brings with it is told as a warning, so that the root stands out.
pub(crate) fn settle(checks: &mut [Check]) {
    let faults: Vec<(&'static Kind, String, String)> = checks
        .iter()
        .filter(|check| check.status == Status::Fault)
        .map(|check| (check.kind, check.instance.clone(), check.summary.clone()))
        .collect();
    for check in checks.iter_mut().filter(|check| check.status == Status::Fault) {
        let root = faults.iter().find(|(kind, instance, _)| {
            check.kind.follows.contains(&kind.id) && (instance.is_empty() || *instance == check.instance)
        });
        if let Some((kind, ..)) = root {
            check.status = Status::Warn;
            check.summary = format!("{} (follows from {})", check.summary, kind.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static ROOT: Kind = Kind { id: "a.root", title: "", meaning: "", causes: &[], follows: &[] };
    static LEAF: Kind = Kind { id: "b.leaf", title: "", meaning: "", causes: &[], follows: &["a.root"] };

    fn of(kind: &'static Kind, instance: &str, status: Status) -> Check {
        Check { instance: instance.to_owned(), ..Check::new(kind, status, "x") }
    }

    #[test]
    fn a_fault_that_follows_from_another_is_no_finding_of_its_own() {
        let check = |root: (&str, Status), leaf: &str, expected: Status| {
            let mut checks = [of(&LEAF, leaf, Status::Fault), of(&ROOT, root.0, root.1)];
            settle(&mut checks);
            assert_eq!(checks[0].status, expected, "{root:?} {leaf}");
        };
        check(("", Status::Fault), "postfix", Status::Warn);
        check(("postfix", Status::Fault), "postfix", Status::Warn);
        check(("other", Status::Fault), "postfix", Status::Fault);
        check(("postfix", Status::Warn), "postfix", Status::Fault);
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(short(&"ä".repeat(400)).chars().count(), TEXT_MAX + 1);
        assert_eq!(short("  a "), "a");
    }
}
