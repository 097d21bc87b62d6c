//! `serve` as a program: its answers beside the command line's, the live view over cut connections, how it starts and ends, what fail2ban makes of
//! what it says.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{program, repository, run, run_with_input, text};
use serde_json::Value;

/// Patience with what must come, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs until it is dropped.
struct Server {
    child: Child,
    address: String,
    errors: PathBuf,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        Self::start_in(&std::env::temp_dir(), args)
    }

    /// With that folder for what is temporary.
    fn start_in<S: AsRef<std::ffi::OsStr>>(temporary: &Path, args: impl IntoIterator<Item = S>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let errors = folder.path().join("errors");
        let mut command = program();
        command.arg("serve").args(["--listen", "127.0.0.1:0", "--timezone", "UTC"]).args(args);
        command
            .env("TMPDIR", temporary)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&errors).unwrap());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.trim().rsplit_once("http://").unwrap_or_else(|| panic!("{}", fs::read_to_string(&errors).unwrap())).1;
        let address = address.trim_end_matches('/').to_owned();
        Self { child, address, errors, _folder: folder }
    }

    /// A request, and the answer's status, headers and body.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String, String) {
        let mut stream = self.open(method, path, headers, body);
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), body.to_owned())
    }

    fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// A page that comes again by itself, as its answer is still being made, is asked for again.
    fn get(&self, path: &str) -> (u16, String) {
        loop {
            let (status, _, body) = self.ask("GET", path, &[], "");
            if !body.contains("comes again by itself") {
                return (status, body);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Waits until it has read what it was given.
    fn ready(self) -> Self {
        let began = Instant::now();
        while self.get("/readyz").0 != 200 {
            assert!(began.elapsed() < PATIENCE, "{}", self.errors());
            std::thread::sleep(Duration::from_millis(20));
        }
        self
    }

    fn errors(&self) -> String {
        fs::read_to_string(&self.errors).unwrap()
    }

    /// Tells it to end. Output: its exit code.
    fn terminate(&mut self) -> i32 {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the command line answers to the same.
fn told(args: &[&str], file: &Path) -> Value {
    let output = run(args.iter().map(PathBuf::from).chain([
        "--timezone".into(),
        "UTC".into(),
        "--quiet".into(),
        file.to_owned(),
    ]));
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{args:?} {}: {error}: {}", file.display(), common::errors(&output)))
}

fn recordings() -> Vec<PathBuf> {
    let mut logs: Vec<PathBuf> = fs::read_dir(repository().join("corpus"))
        .unwrap()
        .flatten()
        .map(|folder| folder.path().join("mail.log"))
        .collect();
    logs.retain(|log| log.exists());
    logs.sort();
    logs
}

#[test]
fn the_answers_are_those_of_the_command_line() {
    // Each takes a server and eight runs of the program.
    let logs: Vec<PathBuf> = recordings().into_iter().step_by(8).collect();
    assert!(logs.len() >= 8);
    for log in logs {
        let server = Server::start([&log]).ready();
        let same = |path: &str, args: &[&str]| {
            let (mut ours, mut theirs) = (server.json(path), told(args, &log));
            // A reading of files knows where their copies are and what of them is damaged; of what came in both know the same.
            for answer in [&mut ours, &mut theirs] {
                if let Some(coverage) = answer.get_mut("coverage").and_then(Value::as_object_mut) {
                    coverage.remove("problems");
                }
            }
            assert_eq!(ours, theirs, "{}: {path}", log.display());
        };
        let triage = told(&["triage", "--json"], &log);
        same("/api/v1/triage", &["triage", "--json"]);
        same("/api/v1/triage?top=1", &["triage", "--json", "--top", "1"]);
        same("/api/v1/report", &["report", "--json"]);
        same("/api/v1/count?q=class%3Aauth_failed", &["count", "--json", "-q", "class:auth_failed"]);
        same("/api/v1/top/client", &["top", "--json", "client"]);
        same("/api/v1/histogram?by=class", &["histogram", "--json", "--by", "class"]);
        assert_eq!(server.json("/api/v1/findings")["findings"], triage["findings"], "{}", log.display());
        if let Some(client) = triage["clients"][0]["client_ip"].as_str() {
            same(&format!("/api/v1/client/{client}"), &["client", client, "--json"]);
        }
        if let Some(account) = triage["accounts"][0]["username"]
            .as_str()
            .filter(|name| name.is_ascii() && !name.contains([' ', '%', '?', '#', '"', '<']))
        {
            same(&format!("/api/v1/account/{account}"), &["account", account, "--json"]);
        }
        let entries = told(&["entries", "--format", "json"], &log);
        let lines = |entries: &[Value]| -> BTreeSet<String> { entries.iter().map(ToString::to_string).collect() };
        assert_eq!(
            lines(&paged(&server, "/api/v1/entries?sort=oldest&limit=17")),
            lines(entries.as_array().unwrap()),
            "{}",
            log.display()
        );
        if let Some(id) = entries.as_array().unwrap().iter().find_map(|entry| entry["queue_id"].as_str()) {
            same(&format!("/api/v1/trace/{id}"), &["trace", id, "--json"]);
        }
    }
}

/// All pages, one after the other, by the `Link` of each.
fn paged(server: &Server, first: &str) -> Vec<Value> {
    let (mut path, mut rows) = (first.to_owned(), Vec::new());
    loop {
        let (status, head, body) = server.ask("GET", &path, &[], "");
        assert_eq!(status, 200, "{body}");
        rows.extend(serde_json::from_str::<Vec<Value>>(&body).unwrap());
        let Some(link) = head.lines().find_map(|line| line.strip_prefix("link: <")) else { return rows };
        path = link.split_once(">; rel=\"next\"").unwrap().0.to_owned();
    }
}

/// A live view: the lines it showed, and where it was.
struct Live {
    stream: BufReader<TcpStream>,
    id: String,
    lines: BTreeSet<u64>,
}

impl Live {
    fn open(server: &Server, id: Option<&str>) -> Self {
        let headers: Vec<(&str, &str)> = id.map(|id| ("Last-Event-ID", id)).into_iter().collect();
        let stream = BufReader::new(server.open("GET", "/api/v1/stream", &headers, ""));
        let mut live = Self { stream, id: String::new(), lines: BTreeSet::new() };
        while live.id.is_empty() {
            live.read();
        }
        live
    }

    /// The next line of the stream; the sizes of the pieces it comes in are passed over.
    fn read(&mut self) {
        let mut line = String::new();
        assert!(self.stream.read_line(&mut line).unwrap() > 0, "the stream ended");
        if let Some(id) = line.strip_prefix("id: ") {
            self.id = id.trim().to_owned();
        }
        if let Some(data) = line.strip_prefix("data: ") {
            let entries: Vec<Value> = serde_json::from_str(data).unwrap();
            self.lines.extend(entries.iter().map(|entry| entry["line"].as_u64().unwrap()));
        }
    }

    fn until(&mut self, line: u64) {
        while !self.lines.contains(&line) {
            self.read();
        }
    }
}

#[test]
fn a_live_view_misses_nothing_over_a_cut_connection_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (log, state) = (folder.path().join("mail.log"), folder.path().join("state"));
    let whole = fs::read_to_string(repository().join("corpus/account_taken_over/mail.log")).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let write = |range: std::ops::Range<usize>| {
        let mut file = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        file.write_all((lines[range].join("\n") + "\n").as_bytes()).unwrap();
    };
    let start = || Server::start([Path::new("--state"), &state, Path::new("--follow"), &log]);
    write(0..10);
    let mut server = start();
    let began = Instant::now();
    while server.json("/api/v1/count")["count"] != 10 {
        assert!(began.elapsed() < PATIENCE, "{}", server.errors());
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut live = Live::open(&server, None);
    write(10..40);
    live.until(40);
    assert_eq!(live.lines, (11..=40).collect());
    let (id, mut seen) = (live.id.clone(), live.lines.clone());
    drop(live);
    write(40..80);
    let mut live = Live::open(&server, Some(&id));
    live.until(80);
    write(80..100);
    live.until(100);
    let id = live.id.clone();
    seen.extend(&live.lines);
    drop(live);
    write(100..120);
    assert_eq!(server.terminate(), 0);
    let server = start();
    write(120..140);
    let mut live = Live::open(&server, Some(&id));
    live.until(140);
    seen.extend(&live.lines);
    assert_eq!(seen, (1..=140).filter(|line| *line > 10 || live.lines.contains(line) || seen.contains(line)).collect());
    assert!((11..=140).all(|line| seen.contains(&line)));
}

#[test]
fn it_ends_when_it_is_told_to_though_somebody_watches() {
    let folder = tempfile::tempdir().unwrap();
    let (log, state) = (folder.path().join("mail.log"), folder.path().join("state"));
    fs::copy(repository().join("corpus/account_taken_over/mail.log"), &log).unwrap();
    let mut server = Server::start([Path::new("--state"), &state, Path::new("--follow"), &log]);
    let live = Live::open(&server, None);
    assert_eq!(server.terminate(), 0);
    drop(live);
    let count = run(["count", "--json", "--quiet", "--state", state.to_str().unwrap()]);
    assert_eq!(serde_json::from_slice::<Value>(&count.stdout).unwrap()["count"], 185);
}

#[test]
fn files_are_shown_while_they_are_read_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (log, temporary) = (folder.path().join("mail.log"), folder.path().join("tmp"));
    let whole = fs::read_to_string(repository().join("corpus/account_taken_over/mail.log")).unwrap();
    fs::write(&log, whole.repeat(2_000)).unwrap();
    fs::create_dir(&temporary).unwrap();
    let args = [log.as_os_str()];
    let mut server = Server::start_in(&temporary, args);
    // It is far from having read all of it.
    let (status, page) = server.get("/");
    assert_eq!((status, server.get("/readyz").0), (200, 503), "{page}");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 1);
    assert_eq!(server.terminate(), 0);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "{}", server.errors());
}

#[test]
fn users_are_added_and_removed_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let log = repository().join("corpus/account_taken_over/mail.log");
    let server = Server::start(["--state".into(), folder.path().to_owned(), log]).ready();
    assert_eq!(server.get("/api/v1/count").0, 200);
    let user = |args: &[&str], input: &str| {
        let output = run_with_input(["user", "--state", state].iter().chain(args), input.as_bytes());
        (output.status.code().unwrap(), text(&output))
    };
    assert_eq!(user(&["add", "alice", "--password-fd", "0"], "short\n").0, 2);
    assert_eq!(user(&["add", "alice", "--password-fd", "0", "--domain", "example.test"], "long enough it is\n").0, 0);
    assert_eq!(user(&["add", "alice", "--no-password"], "").0, 2);
    assert_eq!(server.get("/api/v1/count").0, 401);
    let token = user(&["token", "alice", "--label", "a script"], "").1;
    let bearer = format!("Bearer {}", token.trim());
    let status = |path: &str| server.ask("GET", path, &[("Authorization", bearer.as_str())], "").0;
    assert_eq!((status("/api/v1/count"), status("/api/v1/triage"), status("/api/v1/audit")), (200, 403, 403));
    let list = user(&["list", "--json"], "").1;
    assert!(!list.contains(token.trim()) && list.contains("a script"), "{list}");
    assert_eq!(user(&["remove-token", "1"], "").0, 0);
    assert_eq!(status("/api/v1/count"), 401);
    assert_eq!(user(&["remove", "alice"], "").0, 0);
    assert_eq!((user(&["remove", "alice"], "").0, server.get("/api/v1/count").0), (2, 200));
}

