//! Following: lines are found while they are written, and whatever happens the store ends up as if it had been filled at once.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

mod clocks;
mod disk;
mod killed;
mod place;

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{run, text};
use place::{DEADLINE, Place, args, terminate};

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

/// `mail.info` holds most of the lines of `mail.log`; both are followed.
#[test]
fn the_same_lines_in_two_logs_are_in_once() {
    let mut place = Place::new();
    let logs = [place.path("mail.log"), place.path("mail.info")];
    let mut informed = 3;
    let mut inform = |place: &Place| {
        let some = place.lines[informed..place.written].iter().filter(|line| !line.contains("warning:"));
        let mut info = fs::File::options().append(true).create(true).open(&logs[1]).unwrap();
        some.for_each(|line| info.write_all(line.as_bytes()).unwrap());
        informed = place.written;
    };
    for percent in [30, 60] {
        place.write_upto(percent);
        inform(&place);
        let running = place.follow_sources(&logs);
        place.all_found();
        place.write_upto(percent + 15);
        place.all_found();
        inform(&place);
        // Time for two commits: nothing is to come.
        std::thread::sleep(Duration::from_secs(2));
        place.all_found();
        terminate(running);
        place.all_found();
    }
}

/// `search --follow` shows each line that a query means once, those that are there and those that come.
#[test]
fn a_search_goes_on_with_what_comes() {
    let mut place = Place::new();
    place.write_upto(30);
    let running = place.follow();
    place.all_found();
    let mut search = common::program();
    search.args(["search", "class:auth_failed", "--follow", "--json", "--quiet", "--limit", "10000", "--state"]);
    search.arg(place.path("state")).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut search = place::Running(search.spawn().unwrap());
    let lines = place::lines_of(search.0.stdout.take().unwrap());
    let mut shown = vec![lines.recv_timeout(DEADLINE).unwrap()];
    place.write_upto(60);
    place.all_found();
    terminate(running);
    let asked = ["entries", "--quiet", "-q", "class:auth_failed", "--state"];
    let output = run(args(&asked, &place.path("state")));
    let key = |line: &str| {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        (entry["source"].to_string(), entry["line"].as_u64().unwrap())
    };
    let meant: Vec<_> = text(&output).lines().map(key).collect();
    assert!(meant.len() > 20, "{}", meant.len());
    while shown.len() < meant.len() {
        shown.push(lines.recv_timeout(DEADLINE).expect("a line that is not shown"));
    }
    let mut shown: Vec<_> = shown.iter().map(|line| key(line)).collect();
    shown.sort();
    let mut meant = meant;
    meant.sort();
    assert_eq!(shown, meant);
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
