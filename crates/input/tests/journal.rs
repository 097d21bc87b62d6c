//! The journal, through the real `journalctl` where there is one that can be fed (`systemd-journal-remote`), and through a script that
//! plays a recorded export stream.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "a test may panic and tell")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use input::{FollowConfig, Follower, JournalConfig, JournalReader, Position, SpoolLimits, Watch};

const GENEROUS: Duration = Duration::from_secs(40);

/// Entries as `journalctl --output=export` prints them.
fn export(from: usize, to: usize) -> String {
    (from..to)
        .map(|at| {
            format!(
                "__CURSOR=s=0639d9ee0a2e4c8dbd0b6f3d3d1e6d11;i={at:x};b=5ef5b1d3c8a34e0e8bdf7b0b0d1b2a33;m={at:x};t=6442d5b2fa{at:03x};x={at:x}\n\
                 __REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP={}\n_BOOT_ID=5ef5b1d3c8a34e0e8bdf7b0b0d1b2a33\n\
                 _HOSTNAME=mail\nPRIORITY=6\nSYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=postfix/submission/smtpd\nSYSLOG_PID={at}\n\
                 MESSAGE=connect from unknown[192.0.2.1]\n\n",
                1_763_803_046_436_140 + at as u64 * 1_000_000,
                1_000_000 + at,
            )
        })
        .collect()
}

struct Site {
    folder: tempfile::TempDir,
    follower: Follower,
    position: Option<Position>,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let follower = follow(&folder.path().join("spool"), None);
        Self { folder, follower, position: None }
    }

    fn start(&self, program: &Path) -> JournalReader {
        let journal = self.folder.path().join("journal");
        fs::create_dir_all(&journal).unwrap();
        let options = vec![format!("--directory={}", journal.display()).into()];
        let config = JournalConfig { program: program.to_owned(), options, from_start: true };
        JournalReader::start(config, &self.folder.path().join("spool"), SpoolLimits::default()).unwrap()
    }

    /// Process ids of the next lines.
    fn pids(&mut self, count: usize, reader: &JournalReader) -> Vec<usize> {
        let (mut pids, deadline) = (Vec::new(), Instant::now() + GENEROUS);
        while pids.len() < count {
            let Some(batch) = self.follower.next(deadline) else { break };
            assert_eq!(batch.name(), "journal");
            for line in batch.lines() {
                let record = line.line.record.unwrap();
                assert_eq!((record.host, record.tag.0), (&b"mail"[..], &b"postfix/submission/smtpd"[..]));
                let pid = record.pid.unwrap() as usize;
                assert_eq!(line.line.time, Some(1_763_803_046_436_140 + pid as i64 * 1_000_000));
                pids.push(pid);
            }
            self.position = Some(batch.position().clone());
        }
        assert_eq!(pids.len(), count, "{pids:?} {:?}", reader.status());
        pids
    }

    fn nothing_more(&mut self) {
        let deadline = Instant::now() + Duration::from_millis(300);
        while let Some(batch) = self.follower.next(deadline) {
            assert_eq!(batch.lines().count(), 0, "{batch:?}");
        }
    }

    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

fn follow(spool: &Path, position: Option<Position>) -> Follower {
    let watch = Watch::Spool { folder: spool.to_owned(), name: "journal".to_owned() };
    Follower::new(FollowConfig { poll_every: Duration::from_millis(10), ..FollowConfig::new(vec![watch]) }, position)
}

/// Makes a journal file of export text.
fn journal_file(site: &Site, name: &str, text: &str) -> bool {
    let tool = ["/lib/systemd/systemd-journal-remote", "/usr/lib/systemd/systemd-journal-remote"]
        .into_iter()
        .map(PathBuf::from);
    let named = std::env::var_os("SYSTEMD_JOURNAL_REMOTE").map(PathBuf::from);
    let (Some(tool), Ok(_)) = (
        named.into_iter().chain(tool).find(|tool| tool.exists()),
        Command::new("journalctl").arg("--version").output(),
    ) else {
        eprintln!("journalctl or systemd-journal-remote is not installed: not tried");
        return false;
    };
    let folder = site.folder.path().join("journal");
    fs::create_dir_all(&folder).unwrap();
    let mut child = Command::new(tool)
        .arg(format!("--output={}", folder.join(name).display()))
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    true
}

