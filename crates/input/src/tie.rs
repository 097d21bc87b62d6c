//! Lines of several sources that are of the same time: in which order they go.
//!
//! Input: for each source the lines it is about to tell, by hash. Output: whose line goes next, line by line. A line that stands in several
//! sources goes after what stands before it in any of them: so the copies in `mail.warn` go where `mail.log` has them, though both tell
//! the second only. Otherwise the lines of the source that was added first go first.

use std::cmp::Reverse;
use std::ops::Range;

/// The lines of one time.
#[derive(Debug, Default)]
pub(crate) struct Tie {
    /// Hash, source, and place among all lines that were added.
    lines: Vec<(u64, usize, usize)>,
    /// By source.
    runs: Vec<Run>,
    /// By place: which line it is. The n-th of the same lines is the same one in all sources.
    ids: Vec<usize>,
    /// By line: how many sources that hold it still have others before it.
    behind: Vec<usize>,
    told: Option<usize>,
    order: Vec<usize>,
}

/// The lines of a source that have not had their turn, by place.
#[derive(Debug)]
struct Run {
    source: usize,
    places: Range<usize>,
    length: usize,
}

impl Tie {
    pub(crate) fn clear(&mut self) {
        self.lines.clear();
        self.runs.clear();
    }

    /// Takes in a source's next line. All lines of a source are added one after another.
    #[inline]
    pub(crate) fn add(&mut self, hash: u64, source: usize) {
        let place = self.lines.len();
        self.lines.push((hash, source, place));
        match self.runs.last_mut() {
            Some(run) if run.source == source => {
                run.places.end += 1;
                run.length += 1;
            }
            _ => self.runs.push(Run { source, places: place..place + 1, length: 1 }),
        }
    }

    /// The source of each line in turn. Nothing, if no line stands in several sources: then one source may follow the other.
    pub(crate) fn order(&mut self) -> &[usize] {
        self.order.clear();
        self.lines.sort_unstable();
        let shares = |pair: &[(u64, usize, usize)]| matches!(pair, [a, b] if a.0 == b.0 && a.1 != b.1);
        if self.lines.windows(2).any(shares) {
            self.tell_apart();
            while let Some(at) = self.next() {
                self.tell(at);
            }
        }
        &self.order
    }

    /// Finds out which lines are the same.
    fn tell_apart(&mut self) {
        self.told = None;
        self.behind.clear();
        self.ids.clear();
        self.ids.resize(self.lines.len(), 0);
        for same in self.lines.chunk_by(|a, b| a.0 == b.0) {
            let first = self.behind.len();
            for of_source in same.chunk_by(|a, b| a.1 == b.1) {
                for (id, (.., place)) in (first..).zip(of_source) {
                    match self.behind.get_mut(id) {
                        Some(behind) => *behind += 1,
                        None => self.behind.push(1),
                    }
                    if let Some(slot) = self.ids.get_mut(*place) {
                        *slot = id;
                    }
                }
            }
        }
        for at in 0..self.runs.len() {
            self.arrive(at);
        }
    }

    fn tell(&mut self, at: usize) {
        if let Some(run) = self.runs.get_mut(at) {
            self.order.push(run.source);
            run.places.start += 1;
            self.arrive(at);
        }
    }

    /// A source has come to its next line.
    fn arrive(&mut self, at: usize) {
        let id = self.runs.get(at).and_then(|run| self.id(run));
        if let Some(behind) = id.and_then(|id| self.behind.get_mut(id)) {
            *behind = behind.saturating_sub(1);
        }
    }

    /// Which line is a source's next one.
    fn id(&self, run: &Run) -> Option<usize> {
        self.ids.get(run.places.clone())?.first().copied()
    }

    /// Whose line goes next: one just told, if another source has come to it, too; then the first one that has nothing before it in any
    /// source. If there is none, sources contradict each other, and the first one is right. The source with the most lines tells it first.
    fn next(&mut self) -> Option<usize> {
        let ids = || self.runs.iter().filter_map(|run| self.id(run));
        let is_free = |id: &usize| self.behind.get(*id) == Some(&0);
        let again = ids().find(|id| self.told == Some(*id));
        let told = again.or_else(|| ids().find(is_free)).or_else(|| ids().next());
        let holders = self.runs.iter().enumerate().filter(|(_, run)| told.is_some() && self.id(run) == told);
        let teller = holders.max_by_key(|(at, run)| (run.length, Reverse(*at))).map(|(at, _)| at);
        self.told = told;
        teller
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each source's lines, a letter each; and in which order they go, the first time they are told.
    fn check(sources: &[&str], expected: &str) {
        let mut tie = Tie::default();
        for (source, lines) in sources.iter().enumerate() {
            lines.bytes().for_each(|line| tie.add(line.into(), source));
        }
        let order = tie.order().to_vec();
        let order = if order.is_empty() {
            tie.runs.iter().flat_map(|run| vec![run.source; run.length]).collect()
        } else {
            order
        };
        let mut rest: Vec<_> = sources.iter().map(|lines| lines.chars()).collect();
        let mut told: Vec<String> = vec![String::new(); sources.len()];
        let mut found = String::new();
        for source in order {
            let line = rest[source].next().unwrap();
            told[source].push(line);
            let times = |told: &str| told.matches(line).count();
            if times(&found) < times(&told[source]) {
                found.push(line);
            }
        }
        assert!(rest.iter().all(|rest| rest.as_str().is_empty()), "{sources:?}");
        assert_eq!(found, expected, "{sources:?}");
    }

    #[test]
    fn a_line_goes_after_what_stands_before_it_anywhere() {
        check(&["ab", "c"], "abc");
        check(&["w", "cwd"], "cwd");
        check(&["e", "we", "cwed"], "cwed");
        check(&["cwed", "we", "e"], "cwed");
        check(&["xw", "cwd"], "xcwd");
        // A log cut in two within the second.
        check(&["wv", "awb", "cvd"], "awbcvd");
        check(&["awb", "cvd", "wv"], "awbcvd");
        check(&["awv", "c", "wv"], "awvc");
        // The same line as often as there are.
        check(&["ww", "aw"], "aww");
        check(&["ww", "awbwc"], "awbwc");
        check(&["ww", "wvw", "w"], "wvw");
        // Nobody knows.
        check(&["abx", "ba"], "abx");
    }

    #[test]
    fn who_has_most_to_tell_tells_it() {
        let mut tie = Tie::default();
        [(7, 0), (1, 1), (7, 1)].into_iter().for_each(|(hash, source)| tie.add(hash, source));
        assert_eq!(tie.order(), [1, 1, 0]);
    }
}
