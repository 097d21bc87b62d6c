//! Of what Postfix itself wrote in the recordings, at most one line in a thousand is not understood.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use maillog::{Program, Tag};

const UNKNOWN_PER_THOUSAND_MAX: usize = 1;

/// The logs of every recorded scenario.
fn recordings() -> Vec<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus");
    let folders = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    folders.flat_map(|folder| ["mail.log", "mail-traditional.log"].map(|name| folder.join(name))).collect()
}

fn is_postfix(tag: Tag<'_>) -> bool {
    let program = maillog::program(tag);
    program.is_ours() && !matches!(program, Program::Dovecot | Program::Saslauthd)
}

#[test]
fn postfix_lines_of_the_recordings() {
    let (mut lines, mut unknown) = (0, Vec::new());
    for path in recordings() {
        let log = std::fs::read(&path).unwrap();
        for line in log.split(|byte| *byte == b'\n') {
            let Some(record) = maillog::record(line).filter(|record| is_postfix(record.tag)) else { continue };
            lines += 1;
            if maillog::event(&record).is_none() {
                unknown.push(String::from_utf8_lossy(line).into_owned());
            }
        }
    }
    assert!(lines > 1_000, "{lines} lines of Postfix: are the recordings there?");
    assert!(unknown.len() * 1_000 <= lines * UNKNOWN_PER_THOUSAND_MAX, "of {lines}: {unknown:#?}");
}
