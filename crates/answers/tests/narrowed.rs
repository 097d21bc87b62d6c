//! What is told of a client, an account or a mail out of a store, of which only some lines are read, is what the files tell: of every
//! recording, and of a generated log.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use answers::mask::Mask;
use answers::reading::{Input, Reading};
use answers::retention::Retention;
use answers::story::Wanted;
use answers::subject::Subject;
use answers::{ingest, story, story_json, subject};
use query::Query;
use serde_json::Value;
use store::state::State;
use store::{Answer, Question, Store as _, TopAsked};

/// A log, and the store of it.
struct Log {
    folder: tempfile::TempDir,
    files: Vec<PathBuf>,
}

impl Log {
    fn of(files: Vec<PathBuf>) -> Self {
        let log = Self { folder: tempfile::tempdir().unwrap(), files };
        let state = log.state();
        let _lock = state.lock().unwrap();
        let reading = Reading::of_files(&log.input()).unwrap();
        let ingested = ingest::ingest(&state, reading, &Retention::default(), |_, _| ()).unwrap();
        assert!(ingested.is_ok_and(|ingested| ingested.failure.is_none()));
        log
    }

    fn state(&self) -> State {
        State::new(&self.folder.path().join("state"))
    }

    fn input(&self) -> Input {
        let timezone = Some("UTC".to_owned());
        Input { files: self.files.clone(), timezone, year: Some(2026), ..Input::default() }
    }

    fn stored(&self) -> Input {
        Input { files: Vec::new(), state: Some(self.state().root().to_owned()), ..self.input() }
    }

    fn values(&self, name: &str) -> Vec<String> {
        let asked = TopAsked { field: query::field(name).unwrap(), distinct: None, limit: 0 };
        let index = store::index::Index::new(&self.state().index());
        let Answer::Top(top) = index.ask(&Query::all(), &[Question::Top(asked)]).unwrap().remove(0) else { panic!() };
        top.values.into_iter().map(|value| value.value).collect()
    }

    fn same(&self, what: &str, tell: impl Fn(Reading) -> Value) {
        self.same_of(what, &self.input(), &self.stored(), tell);
    }

    fn same_of(&self, what: &str, files: &Input, stored: &Input, tell: impl Fn(Reading) -> Value) {
        let of = |input: &Input| tell(Reading::new(input, false).unwrap());
        let (from_files, from_store) = (of(files), of(stored));
        // The part that differs says more than all of it.
        for (key, value) in from_files.as_object().unwrap() {
            assert_eq!(*value, from_store[key], "{what}, {key}, of {:?}", self.files);
        }
        assert_eq!(from_files, from_store, "{what} of {:?}", self.files);
    }
}

fn about(subject: &Subject) -> impl Fn(Reading) -> Value + '_ {
    |reading| {
        let (story, read) = subject::tell(subject.clone(), reading).unwrap();
        subject::to_json(&story, &read, Mask(false))
    }
}

fn mail(id: Option<&str>, from: Option<&str>, to: Option<&str>) -> impl Fn(Reading) -> Value {
    let wanted = Wanted::new(id, from, to, i64::MIN..=i64::MAX);
    move |reading| {
        let found = story::find(wanted.clone(), reading).unwrap();
        story_json::stories(&found.told, found.beyond, &found.read, Mask(false))
    }
}

/// Some of them, from all over the list.
fn some(mut list: Vec<String>, most: usize) -> Vec<String> {
    list.sort();
    let step = list.len().div_ceil(most).max(1);
    list.into_iter().step_by(step).collect()
}

fn compare(log: &Log, most: usize) {
    for client in some(log.values("client_ip"), most) {
        log.same(&client, about(&subject::client(&client).unwrap()));
    }
    for name in some(log.values("username"), most) {
        log.same(&name, about(&Subject::Account(name.as_bytes().into())));
    }
    for address in some(log.values("to"), most / 2) {
        log.same(&address, mail(None, None, Some(&address)));
    }
    for address in some(log.values("from"), most / 4) {
        log.same(&address, mail(None, Some(&address), None));
    }
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus")
}

#[test]
fn of_every_recording() {
    let mut recordings: Vec<PathBuf> =
        std::fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().path()).collect();
    recordings.retain(|path| path.join("truth.json").exists());
    recordings.sort();
    assert!(recordings.len() > 50);
    for recording in recordings {
        let log = Log::of(vec![recording.join("mail.log")]);
        compare(&log, 4);
    }
}

