//! Answers that count logins and messages: they read lines, and stand on the [`Shelf`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use answers::mask::Mask;
use answers::reading::Reading;
use answers::report_json;
use answers::screen::Screen;
use answers::story::{self, Wanted};
use answers::subject::{self, Subject};
use answers::times::Clock;
use answers::{bans, findings, json, report, story_json, triage};
use input::FeedError;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::everybody::Everybody;
use super::shelf::{Key, Made, Shelf};
use super::{locked_out, narrow};
use crate::access::Scope;
use crate::asked::Asked;
use crate::problem::Problem;

/// What was counted in logins, as JSON.
#[derive(Deserialize)]
pub(crate) struct Counted<'a> {
    /// Who tried and did not get in, attackers left out.
    #[serde(borrow)]
    pub(crate) locked_out: &'a RawValue,
    /// `triage --json`.
    #[serde(borrow)]
    pub(crate) triage: &'a RawValue,
}

/// How tickets are written: they are pasted into mails.
const TICKET: Screen = Screen { colour: false, width: 100 };
/// What is said where a finding is not.
const NO_FINDING: &str = "there is no such finding in this time: it may have ended, or been told of under another sign-in; the list of findings has those that there are";

/// Rows of lists as on the command line.
const TOP: usize = 100;

impl Asked {
    /// Who could not log in, why, and what to do: [`Counted`].
    pub(crate) fn triage(&self, wait: Duration) -> Result<Option<Made>, Problem> {
        let (top, mask, app) = (self.lists()?, self.viewer.mask(), Arc::clone(&self.app));
        self.made("triage", None, wait, move |reading| {
            let _instead = app.everybody.give_way();
            let triaged = triage::triage(reading).map_err(unread)?;
            let locked_out = locked_out::told(&triaged.tally, &triaged.findings, mask);
            let found = triaged.findings.len();
            let mut out = format!("{{\"locked_out\": {locked_out}, \"findings\": {found}, \"triage\": ").into_bytes();
            json::write_triage(&mut out, &triaged.tally, &triaged.read, &triaged.findings, top, mask, None)
                .map_err(|error| Problem::ours(&error.into()))?;
            out.push(b'}');
            Ok(out)
        })
    }

    /// What a person should know now, the gravest first: `findings --json`. Of the whole store it is made from what is remembered of it.
    pub(crate) fn findings(&self, wait: Duration) -> Result<Option<Made>, Problem> {
        let top = self.lists()?;
        self.some_findings((0, if top == 0 { usize::MAX } else { top }), wait)
    }

    /// The same, so many of them from one on.
    pub(crate) fn some_findings(&self, span: (usize, usize), wait: Duration) -> Result<Option<Made>, Problem> {
        let (mask, app, (first, limit)) = (self.viewer.mask(), Arc::clone(&self.app), span);
        self.made("findings", Some(&format!("{first}+{limit}")), wait, move |reading| {
            let found = Everybody::of(&app, &reading)?;
            let findings = found.findings.iter().skip(first).take(limit);
            let findings: Vec<_> =
                findings.map(|finding| json::finding(finding, &found.read, limit.max(TOP), mask)).collect();
            bytes(&json!({"findings": findings, "forgotten": found.detector.forgotten()}))
        })
    }

    /// One finding with the tickets written of it: `findings show ID --json`.
    pub(crate) fn finding(&self, id: &str, wait: Duration) -> Result<Option<Made>, Problem> {
        let (mask, wanted) = (self.viewer.mask(), id.to_owned());
        let (clock, app) = (Clock::new(self.app.config.zone.clone()), Arc::clone(&self.app));
        self.made("finding", Some(id), wait, move |reading| {
            let found = Everybody::of(&app, &reading)?;
            let page = findings::Page { found: &found, mask, screen: TICKET, clock: &clock };
            let finding = page.named(&wanted).ok_or_else(|| Problem::missing(NO_FINDING))?;
            bytes(&findings::one(&page, finding))
        })
    }

    /// How the mail fared: `report --json`.
    pub(crate) fn report(&self, wait: Duration) -> Result<Option<Made>, Problem> {
        let (top, mask, app) = (self.lists()?, self.viewer.mask(), Arc::clone(&self.app));
        let clock = Clock::new(self.app.config.zone.clone());
        self.made("report", None, wait, move |reading| {
            let _instead = app.everybody.give_way();
            let report = report::report(&report::Asked::default(), reading);
            let report = report.map_err(|error| Problem::bad(error.to_string()))?.map_err(unread)?;
            let limit = if top == 0 { usize::MAX } else { top };
            bytes(&report_json::report(&report, limit, mask, &clock))
        })
    }

