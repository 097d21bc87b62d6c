//! Which sources are copies of others: given twice, packed besides, or copied while it grew.
//!
//! Two sources that start with the same 4 KiB are compared to the end of the shorter one. Only if that one is the start of the other, it
//! is a copy. A source that merely starts alike never is.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::look::FINGERPRINT_BYTES;
use crate::open;

/// What identity is told by.
pub(crate) struct Candidate<'a> {
    pub(crate) path: &'a Path,
    /// Device and inode.
    pub(crate) place: (u64, u64),
    pub(crate) head: &'a [u8],
}

/// For each candidate the index of the one it is a copy of.
pub(crate) fn copies(candidates: &[Option<Candidate<'_>>]) -> Vec<Option<usize>> {
    let mut of = vec![None; candidates.len()];
    for (later, candidate) in candidates.iter().enumerate() {
        for (earlier, other) in candidates.iter().enumerate().take(later) {
            let (Some(candidate), Some(other)) = (candidate, other) else { continue };
            if of.get(earlier).is_some_and(Option::is_some) || of.get(later).is_some_and(Option::is_some) {
                continue;
            }
            match compare(other, candidate) {
                Relation::FirstCovers => set(&mut of, later, earlier),
                Relation::SecondCovers => set(&mut of, earlier, later),
                Relation::Different => {}
            }
        }
    }
    // A copy of a copy is a copy of what that one is a copy of.
    let direct = of.clone();
    of.iter().map(|of| of.map(|target| root(&direct, target))).collect()
}

fn root(of: &[Option<usize>], from: usize) -> usize {
    (0..of.len()).fold(from, |at, _| of.get(at).copied().flatten().unwrap_or(at))
}

fn set(of: &mut [Option<usize>], copy: usize, original: usize) {
    if let Some(slot) = of.get_mut(copy) {
        *slot = Some(original);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Relation {
    Different,
    FirstCovers,
    SecondCovers,
}

fn compare(first: &Candidate<'_>, second: &Candidate<'_>) -> Relation {
    if first.place == second.place {
        return Relation::FirstCovers;
    }
    let common = first.head.len().min(second.head.len());
    if common == 0 || first.head.get(..common) != second.head.get(..common) {
        return Relation::Different;
    }
    if common < FINGERPRINT_BYTES {
        // The whole of the shorter one has been compared.
        return if first.head.len() >= second.head.len() { Relation::FirstCovers } else { Relation::SecondCovers };
    }
    contents(first.path, second.path).unwrap_or(Relation::Different)
}

/// Compares as far as both can be read.
fn contents(first: &Path, second: &Path) -> Option<Relation> {
    let open = |path: &Path| open::open_file(path, &Arc::default()).ok();
    let (mut first, mut second) = (open(first)?.reader, open(second)?.reader);
    let (mut a, mut b) = (vec![0; 256 << 10], vec![0; 256 << 10]);
    loop {
        let (x, y) = (filled(&mut first, &mut a), filled(&mut second, &mut b));
        let common = x.min(y);
        if a.get(..common) != b.get(..common) {
            return Some(Relation::Different);
        }
        if common < a.len() {
            return Some(if x >= y { Relation::FirstCovers } else { Relation::SecondCovers });
        }
    }
}

/// Fills the buffer as far as the source goes; damage counts as its end.
fn filled(reader: &mut impl Read, buffer: &mut [u8]) -> usize {
    let mut count = 0;
    while let Some(room) = buffer.get_mut(count..).filter(|room| !room.is_empty()) {
        match reader.read(room) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    count
}