#[test]
fn of_a_generated_log() {
    let folder = tempfile::tempdir().unwrap();
    let settings = loggen::Settings { bytes: 1_000_000, days: 3, ..loggen::Settings::default() };
    let path = folder.path().join("mail.log");
    loggen::write_files(&settings, &path, &folder.path().join("truth.json")).unwrap();
    let log = Log::of(vec![path]);
    compare(&log, 12);
    for net in ["203.0.113.0/24", "198.51.100.0/25", "2001:db8::/32", "0.0.0.0/1"] {
        log.same(net, about(&subject::client(net).unwrap()));
    }
}

/// Lines that nobody knows, and a client whose session has no end and whose process serves another one then.
#[test]
fn of_what_is_odd() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.log");
    let lines = [
        "2026-06-17T10:00:00+00:00 mail postfix/submission/smtpd[7]: connect from unknown[192.0.2.1]",
        "2026-06-17T10:00:00+00:00 mail postfix/submission/smtpd[7]: disconnect from unknown[192.0.2.1] commands=0/0",
        "2026-06-17T10:00:00+00:00 mail postfix/submission/smtpd[7]: connect from unknown[192.0.2.2]",
        "2026-06-17T10:00:01+00:00 mail postfix/submission/smtpd[7]: warning: unknown[192.0.2.2]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
        "2026-06-17T10:00:02+00:00 mail postfix/submission/smtpd[7]: lost connection after AUTH from unknown[192.0.2.2]",
        "2026-06-17T10:00:05+00:00 mail postfix/submission/smtpd[8]: connect from unknown[192.0.2.3]",
        "2026-06-17T10:00:06+00:00 mail postfix/submission/smtpd[8]: warning: unknown[192.0.2.3]: SASL LOGIN authentication failed: authentication failure",
        "2026-06-17T10:00:06+00:00 mail saslauthd[9]: do_auth         : auth failure: [user=alice] [service=smtp] [realm=] [mech=pam] [reason=PAM auth error]",
        "2026-06-17T10:00:07+00:00 mail postfix/submission/smtpd[10]: connect from unknown[192.0.2.4]",
        "2026-06-17T10:00:07+00:00 mail postfix/submission/smtpd[10]: warning: unknown[192.0.2.4]: SASL LOGIN authentication failed: authentication failure",
        "2026-06-17T10:00:09+00:00 mail postfix/submission/smtpd[7]: connect from unknown[192.0.2.5]",
        "what is this",
        "",
        "2026-06-17T19:30:00+00:00 mail postfix/something[11]: never said before",
        "2026-06-17T19:30:01+00:00 mail postfix/submission/smtpd[7]: disconnect from unknown[192.0.2.5] auth=0/1 commands=0/1",
        "2026-06-18T00:00:01+00:00 mail postfix/submission/smtpd[7]: connect from h.example[192.0.2.6]",
        "2026-06-18T00:00:02+00:00 mail postfix/submission/smtpd[7]: 4AAAA: client=h.example[192.0.2.6], sasl_method=PLAIN, sasl_username=bob",
        "2026-06-18T00:00:02+00:00 mail postfix/submission/smtpd[7]: 4AAAB: client=h.example[192.0.2.6], sasl_method=PLAIN, sasl_username=bob",
    ];
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    let log = Log::of(vec![path]);
    compare(&log, 100);
    log.same("4AAAA", mail(Some("4AAAA"), None, None));
}

/// Lines without process ids: who was just there when the backend was not.
#[test]
fn of_sessions_that_die_without_a_process_id() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.log");
    let trouble = "warning: SASL: Connect to Dovecot auth socket 'inet:dovecot:10001' failed: Connection refused";
    let fatal = "fatal: no SASL authentication mechanisms";
    let lines = [
        (0, "connect from unknown[192.0.2.1]"),
        (1, trouble),
        (1, fatal),
        (5, trouble),
        (6, "connect from unknown[192.0.2.2]"),
        (6, fatal),
        (9, "connect from unknown[192.0.2.3]"),
        (9, "connect from unknown[192.0.2.4]"),
        (9, trouble),
        (9, fatal),
        (10, fatal),
        (10, trouble),
        (10, "disconnect from unknown[192.0.2.3] commands=0/0"),
        (11, fatal),
    ];
    let lines = lines.map(|(second, message)| {
        let time = 1_795_161_600 + second;
        let line =
            serde_json::json!({"time": time.to_string(), "program": "postfix/submission/smtpd", "message": message});
        format!("{line}\n")
    });
    std::fs::write(&path, lines.concat()).unwrap();
    compare(&Log::of(vec![path]), 100);
}
