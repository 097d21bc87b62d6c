//! Sessions of which nothing is wanted: most clients of a mail server come and go and try no login.
//!
//! Input: the lines of a block that are wanted, in order. Output: for the line that ends a session, where its start stands, if nothing
//! that is wanted stands in between. Knows less than there is to know (the block's own lines, as many processes as fit), and only leaves
//! more lines in for that.

use maillog::Record;

use crate::line::Worth;

/// Processes followed at the same time; a power of two.
const PROCESSES: usize = 256;

/// What is known of the processes of a block.
pub(crate) struct Quiet<'b> {
    processes: Vec<Process<'b>>,
    /// Nothing is known of any of them.
    blank: bool,
}

#[derive(Clone, Default)]
struct Process<'b> {
    host: &'b [u8],
    tag: &'b [u8],
    pid: u32,
    session: Session,
}

#[derive(Clone, Copy, Default)]
enum Session {
    /// One may be open of which something is wanted.
    #[default]
    Unknown,
    /// None is open.
    Over,
    /// One is open of which nothing but its start is wanted so far.
    Quiet(Passed),
}

/// A session of which nothing is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Where its start stands.
    pub(crate) start: usize,
    /// The session before it may have been open until then.
    pub(crate) ends_another: bool,
}

impl<'b> Quiet<'b> {
    pub(crate) fn new() -> Self {
        Self { processes: vec![Process::default(); PROCESSES], blank: true }
    }

    /// Takes the next line that is wanted, which will stand at `place`. Output: the session that it ends, if nothing is wanted of it.
    #[inline]
    pub(crate) fn see(&mut self, record: &Record<'b>, worth: Worth, place: usize) -> Option<Passed> {
        // About a queue file, whoever's it is: the session is as quiet as before.
        if matches!(worth, Worth::Noted(_)) {
            return None;
        }
        let pid = record.pid?;
        let slot = pid.wrapping_mul(0x9e37_79b9) >> (u32::BITS - PROCESSES.trailing_zeros());
        let process = self.processes.get_mut(slot as usize)?;
        let is_edge = matches!(worth, Worth::Opens | Worth::Closes { .. }) && record.repeat == 1;
        if !is_edge {
            if process.pid == pid {
                process.session = Session::Unknown;
            }
            return None;
        }
        let known = process.pid == pid && process.tag == record.tag.0 && process.host == record.host;
        let before = if known { process.session } else { Session::Unknown };
        let after = match (worth, before) {
            (Worth::Opens, _) => {
                Session::Quiet(Passed { start: place, ends_another: !matches!(before, Session::Over) })
            }
            _ => Session::Over,
        };
        self.blank = false;
        *process = Process { host: record.host, tag: record.tag.0, pid, session: after };
        match (worth, before) {
            (Worth::Closes { tells: false }, Session::Quiet(passed)) => Some(passed),
            _ => None,
        }
    }

    /// A line was found in another way than by its own envelope: it may belong to any process.
    pub(crate) fn forget(&mut self) {
        if !self.blank {
            self.processes.fill(Process::default());
            self.blank = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENS: Worth = Worth::Opens;
    const CLOSES: Worth = Worth::Closes { tells: false };

    /// What is found at each line: the start, and whether it ends another session.
    fn play(lines: &[(&str, Worth)]) -> Vec<Option<(usize, bool)>> {
        let mut quiet = Quiet::new();
        let lines: Vec<(String, Worth)> =
            lines.iter().map(|(tag, worth)| (format!("Jun 17 10:25:14 mail {tag}: x"), *worth)).collect();
        lines
            .iter()
            .enumerate()
            .map(|(place, (line, worth))| {
                quiet
                    .see(&maillog::record(line.as_bytes()).unwrap(), *worth, place)
                    .map(|passed| (passed.start, passed.ends_another))
            })
            .collect()
    }

    #[test]
    fn a_session_between_two_ends() {
        let found = play(&[
            ("a[1]", OPENS),
            ("a[1]", CLOSES),
            ("a[1]", OPENS),
            ("b[2]", Worth::Keep),
            ("a[1]", CLOSES),
            ("a[1]", CLOSES),
        ]);
        assert_eq!(found, [None, Some((0, true)), None, None, Some((2, false)), None]);
        let told = Worth::Closes { tells: true };
        assert_eq!(
            play(&[("a[1]", told), ("a[1]", OPENS), ("a[1]", told), ("a[1]", OPENS), ("a[1]", CLOSES)]),
            [None, None, None, None, Some((3, false))]
        );
    }

    #[test]
    fn what_happens_in_between_counts() {
        for between in [("a[1]", Worth::Keep), ("a[1]", Worth::Unknown), ("b[1]", OPENS), ("a[257]", Worth::Keep)] {
            let found = play(&[("a[1]", CLOSES), ("a[1]", OPENS), between, ("a[1]", CLOSES)]);
            let other = between.0 == "a[257]";
            assert_eq!(found.last(), Some(&other.then_some((1, false))), "{between:?}");
        }
        let noted = ("a[1]", Worth::Noted(1));
        let found = play(&[("a[1]", CLOSES), ("a[1]", OPENS), noted, ("a[1]", CLOSES)]);
        assert_eq!(found.last(), Some(&Some((1, false))));
        assert_eq!(
            play(&[("a[1]", CLOSES), ("a[1]", OPENS), ("a[1]", OPENS), ("a[1]", CLOSES)]),
            [None, None, None, Some((2, true))]
        );
        assert_eq!(play(&[("a[1]", CLOSES), ("b[1]", OPENS), ("b[1]", CLOSES)]), [None, None, Some((1, true))]);
        assert_eq!(play(&[("a", CLOSES), ("a", OPENS), ("a", CLOSES)]), [None; 3]);
    }
}
