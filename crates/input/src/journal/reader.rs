//! Following the journal.
//!
//! Input: what `journalctl --follow` prints, from the entry after the last one in the spool on. Output: the entries as lines in a
//! [`Spool`], each with its cursor: so the place in the journal and what was read of it are written in one go, and an entry is neither
//! lost nor taken twice, whatever is killed.
//!
//! If the tool ends it is started again, after a second and then after twice as long each time, up to a minute.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::export::Lines;
use crate::journal::ARGUMENTS;
use crate::spool::{Spool, SpoolLimits};

const BACK_OFF_MIN: Duration = Duration::from_secs(1);
const BACK_OFF_MAX: Duration = Duration::from_secs(60);
/// How long a thread sleeps before it looks whether it should stop.
const TICK: Duration = Duration::from_millis(200);
/// How much of what the tool complains about is kept.
const COMPLAINT_BYTES_MAX: u64 = 4 << 10;

/// Which journal to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalConfig {
    /// The tool; usually `journalctl`.
    pub program: PathBuf,
    /// More options for it, e.g. `--directory=/var/log/journal/remote`.
    pub options: Vec<OsString>,
    /// If nothing was read before: from the first entry, and not only what comes from now on.
    pub from_start: bool,
}

impl Default for JournalConfig {
    /// The system's own journal, from its start.
    fn default() -> Self {
        Self { program: "journalctl".into(), options: Vec::new(), from_start: true }
    }
}

/// How following goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalStatus {
    /// Entries taken since the start.
    pub entries: u64,
    /// How often the tool was started again.
    pub restarts: u64,
    /// What stands in the way, and how to go on.
    pub problem: Option<String>,
}

/// Follows the journal into a spool. It stops, and the tool with it, when it is dropped.
pub struct JournalReader {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    config: JournalConfig,
    spool: Arc<Mutex<Spool>>,
    stopping: AtomicBool,
    child: Mutex<Option<Child>>,
    entries: AtomicU64,
    restarts: AtomicU64,
    problem: Mutex<Option<String>>,
}

