//! A full disk.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::place::{DEADLINE, Place, Running, lines_of, terminate};

/// A small disk of its own, mounted where the state is, that only this test's programs see.
struct Disk {
    running: Running,
    state: PathBuf,
    /// What it says on standard error.
    said: Receiver<String>,
}

impl Disk {
    const MOUNT: &str = "mount -t tmpfs -o size=16m,mode=700 none \"$0\"";

    /// Follows with the state on such a disk; `None` where nothing can be mounted.
    fn follow(place: &Place) -> Option<Self> {
        let state = place.path("state");
        fs::create_dir(&state).unwrap();
        let mut mount = Command::new("unshare");
        mount.args(["--mount", "sh", "-c", Self::MOUNT]).arg(&state).stderr(Stdio::null());
        if !mount.status().is_ok_and(|status| status.success()) {
            return None;
        }
        let follow = format!("{} && exec \"$1\" follow --timezone UTC --state \"$0\" \"$2\"", Self::MOUNT);
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &follow]).arg(&state).arg(env!("CARGO_BIN_EXE_postfix-insights"));
        command.arg(place.path("mail.log")).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut running = Running(command.spawn().unwrap());
        let said = lines_of(running.0.stderr.take().unwrap());
        Some(Self { running, state, said })
    }

    /// Runs a program that sees the disk.
    fn inside(&self, words: &[&str]) -> String {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.running.0.id().to_string()]).args(words).arg(&self.state);
        String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
    }

    fn all_found(&self, written: usize) {
        let begun = Instant::now();
        let count = [env!("CARGO_BIN_EXE_postfix-insights"), "count", "--quiet", "--state"];
        while self.inside(&count).trim() != written.to_string() {
            assert!(begun.elapsed() < DEADLINE, "not all lines are found");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Takes what room is left, again and again, until it says these words: what the store was just replacing
    /// when the disk was filled frees room later, and all lines might fit into that.
    fn filled_until_it_says(&self, words: &str) {
        let begun = Instant::now();
        loop {
            self.inside(&["sh", "-c", "cat /dev/zero >>\"$0/other\" 2>/dev/null"]);
            match self.said.recv_timeout(Duration::from_millis(100)) {
                Ok(line) if line.contains(words) => return,
                Ok(line) => println!("it says: {line}"),
                Err(end) => assert!(
                    end == RecvTimeoutError::Timeout && begun.elapsed() < DEADLINE,
                    "it does not say {words:?} ({end}); on the disk:\n{}",
                    self.inside(&["sh", "-c", "df \"$0\"; ls -lR \"$0\""])
                ),
            }
        }
    }
}

/// A real full disk: nothing is lost, and it goes on by itself when there is room.
#[test]
fn a_full_disk_is_waited_for() {
    let mut place = Place::new();
    place.write_upto(10);
    let Some(disk) = Disk::follow(&place) else {
        println!("nothing can be mounted here: nothing is tested");
        return;
    };
    disk.all_found(place.written);
    // Not one block is left, however little the store takes.
    disk.inside(&["sh", "-c", "cat /dev/zero >\"$0/other\" 2>/dev/null"]);
    place.write_upto(100);
    disk.filled_until_it_says("the disk is full");
    disk.inside(&["sh", "-c", "rm \"$0/other\""]);
    disk.all_found(place.written);
    terminate(disk.running);
}