#[test]
fn a_real_journal_over_a_killed_tool_and_a_restart() {
    let mut site = Site::new();
    if !journal_file(&site, "a.journal", &export(1, 50)) {
        return;
    }
    // The real tool; its process id is told.
    let pid = site.folder.path().join("pid");
    let program = site.script("journalctl", &format!("echo $$ > {}\nexec journalctl \"$@\"", pid.display()));
    let reader = site.start(&program);
    assert_eq!(site.pids(49, &reader), (1..50).collect::<Vec<_>>());
    assert!(journal_file(&site, "b.journal", &export(50, 60)));
    assert_eq!(site.pids(10, &reader), (50..60).collect::<Vec<_>>());
    let killed = Command::new("kill").arg("-9").arg(fs::read_to_string(&pid).unwrap().trim()).status().unwrap();
    assert!(killed.success());
    assert!(journal_file(&site, "c.journal", &export(60, 70)));
    assert_eq!(site.pids(10, &reader), (60..70).collect::<Vec<_>>());
    assert!(reader.status().restarts > 0);
    drop(reader);
    assert!(journal_file(&site, "d.journal", &export(70, 80)));
    site.follower = follow(&site.folder.path().join("spool"), site.position.take());
    let reader = site.start(&program);
    assert_eq!(site.pids(10, &reader), (70..80).collect::<Vec<_>>());
    site.nothing_more();
}

/// Plays the entries after the cursor asked for, each time only some of them, and ends within an entry.
const PLAYER: &str = r#"
after=
for option; do case $option in --after-cursor=*) after=${option#--after-cursor=} ;; esac; done
awk -v RS= -v after="$after" '
    BEGIN { on = (after == "") }
    on { if (n++ == 7) { print $1; exit } print $0 "\n" }
    $1 == "__CURSOR=" after { on = 1 }
' RECORDED
"#;

#[test]
fn a_tool_that_ends_is_started_again_where_it_was() {
    let mut site = Site::new();
    let recorded = site.folder.path().join("recorded");
    fs::write(&recorded, export(1, 20)).unwrap();
    let program = site.script("journalctl", &PLAYER.replace("RECORDED", recorded.to_str().unwrap()));
    let reader = site.start(&program);
    assert_eq!(site.pids(19, &reader), (1..20).collect::<Vec<_>>());
    assert!(reader.status().restarts >= 2, "{:?}", reader.status());
    drop(reader);
    fs::write(&recorded, export(1, 24)).unwrap();
    let reader = site.start(&program);
    assert_eq!(site.pids(4, &reader), (20..24).collect::<Vec<_>>());
    drop(reader);
    site.nothing_more();
}

#[test]
fn what_is_wrong_is_said() {
    let site = Site::new();
    let problem = |program: &Path| {
        let reader = site.start(program);
        let deadline = Instant::now() + GENEROUS;
        while reader.status().problem.is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        let text = reader.status().problem.unwrap();
        text.replace(site.folder.path().to_str().unwrap(), "")
    };
    assert_eq!(
        problem(&site.folder.path().join("none")),
        "/none: no such program: install systemd's journalctl or follow a log file"
    );
    let denied =
        site.script("denied", "echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1");
    assert_eq!(
        problem(&denied),
        "/denied: ended with exit status: 1: No journal files were opened due to insufficient permissions. \
         (join group systemd-journal or run with sudo if it may not read the journal)"
    );
}

#[test]
fn it_stops_at_once() {
    let site = Site::new();
    let program = site.script("journalctl", "exec sleep 600");
    let reader = site.start(&program);
    let (done, stopped) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        drop(reader);
        done.send(()).unwrap();
    });
    stopped.recv_timeout(Duration::from_secs(5)).unwrap();
}
