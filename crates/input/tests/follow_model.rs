//! Whatever is done to a log and its rotated files, each whole line is delivered once, in order, also over restarts.
//!
//! A random list of things that writers and rotation do is done to real files while a follower looks on now and then. The model is a list of
//! the lines of each life of the log (from one rotation to the next). Only `copytruncate` and emptying wait until the follower has seen
//! what was written, where no copy is made: what stands in no file any more nobody can read.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use input::{Batch, Begin, FollowConfig, Follower, Position, Watch};
use proptest::prelude::*;

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
enum Action {
    /// So many whole lines, to the newest file.
    Append(u8),
    /// A line without its end; what is appended next ends it.
    AppendPart,
    /// A daemon that has not noticed the rotation writes a line to the file before.
    AppendLate,
    /// `mail.log` becomes `mail.log.1`, `mail.log.1` becomes `mail.log.2` and so on; a new file is made.
    Rename,
    /// The same, with a date in the name.
    RenameDated,
    CopyTruncate,
    /// `copytruncate` under a writer that keeps its place: NULs stand before its next line.
    CopyTruncateSparse,
    /// The oldest plain rotated file is packed.
    Compress,
    /// The oldest rotated file is deleted, if it was read.
    Delete,
    /// The newest file is replaced by a copy of itself.
    Replace,
    /// Nobody may read the newest file, or everybody again.
    Forbid,
    Allow,
    /// The follower is asked so often.
    Poll(u8),
    /// The follower ends and another one takes up its positions.
    Restart,
}

fn action() -> impl Strategy<Value = Action> {
    use Action::*;
    prop_oneof![
        6 => (1..5u8).prop_map(Append),
        2 => Just(AppendPart),
        2 => Just(AppendLate),
        2 => Just(Rename),
        1 => Just(RenameDated),
        2 => Just(CopyTruncate),
        1 => Just(CopyTruncateSparse),
        2 => Just(Compress),
        1 => Just(Delete),
        1 => Just(Replace),
        1 => Just(Forbid),
        1 => Just(Allow),
        5 => (1..4u8).prop_map(Poll),
        2 => Just(Restart),
    ]
}

