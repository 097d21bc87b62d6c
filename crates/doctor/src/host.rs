//! The host that is looked at: its programs, run with an end to their time and output, and its files.
//!
//! A program's name and arguments go in, its output or the reason why there is none comes out. Only programs that read
//! are ever called; their standard input is empty.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// Most output of one program that is read, in bytes.
const OUTPUT_MAX: u64 = 4 << 20;
/// Most of one file that is read, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// Where to look, and for how long. The default is this machine as it is.
#[derive(Clone, Debug)]
pub struct Host {
    /// Postfix' configuration folder, where it is not the built-in one.
    pub postfix_config: Option<PathBuf>,
    /// Dovecot's configuration file, where it is not the built-in one.
    pub dovecot_config: Option<PathBuf>,
    /// fail2ban's configuration folder.
    pub fail2ban_config: PathBuf,
    /// fail2ban's socket, where its configuration does not name it.
    pub fail2ban_socket: Option<PathBuf>,
    /// Folders in which programs are looked for.
    pub programs: Vec<PathBuf>,
    /// How long a program may take, and how long a socket may be silent.
    pub patience: Duration,
}

impl Default for Host {
    fn default() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut programs: Vec<PathBuf> = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
        // Where the programs of a mail server are, and an ordinary user's PATH does not look.
        programs.extend(["/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from));
        Self {
            postfix_config: None,
            dovecot_config: None,
            fail2ban_config: PathBuf::from("/etc/fail2ban"),
            fail2ban_socket: None,
            programs,
            patience: Duration::from_secs(10),
        }
    }
}

/// What a program said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The exit status; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) complaint: String,
}

impl Answer {
    pub(crate) fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// The last thing it complained about, without the warnings before it.
    pub(crate) fn last_complaint(&self) -> &str {
        let lines = || self.complaint.lines().map(str::trim).filter(|line| !line.is_empty());
        lines().rfind(|line| line.to_ascii_lowercase().contains("fatal")).or_else(|| lines().next_back()).unwrap_or("")
    }
}

/// Why a program has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// It is not installed.
    Missing(String),
    /// It did not come to an end in time, and was ended.
    Late(String, Duration),
    /// It could not be run.
    Failed(String, String),
}

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(program) => write!(f, "{program} is not installed here"),
            Self::Late(program, limit) => write!(f, "{program} gave no answer within {} s", limit.as_secs()),
            Self::Failed(program, why) => write!(f, "{program} cannot be run: {why}"),
        }
    }
}

impl Host {
    /// Runs a program that only reads.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, program: &str, arguments: &[S]) -> Result<Answer, NoAnswer> {
        self.run_with(program, arguments, Stdio::null())
    }

    /// The same with something on standard input.
    pub(crate) fn run_with<S: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: &[S],
        input: Stdio,
    ) -> Result<Answer, NoAnswer> {
        let path = self.find(program).ok_or_else(|| NoAnswer::Missing(program.to_owned()))?;
        let failed = |error: std::io::Error| NoAnswer::Failed(program.to_owned(), error.to_string());
        let mut command = Command::new(path);
        command.args(arguments).env("LC_ALL", "C").stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that what it has started ends with it.
        let mut child = command.process_group(0).spawn().map_err(failed)?;
        let output = child.stdout.take().map(read_aside);
        let complaint = child.stderr.take().map(read_aside);
        let end = Instant::now() + self.patience;
        let texts = wait_text(output, end).zip(wait_text(complaint, end));
        let status = texts.is_some().then(|| wait_end(&mut child, end)).flatten();
        let (Some((output, complaint)), Some(status)) = (texts, status) else {
            end_group(&mut child);
            return Err(NoAnswer::Late(program.to_owned(), self.patience));
        };
        Ok(Answer { code: status.code(), output, complaint })
    }

    /// Whether a program is installed.
    pub(crate) fn has(&self, program: &str) -> bool {
        self.find(program).is_some()
    }

    fn find(&self, program: &str) -> Option<PathBuf> {
        self.programs.iter().map(|folder| folder.join(program)).find(|path| path.is_file())
    }

    /// A command line of Postfix', for people.
    pub(crate) fn postconf_words(&self, config: &Path, rest: &str) -> String {
        match &self.postfix_config {
            None if config == Path::new("/etc/postfix") => format!("postconf {rest}"),
            _ => format!("postconf -c {} {rest}", config.display()),
        }
    }

    /// A command line of Dovecot's, for people.
    pub(crate) fn dovecot_words(&self, program: &str, rest: &str) -> String {
        match &self.dovecot_config {
            None => format!("{program} {rest}"),
            Some(config) => format!("{program} -c {} {rest}", config.display()),
        }
    }

    /// Arguments for one of Dovecot's programs.
    pub(crate) fn dovecot_arguments(&self, rest: &[&str]) -> Vec<std::ffi::OsString> {
        let config = self.dovecot_config.iter().flat_map(|config| [OsStr::new("-c").to_owned(), config.into()]);
        config.chain(rest.iter().map(Into::into)).collect()
    }
}