    /// One client's or network's story: `client --json`.
    pub(crate) fn client(&self, text: &str, wait: Duration) -> Result<Option<Made>, Problem> {
        let subject = subject::client(text).map_err(|error| Problem::bad(error.to_string()))?;
        self.subject("client", text, subject, wait)
    }

    /// One login name's story: `account --json`.
    pub(crate) fn account(&self, name: &str, wait: Duration) -> Result<Option<Made>, Problem> {
        if self.viewer.scope.as_ref().is_some_and(|scope| !scope.covers(name)) {
            return Err(Problem::forbidden("this account is of a domain that your sign-in is not for"));
        }
        let made = self.subject("account", name, Subject::Account(name.as_bytes().into()), wait)?;
        narrowed(made, self.viewer.scope.as_ref(), narrow::account)
    }

    fn subject(
        &self,
        question: &'static str,
        text: &str,
        subject: Subject,
        wait: Duration,
    ) -> Result<Option<Made>, Problem> {
        let (mask, logs, app) = (self.viewer.mask(), self.app.config.fail2ban_logs.clone(), Arc::clone(&self.app));
        self.made(question, Some(text), wait, move |reading| {
            let banned = banned(&subject, &logs, &reading, mask);
            let everybody = Everybody::of(&app, &reading)?;
            let (story, read) = subject::tell_among(Some(everybody), subject, reading).map_err(unread)?;
            let mut told = subject::to_json(&story, &read, mask);
            if let (Some(told), Some(banned)) = (told.as_object_mut(), banned) {
                told.insert("bans".to_owned(), banned);
            }
            bytes(&told)
        })
    }

    /// One message's whole story: `trace --json`.
    pub(crate) fn trace(&self, id: &str, wait: Duration) -> Result<Option<Made>, Problem> {
        let (mask, wanted) = (self.viewer.mask(), id.to_owned());
        self.made("trace", Some(id), wait, move |reading| {
            let (reading, during) = reading.whole();
            let found = story::find(Wanted::new(Some(&wanted), None, None, during), reading).map_err(unread)?;
            bytes(&story_json::stories(&found.told, found.beyond, &found.read, mask))
        })
        .and_then(|made| narrowed(made, self.viewer.scope.as_ref(), narrow::trace))
    }

    /// How many rows lists have.
    fn lists(&self) -> Result<usize, Problem> {
        self.params.number("top", TOP, 100_000)
    }

    /// An answer from the shelf, made of the lines of the time asked for.
    fn made(
        &self,
        question: &'static str,
        about: Option<&str>,
        wait: Duration,
        make: impl FnOnce(Reading) -> Result<Vec<u8>, Problem> + Send + 'static,
    ) -> Result<Option<Made>, Problem> {
        let own = |name| self.params.get(name).map(str::to_owned);
        // Bans come and go without a line in the mail log.
        let of_bans = question == "client" && !self.app.config.fail2ban_logs.is_empty();
        let key = Key {
            question,
            about: vec![about.map(str::to_owned), own("since"), own("until"), own("top")],
            masked: self.viewer.is_masked(),
            moves: own("since").or_else(|| own("until")).is_some() || question == "report" || of_bans,
        };
        let reading = self.reading()?;
        Shelf::get(&Arc::clone(&self.app), &key, wait, Box::new(move || make(reading)))
    }
}

/// Bans of a client, as fail2ban's own log tells of them: `client --fail2ban-log FILE --json`. `None`: nobody, or no log that can be read.
fn banned(subject: &Subject, logs: &[PathBuf], reading: &Reading, mask: Mask) -> Option<Value> {
    let Subject::Client(net) = *subject else { return None };
    if logs.is_empty() {
        return None;
    }
    let (history, read) = bans::history(logs, reading).ok()?;
    read.problems.is_empty().then(|| bans::of_clients(&history, &[], &|ip| net.contains(&ip), mask))
}

/// An answer without what is of other domains, for a viewer of some.
fn narrowed(
    made: Option<Made>,
    scope: Option<&Scope>,
    narrow: fn(&mut Map<String, Value>, &Scope),
) -> Result<Option<Made>, Problem> {
    let (Some(mut made), Some(scope)) = (made.clone(), scope) else { return Ok(made) };
    let mut object = serde_json::from_slice(&made.json).map_err(|error| Problem::ours(&error.into()))?;
    narrow(&mut object, scope);
    made.json = bytes(&Value::Object(object))?.into();
    Ok(Some(made))
}

fn bytes(value: &Value) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(value).map_err(|error| Problem::ours(&error.into()))
}

fn unread(error: FeedError) -> Problem {
    Problem::ours(&error.into())
}

/// What a line says: `explain --json`.
pub(crate) fn explained(line: &str, mask: Mask) -> Value {
    answers::explain::to_json(&answers::explain::explain(line.as_bytes(), &answers::explain::Unsaid::default()), mask)
}