/// The files, their lives, and what was delivered of them.
struct World {
    folder: tempfile::TempDir,
    follower: Option<Follower>,
    positions: HashMap<u64, Position>,
    /// Lines of each life that were written whole, in order.
    written: Vec<Vec<String>>,
    delivered: Vec<Vec<String>>,
    /// Rotated files, newest first: path, the life it holds, whether it is packed.
    rotated: Vec<(PathBuf, usize, bool)>,
    /// Open for appending: the file before the newest, as a late daemon has it, and its life.
    late: Option<(File, usize)>,
    life: usize,
    /// The line begun and not ended in the newest file.
    part: Option<String>,
    count: usize,
    days: u32,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            folder: tempfile::tempdir().unwrap(),
            follower: None,
            positions: HashMap::new(),
            written: vec![Vec::new()],
            delivered: vec![Vec::new()],
            rotated: Vec::new(),
            late: None,
            life: 0,
            part: None,
            count: 0,
            days: 0,
        };
        world.restart();
        world
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("mail.log")
    }

    fn open(&self) -> File {
        OpenOptions::new().append(true).create(true).open(self.log()).unwrap()
    }

    fn new_line(&mut self, life: usize) -> String {
        self.count += 1;
        format!(
            "2026-11-22T09:06:30.{:06}+00:00 mail postfix/smtpd[{}]: life {life} line {}",
            self.count, self.count, self.count
        )
    }

    fn append(&mut self, count: u8) {
        let mut text = String::new();
        if let Some(part) = self.part.take() {
            text.push_str(" ended\n");
            self.written[self.life].push(part + " ended");
        }
        for _ in 0..count {
            let line = self.new_line(self.life);
            text.push_str(&line);
            text.push('\n');
            self.written[self.life].push(line);
        }
        self.open().write_all(text.as_bytes()).unwrap();
    }

    /// A life ends with whole lines: `rsyslog` and `postlogd` write them in one go.
    fn end_life(&mut self) {
        if self.part.is_some() {
            self.append(0);
        }
        self.life += 1;
        self.written.push(Vec::new());
        self.delivered.push(Vec::new());
    }

    fn rename(&mut self, dated: bool) {
        if !self.log().exists() {
            return;
        }
        self.end_life();
        self.late = Some((self.open(), self.life - 1));
        self.permit(0o644);
        self.shift();
        let to = if dated { self.dated() } else { self.numbered(1) };
        fs::rename(self.log(), &to).unwrap();
        self.rotated.insert(0, (to, self.life - 1, false));
        File::create(self.log()).unwrap();
    }

    fn numbered(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("mail.log.{number}"))
    }

    fn dated(&mut self) -> PathBuf {
        self.days += 1;
        self.folder.path().join(format!("mail.log-2026{:02}{:02}", 1 + self.days / 28, 1 + self.days % 28))
    }

    /// Makes room for number 1.
    fn shift(&mut self) {
        let folder = self.folder.path().to_owned();
        for at in (0..self.rotated.len()).rev() {
            let (path, _, packed) = &mut self.rotated[at];
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.contains('-') {
                continue;
            }
            let number: usize = name.trim_end_matches(".gz").rsplit('.').next().unwrap().parse().unwrap();
            let to = folder.join(format!("mail.log.{}{}", number + 1, if *packed { ".gz" } else { "" }));
            fs::rename(&*path, &to).unwrap();
            *path = to;
        }
    }

    fn copy_truncate(&mut self, sparse: bool) {
        if !self.log().exists() || self.open().metadata().unwrap().len() == 0 {
            return;
        }
        self.permit(0o644);
        self.end_life();
        self.late = None;
        self.shift();
        let (copy, size) = (self.numbered(1), self.open().metadata().unwrap().len());
        fs::copy(self.log(), &copy).unwrap();
        self.rotated.insert(0, (copy, self.life - 1, false));
        let file = self.open();
        file.set_len(0).unwrap();
        if sparse {
            file.set_len(size).unwrap();
        }
    }

    fn compress(&mut self) {
        let Some((path, life, packed)) = self.rotated.iter_mut().rev().find(|(_, _, packed)| !packed) else { return };
        fs::set_permissions(&*path, fs::Permissions::from_mode(0o644)).unwrap();
        // A daemon that still writes to what is being packed loses its lines, whoever reads.
        if self.late.as_ref().is_some_and(|(_, late)| late == life) {
            self.late = None;
        }
        let to = PathBuf::from(format!("{}.gz", path.display()));
        let mut packer = flate2::write::GzEncoder::new(File::create(&to).unwrap(), flate2::Compression::fast());
        packer.write_all(&fs::read(&*path).unwrap()).unwrap();
        packer.finish().unwrap();
        fs::remove_file(&*path).unwrap();
        (*path, *packed) = (to, true);
    }

    fn delete(&mut self) {
        let Some((path, life, _)) = self.rotated.last().cloned() else { return };
        if self.delivered[life] != self.written[life] {
            return;
        }
        if self.late.as_ref().is_some_and(|(_, late)| *late == life) {
            self.late = None;
        }
        fs::remove_file(path).unwrap();
        self.rotated.pop();
    }

    fn replace(&mut self) {
        self.permit(0o644);
        if self.log().exists() {
            let copy = self.folder.path().join("copy");
            fs::copy(self.log(), &copy).unwrap();
            fs::rename(copy, self.log()).unwrap();
        }
    }

    fn permit(&self, mode: u32) {
        if self.log().exists() {
            fs::set_permissions(self.log(), fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    fn restart(&mut self) {
        self.follower = None;
        let config = FollowConfig {
            begin: Begin::Oldest,
            unended_after: Duration::from_secs(3600),
            retire_after: Duration::from_millis(20),
            poll_every: Duration::from_millis(1),
            ..FollowConfig::new(vec![Watch::Files(self.log())])
        };
        // A new follower numbers its sources anew; older positions of a source are replaced by what it tells.
        let mut resume: Vec<Position> = self.positions.values().cloned().collect();
        resume.sort_by_key(|position| position.offset);
        self.positions = resume.iter().enumerate().map(|(at, p)| (u64::MAX - at as u64, p.clone())).collect();
        self.follower = Some(Follower::new(config, resume));
    }

    /// Takes one batch, if there is one; says whether there was.
    fn poll(&mut self, patience: Duration) -> bool {
        let batch = self.follower.as_mut().unwrap().next(Instant::now() + patience);
        if let Some(batch) = &batch {
            self.take(batch);
        }
        batch.is_some()
    }

    fn take(&mut self, batch: &Batch) {
        if let Some(from) = batch.from() {
            self.positions.retain(|_, position| position != from);
        }
        self.positions.insert(batch.source(), batch.position().clone());
        let mut end = 0;
        for line in batch.lines() {
            assert!(line.offset >= end, "places only grow");
            end = line.offset + line.line.raw.len() as u64;
            let text = String::from_utf8(line.line.raw.to_vec()).unwrap();
            let life: usize = text.split("life ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
            assert_eq!(line.line.line as usize, self.delivered[life].len() + 1, "line number of {text}");
            self.delivered[life].push(text);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Append(count) => self.append(count),
            Action::AppendPart if self.part.is_none() => {
                let line = self.new_line(self.life);
                self.open().write_all(line.as_bytes()).unwrap();
                self.part = Some(line);
            }
            Action::AppendPart => {}
            Action::AppendLate => {
                let Some(life) = self.late.as_ref().map(|(_, life)| *life) else { return };
                let line = self.new_line(life);
                self.late.as_mut().unwrap().0.write_all(format!("{line}\n").as_bytes()).unwrap();
                self.written[life].push(line);
            }
            Action::Rename => self.rename(false),
            Action::RenameDated => self.rename(true),
            Action::CopyTruncate => self.copy_truncate(false),
            Action::CopyTruncateSparse => self.copy_truncate(true),
            Action::Compress => self.compress(),
            Action::Delete => self.delete(),
            Action::Replace => self.replace(),
            // The writer has it open.
            Action::Forbid => self.permit(0o200),
            Action::Allow => self.permit(0o644),
            Action::Poll(count) => {
                for _ in 0..count {
                    self.poll(Duration::from_millis(2));
                }
            }
            Action::Restart => self.restart(),
        }
    }

    fn finish(mut self, actions: &[Action]) {
        self.permit(0o644);
        if self.part.is_some() {
            self.append(0);
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.delivered != self.written && Instant::now() < deadline {
            self.poll(Duration::from_millis(10));
        }
        assert_eq!(self.delivered, self.written, "after {actions:?}");
        // Nothing comes twice afterwards either.
        for _ in 0..2 {
            while self.poll(Duration::from_millis(80)) {}
            assert_eq!(self.delivered, self.written, "after {actions:?} and a restart");
            self.restart();
        }
    }
}

/// More of them: `PROPTEST_CASES=2000`.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_line_once(actions in proptest::collection::vec(action(), 1..40)) {
        let mut world = World::new();
        for action in &actions {
            world.act(*action);
        }
        world.finish(&actions);
    }
}