impl JournalReader {
    /// Follows from now on, after the last entry in the spool.
    ///
    /// # Errors
    /// If the spool cannot be opened. That there is no `journalctl` is told by [`JournalReader::status`]: it may be there later.
    pub fn start(config: JournalConfig, folder: &Path, limits: SpoolLimits) -> io::Result<Self> {
        let (spool, cursor) = Spool::open_journal(folder, limits)?;
        let shared = Arc::new(Shared {
            config,
            spool: Arc::new(Mutex::new(spool)),
            stopping: AtomicBool::new(false),
            child: Mutex::default(),
            entries: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            problem: Mutex::default(),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || own.follow(cursor))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The spool, to release what was dealt with.
    #[must_use]
    pub fn spool(&self) -> Arc<Mutex<Spool>> {
        Arc::clone(&self.shared.spool)
    }

    /// How it goes.
    #[must_use]
    pub fn status(&self) -> JournalStatus {
        JournalStatus {
            entries: self.shared.entries.load(Ordering::Relaxed),
            restarts: self.shared.restarts.load(Ordering::Relaxed),
            problem: self.shared.problem.lock().ok().and_then(|problem| problem.clone()),
        }
    }
}

impl Drop for JournalReader {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.kill();
        if let Some(thread) = self.thread.take() {
            // A thread that died has nothing more to say.
            drop(thread.join());
        }
    }
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn kill(&self) {
        if let Ok(mut child) = self.child.lock()
            && let Some(child) = child.as_mut()
        {
            // It may have ended by itself.
            drop(child.kill());
        }
    }

    /// The life of the thread.
    fn follow(&self, mut cursor: Option<String>) {
        let mut pause = BACK_OFF_MIN;
        while !self.is_stopping() {
            let before = self.entries.load(Ordering::Relaxed);
            let result = self.run(&mut cursor);
            if self.is_stopping() {
                return;
            }
            if self.entries.load(Ordering::Relaxed) > before {
                pause = BACK_OFF_MIN;
            }
            self.complain(result.err());
            self.sleep(pause);
            pause = BACK_OFF_MAX.min(pause * 2);
            self.restarts.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn complain(&self, error: Option<io::Error>) {
        let what = match error {
            Some(error) if error.kind() == io::ErrorKind::NotFound => format!(
                "{}: no such program: install systemd's journalctl or follow a log file",
                self.config.program.display()
            ),
            Some(error) => format!("{}: {error}", self.config.program.display()),
            None => format!("{} ended", self.config.program.display()),
        };
        if let Ok(mut problem) = self.problem.lock() {
            *problem = Some(what);
        }
    }

    fn sleep(&self, pause: Duration) {
        let until = std::time::Instant::now() + pause;
        while !self.is_stopping() && std::time::Instant::now() < until {
            std::thread::sleep(TICK.min(pause));
        }
    }

    /// Runs the tool once, to its end.
    fn run(&self, cursor: &mut Option<String>) -> io::Result<()> {
        let (output, complaints) = self.spawn(cursor.as_deref())?;
        // Read beside, so that a talkative tool is not held up.
        let complaints = std::thread::spawn(move || {
            let (mut start, mut all) = (Vec::new(), complaints);
            drop((&mut all).take(COMPLAINT_BYTES_MAX).read_to_end(&mut start));
            drop(io::copy(&mut all, &mut io::sink()));
            String::from_utf8_lossy(&start).trim().replace('\n', "; ")
        });
        let taken = self.take(output, cursor);
        self.kill();
        let ended = self.child.lock().ok().and_then(|mut child| child.take()).map(|mut child| child.wait());
        let complaint = complaints.join().unwrap_or_default();
        taken?;
        match ended {
            Some(Ok(status)) if !status.success() => {
                let hint = "join group systemd-journal or run with sudo";
                Err(io::Error::other(format!(
                    "ended with {status}: {complaint} ({hint} if it may not read the journal)"
                )))
            }
            _ => Ok(()),
        }
    }

    fn spawn(&self, cursor: Option<&str>) -> io::Result<(ChildStdout, std::process::ChildStderr)> {
        let mut command = Command::new(&self.config.program);
        command.args(&self.config.options).arg("--follow");
        match cursor {
            Some(cursor) => command.arg("--no-tail").arg(format!("--after-cursor={cursor}")),
            None if self.config.from_start => command.arg("--no-tail"),
            None => command.arg("--lines=0"),
        };
        command.args(ARGUMENTS).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut slot = self.child.lock().map_err(|_| io::Error::other("a thread died"))?;
        if self.is_stopping() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let mut child = command.spawn()?;
        let pipes = child.stdout.take().zip(child.stderr.take());
        *slot = Some(child);
        pipes.ok_or_else(|| io::Error::other("no output"))
    }

    /// Puts entries into the spool until the tool ends.
    fn take(&self, output: ChildStdout, cursor: &mut Option<String>) -> io::Result<()> {
        let mut lines = Lines::new(output);
        while let Some((line, at)) = lines.entry()? {
            self.put(line, at)?;
            *cursor = Some(String::from_utf8_lossy(at).into_owned());
            self.entries.fetch_add(1, Ordering::Relaxed);
            if let Ok(mut problem) = self.problem.lock() {
                *problem = None;
            }
        }
        Ok(())
    }

    /// Waits until the spool has room; meanwhile the journal keeps what comes.
    fn put(&self, line: &[u8], cursor: &[u8]) -> io::Result<()> {
        loop {
            let mut spool = self.spool.lock().map_err(|_| io::Error::other("a thread died"))?;
            let Err(error) = spool.append_entry(line, cursor) else { return Ok(()) };
            drop(spool);
            if self.is_stopping() {
                return Err(io::Error::other(error));
            }
            if let Ok(mut problem) = self.problem.lock() {
                *problem = Some(error.to_string());
            }
            std::thread::sleep(TICK);
        }
    }
}