/// The beginning of a file, bytes that are no UTF-8 replaced.
pub(crate) fn read_file(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    // A named pipe would be waited for without end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is no ordinary file"));
    }
    File::open(path)?.take(FILE_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The name of the process with this number, if there is one: the number may belong to another program by now.
pub(crate) fn process_name(pid: &str) -> Option<String> {
    let pid: u32 = pid.trim().parse().ok()?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim().to_owned())
}

/// Reads a pipe beside: a full pipe would stop the program, and an open one would stop us.
fn read_aside(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut pipe = pipe.take(OUTPUT_MAX);
        let _ = pipe.read_to_end(&mut bytes);
        // Nobody waits any more where the program was too slow.
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

fn wait_text(text: Option<Receiver<String>>, end: Instant) -> Option<String> {
    text?.recv_timeout(end.saturating_duration_since(Instant::now())).ok()
}

fn wait_end(child: &mut std::process::Child, end: Instant) -> Option<std::process::ExitStatus> {
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn end_group(child: &mut std::process::Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn host_with(script: &str) -> (tempfile::TempDir, Host) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("tool");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let host =
            Host { programs: vec![folder.path().to_owned()], patience: Duration::from_millis(1500), ..Host::default() };
        (folder, host)
    }

    #[test]
    fn answers() {
        let (_folder, host) = host_with("echo \"got $1\"; echo oops >&2; exit 3");
        let answer = host.run("tool", &["x"]).unwrap();
        assert_eq!(answer, Answer { code: Some(3), output: "got x\n".to_owned(), complaint: "oops\n".to_owned() });
        assert_eq!(host.run("tool2", &["x"]), Err(NoAnswer::Missing("tool2".to_owned())));
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_all_it_started() {
        let (_folder, host) = host_with("sleep 600 & sleep 600");
        assert_eq!(host.run("tool", &["x"]), Err(NoAnswer::Late("tool".to_owned(), host.patience)));
    }

    #[test]
    fn a_program_that_talks_without_end_is_cut() {
        let (_folder, host) = host_with("exec yes");
        // `yes` dies of the closed pipe, so there is an answer, and it is bounded.
        let answer = host.run("tool", &["x"]).unwrap();
        assert_eq!(answer.output.len() as u64, OUTPUT_MAX);
    }

    #[test]
    fn a_program_that_cannot_be_run_is_no_crash() {
        let (folder, host) = host_with("");
        std::fs::set_permissions(folder.path().join("tool"), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(host.run("tool", &["x"]), Err(NoAnswer::Failed(..))));
    }

    #[test]
    fn the_last_fatal_word_counts() {
        let check = |complaint: &str, expected: &str| {
            assert_eq!(Answer { complaint: complaint.to_owned(), ..Answer::default() }.last_complaint(), expected);
        };
        check("", "");
        check("postconf: warning: a\npostconf: fatal: b\n", "postconf: fatal: b");
        check("fatal: b\nwarning: c\n\n", "fatal: b");
        check("one\ntwo", "two");
    }

    #[test]
    fn odd_files_are_errors() {
        assert!(read_file(Path::new("/dev/zero")).is_err());
        assert!(read_file(Path::new("/nowhere/at/all")).is_err());
    }
}
