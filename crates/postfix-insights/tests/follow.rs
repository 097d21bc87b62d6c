//! Following: lines are found while they are written, and whatever happens the store ends up as if it had been filled at once.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{code, errors, program, run, text};
use tempfile::TempDir;

/// Longer than anything takes.
const DEADLINE: Duration = Duration::from_secs(120);

/// A program that follows; it does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Place {
    folder: TempDir,
    lines: Vec<String>,
    written: usize,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = loggen::Settings { bytes: 200_000, days: 1, ..loggen::Settings::default() };
        let whole = folder.path().join("whole.txt");
        loggen::write_files(&settings, &whole, &folder.path().join("truth.json")).unwrap();
        let lines = fs::read_to_string(&whole).unwrap().lines().map(|line| format!("{line}\n")).collect();
        Self { folder, lines, written: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes up to so many of a hundred parts of all lines.
    fn write_upto(&mut self, percent: usize) {
        let end = self.lines.len() * percent / 100;
        let mut log = OpenOptions::new().append(true).create(true).open(self.path("mail.log")).unwrap();
        self.lines[self.written..end].iter().for_each(|line| log.write_all(line.as_bytes()).unwrap());
        self.written = end;
    }

    fn follow(&self) -> Running {
        self.follow_sources(&[self.path("mail.log")])
    }

    fn follow_sources(&self, sources: &[PathBuf]) -> Running {
        let mut command = program();
        command.args(["follow", "--quiet", "--timezone", "UTC", "--state"]).arg(self.path("state"));
        command.args(sources).stdin(Stdio::piped());
        Running(command.spawn().unwrap())
    }

    /// Follows with other programs found first, and other options.
    fn follow_with(&self, programs: &Path, options: &[String]) -> Running {
        let path = std::env::var("PATH").unwrap();
        let mut command = program();
        command.args(["follow", "--quiet", "--timezone", "UTC", "--state"]).arg(self.path("state")).args(options);
        command.env("PATH", format!("{}:{path}", programs.display())).stdin(Stdio::null());
        Running(command.spawn().unwrap())
    }

    /// Waits until so many lines as were written can be searched.
    fn all_found(&self) {
        let begun = Instant::now();
        let mut found = String::new();
        while begun.elapsed() < DEADLINE {
            found = text(&run(args(&["count", "--quiet", "--state"], &self.path("state"))));
            if found.trim() == self.written.to_string() {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("{} lines were written, found: {found}", self.written);
    }

    fn entries(&self, state: &str) -> Vec<String> {
        let output = run(args(&["entries", "--quiet", "--timezone", "UTC", "--state"], &self.path(state)));
        assert_eq!(code(&output), 0, "{}", errors(&output));
        let mut entries: Vec<String> = text(&output).lines().map(str::to_owned).collect();
        entries.sort();
        entries
    }

    /// The store is as if the files had gone in at once.
    fn is_as_ingested(&self) {
        let mut command = args(&["ingest", "--quiet", "--timezone", "UTC", "--state"], &self.path("clean"));
        command.extend(["mail.log.1", "mail.log"].map(|name| self.path(name)).into_iter().filter(|file| file.exists()));
        let output = run(command);
        assert_eq!(code(&output), 0, "{}", errors(&output));
        let (followed, clean) = (self.entries("state"), self.entries("clean"));
        assert_eq!(followed.len(), clean.len());
        // The first that differs says more than all of them.
        let differs = followed.iter().zip(&clean).find(|(one, other)| one != other);
        assert_eq!(differs, None);
    }
}

fn args(words: &[&str], path: &Path) -> Vec<PathBuf> {
    words.iter().map(PathBuf::from).chain([path.to_owned()]).collect()
}

fn terminate(mut running: Running) {
    let kill = Command::new("kill").arg("-TERM").arg(running.0.id().to_string()).status().unwrap();
    assert!(kill.success());
    assert!(running.0.wait().unwrap().success());
}

#[test]
fn what_is_written_is_found_over_rotation_and_restart() {
    let mut place = Place::new();
    place.write_upto(20);
    let running = place.follow();
    place.all_found();
    place.write_upto(40);
    place.all_found();
    fs::rename(place.path("mail.log"), place.path("mail.log.1")).unwrap();
    place.write_upto(60);
    place.all_found();
    terminate(running);
    place.write_upto(80);
    let running = place.follow();
    place.all_found();
    place.write_upto(100);
    place.all_found();
    terminate(running);
    place.is_as_ingested();
}

#[test]
fn what_is_rotated_while_nobody_follows_is_found() {
    let mut place = Place::new();
    place.write_upto(30);
    let running = place.follow();
    place.all_found();
    terminate(running);
    place.write_upto(60);
    fs::rename(place.path("mail.log"), place.path("mail.log.1")).unwrap();
    place.write_upto(100);
    let running = place.follow();
    place.all_found();
    terminate(running);
    place.is_as_ingested();
}

#[test]
fn killed_at_any_moment_each_line_is_in_once() {
    let mut place = Place::new();
    for percent in [15, 30, 45, 60, 75, 90] {
        place.write_upto(percent - 10);
        let running = place.follow();
        std::thread::sleep(Duration::from_millis(percent as u64 * 20));
        place.write_upto(percent);
        // Killed without warning.
        drop(running);
    }
    place.write_upto(100);
    let running = place.follow();
    place.all_found();
    terminate(running);
    place.is_as_ingested();
}

#[test]
fn a_failed_login_is_known_as_one_though_nothing_follows_it() {
    let mut place = Place::new();
    let now = jiff::Timestamp::now();
    let head = format!("{now} mail postfix/smtpd[7]: ");
    place.lines = vec![
        format!("{head}connect from unknown[192.0.2.1]\n"),
        format!("{head}warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6\n"),
    ];
    place.write_upto(100);
    let running = place.follow();
    let begun = Instant::now();
    let asked = args(&["count", "-q", "class:auth_failed", "--quiet", "--state"], &place.path("state"));
    while text(&run(&asked)).trim() != "1" {
        assert!(begun.elapsed() < DEADLINE, "it is not found by its class");
        std::thread::sleep(Duration::from_millis(200));
    }
    terminate(running);
    place.is_as_ingested();
}

#[test]
fn what_comes_over_the_network_and_on_standard_input_is_found() {
    let mut place = Place::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sources = [format!("--syslog={free}").into(), "-".into()];
    let mut running = place.follow_sources(&sources);
    let begun = Instant::now();
    let mut peer = loop {
        match std::net::TcpStream::connect(free) {
            Ok(peer) => break peer,
            Err(error) => assert!(begun.elapsed() < DEADLINE, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let (sent, piped) = (place.lines[..100].concat(), place.lines[100..150].concat());
    peer.write_all(sent.as_bytes()).unwrap();
    running.0.stdin.take().unwrap().write_all(piped.as_bytes()).unwrap();
    place.written = 150;
    place.all_found();
    terminate(running);
    // After a restart they are not taken in again, though the spool still holds them.
    let running = place.follow_sources(&sources[..1]);
    place.all_found();
    terminate(running);
    place.all_found();
}

/// Whether a program can be run; without it the test says that it saw nothing.
fn is_there(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).output().unwrap().status.success();
    if !found {
        println!("{program} is not installed: nothing is tested here");
    }
    found
}

fn quietly(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_comes_with_tls_is_found() {
    if !is_there("openssl") {
        return;
    }
    let mut place = Place::new();
    let (key, certificate) = (place.path("key.pem"), place.path("certificate.pem"));
    let mut make = Command::new("openssl");
    make.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        "/CN=mail",
        "-days",
        "2",
    ]);
    quietly(make.args(["-addext", "subjectAltName=DNS:mail", "-keyout"]).arg(&key).arg("-out").arg(&certificate));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = [
        format!("--syslog-tls={free}"),
        format!("--syslog-tls-key={}", key.display()),
        format!("--syslog-tls-certificate={}", certificate.display()),
    ];
    let running = place.follow_with(&place.path(""), &options);
    let begun = Instant::now();
    while std::net::TcpStream::connect(free).is_err() {
        assert!(begun.elapsed() < DEADLINE, "it does not listen");
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut peer = Command::new("openssl")
        .args(["s_client", "-quiet", "-verify_return_error", "-verify_hostname", "mail", "-connect"])
        .arg(free.to_string())
        .arg("-CAfile")
        .arg(&certificate)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut pipe = peer.stdin.take().unwrap();
    pipe.write_all(place.lines[..100].concat().as_bytes()).unwrap();
    pipe.flush().unwrap();
    place.written = 100;
    place.all_found();
    drop(pipe);
    peer.kill().unwrap();
    peer.wait().unwrap();
    terminate(running);
}

/// A journal made by systemd's own tool is followed by its own `journalctl`.
#[test]
fn the_journal_is_followed() {
    let remote = "/usr/lib/systemd/systemd-journal-remote";
    if !is_there("journalctl") || !is_there(remote) {
        return;
    }
    let mut place = Place::new();
    let (journal, programs, export) = (place.path("journal"), place.path("programs"), place.path("export"));
    [&journal, &programs].into_iter().for_each(|folder| fs::create_dir(folder).unwrap());
    let real =
        String::from_utf8(Command::new("sh").args(["-c", "command -v journalctl"]).output().unwrap().stdout).unwrap();
    let script = format!("#!/bin/sh\nexec {} --directory={} \"$@\"\n", real.trim(), journal.display());
    let shim = programs.join("journalctl");
    fs::write(&shim, script).unwrap();
    fs::set_permissions(&shim, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let take = |from: u64, to: u64| {
        let entry = |n: u64| {
            format!(
                "__REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP={n}\n_BOOT_ID=5ef5b1d3c8a34e0e8bdf7b0b0d1b2a33\n_HOSTNAME=mail\n\
                 PRIORITY=6\nSYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=postfix/smtpd\nSYSLOG_PID={n}\nMESSAGE=connect from unknown[192.0.2.1]\n\n",
                1_763_803_046_436_140 + n * 1_000_000
            )
        };
        fs::write(&export, (from..to).map(entry).collect::<String>()).unwrap();
        // A file of its own for each call: appending to one that another tool left open is not what is tested here.
        quietly(Command::new(remote).arg(&export).arg("-o").arg(journal.join(format!("part{from}.journal"))));
    };
    take(1, 40);
    place.written = 39;
    let running = place.follow_with(&programs, &["--journal".to_owned()]);
    place.all_found();
    take(40, 60);
    place.written = 59;
    place.all_found();
    terminate(running);
    take(60, 70);
    place.written = 69;
    let running = place.follow_with(&programs, &["--journal".to_owned()]);
    place.all_found();
    terminate(running);
}

/// A real full disk: nothing is lost, and it goes on by itself when there is room.
#[test]
fn a_full_disk_is_waited_for() {
    let mut place = Place::new();
    let state = place.path("state");
    fs::create_dir(&state).unwrap();
    let mount = "mount -t tmpfs -o size=300k,mode=700 none \"$0\"";
    if !Command::new("unshare")
        .args(["--mount", "sh", "-c", mount])
        .arg(&state)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
    {
        println!("nothing can be mounted here: nothing is tested");
        return;
    }
    place.write_upto(100);
    let follow = format!("{mount} && exec \"$1\" follow --timezone UTC --state \"$0\" \"$2\"");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &follow]).arg(&state).arg(env!("CARGO_BIN_EXE_postfix-insights"));
    command.arg(place.path("mail.log")).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let mut told = std::io::BufReader::new(running.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("the disk is full") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut told, &mut line).unwrap() > 0, "it ended without a word of it");
    }
    let drain = std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
    // The whole of the process stays in its own mounts, so its view of the folder is the one that counts.
    let inside = |words: &[&str]| {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &running.0.id().to_string()]).args(words);
        command.output().unwrap()
    };
    assert!(inside(&["mount", "-o", "remount,size=200m", state.to_str().unwrap()]).status.success());
    let begun = Instant::now();
    let asked = [env!("CARGO_BIN_EXE_postfix-insights"), "count", "--quiet", "--state", state.to_str().unwrap()];
    while String::from_utf8_lossy(&inside(&asked).stdout).trim() != place.written.to_string() {
        assert!(begun.elapsed() < DEADLINE, "it does not go on");
        std::thread::sleep(Duration::from_millis(300));
    }
    terminate(running);
    drop(drain.join());
}