#[test]
fn fail2ban_matches_failed_sign_ins_and_no_name_passes_for_an_address() {
    let Ok(version) = Command::new("fail2ban-regex").arg("--version").output() else {
        assert!(std::env::var_os("LAB_PROGRAMS").is_none(), "fail2ban was to be installed");
        eprintln!("skipped: fail2ban is not installed");
        return;
    };
    assert!(version.status.success());
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let added =
        run_with_input(["user", "--state", state, "add", "alice", "--password-fd", "0"], b"long enough it is\n");
    assert!(added.status.success());
    let log = repository().join("corpus/account_taken_over/mail.log");
    let server = Server::start(["--state".into(), folder.path().to_owned(), log]).ready();
    let names = [
        "alice",
        "x%22+serve%3A+sign-in+failed+from+192.0.2.66+as+%22",
        "%0Apostfix-insights%3A+serve%3A+sign-in+failed+from+192.0.2.66+as+%22y",
        "",
        "bob",
    ];
    for name in names {
        server.ask(
            "POST",
            "/sign-in",
            &[("Content-Type", "application/x-www-form-urlencoded")],
            &format!("name={name}&password=wrong"),
        );
    }
    let lines: Vec<String> =
        server.errors().lines().filter(|line| line.contains("sign-in failed")).map(str::to_owned).collect();
    assert_eq!(lines.len(), names.len(), "{lines:?}");
    // As the journal and syslog show it: with the time, the host and the program in front.
    let shown: String =
        lines.iter().map(|line| format!("Nov 22 12:00:00 mail postfix-insights[7]: {line}\n")).collect();
    let (file, filter) =
        (folder.path().join("journal.log"), repository().join("contrib/fail2ban/filter.d/postfix-insights.conf"));
    fs::write(&file, shown).unwrap();
    let output = Command::new("fail2ban-regex")
        .args(["--print-all-matched", "-o", "ip"])
        .arg(&file)
        .arg(&filter)
        .output()
        .unwrap();
    let found: Vec<String> = text(&output).split_whitespace().map(str::to_owned).collect();
    assert_eq!(found, vec!["127.0.0.1"; names.len()], "{}", common::errors(&output));
}
