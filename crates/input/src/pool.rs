//! Threads: one reads a source, some find its lines, the caller takes the blocks in order.
//!
//! A source owns a fixed number of blocks, so memory is bounded: the reader waits until the caller has given one back. While the caller
//! waits for its next block it finds lines like any worker.

use std::collections::BTreeMap;
use std::io::Read;

use crossbeam_channel::{Receiver, Sender, unbounded};
use maillog::Record;

use crate::block::{Block, Detail};
use crate::line::Worth;
use crate::reader::{Broken, Reader};

/// A block whose lines are to be found.
pub(crate) struct Job {
    block: Block,
    number: u64,
    detail: Detail,
    reply: Sender<Reply>,
}

enum Reply {
    Parsed(u64, Block),
    /// How many blocks there were, what broke, and a block that was not needed.
    Ended(u64, Option<Broken>, Option<Block>),
    /// A worker died over a block: the caller must not wait for it.
    Lost,
}

/// Reports a block as lost unless told otherwise.
struct Watch(Option<Sender<Reply>>);

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(reply) = self.0.take() {
            drop(reply.send(Reply::Lost));
        }
    }
}

/// What finding lines needs; shared by all threads.
pub(crate) struct Workshop<'w> {
    pub(crate) jobs: Receiver<Job>,
    /// Nothing ever comes from here; it closes when the feed is over.
    pub(crate) closing: Receiver<()>,
    pub(crate) worth: &'w (dyn Fn(&Record<'_>) -> Worth + Sync),
    pub(crate) hasher: foldhash::quality::RandomState,
}

impl Workshop<'_> {
    /// The life of a worker: ends when the feed is over, though the reader of a silent stream could still hand in jobs.
    pub(crate) fn work(&self) {
        loop {
            crossbeam_channel::select! {
                recv(self.jobs) -> job => match job {
                    Ok(job) => self.find(job),
                    Err(_) => return,
                },
                recv(self.closing) -> _ => return,
            }
        }
    }

    fn find(&self, mut job: Job) {
        let mut watch = Watch(Some(job.reply.clone()));
        job.block.parse(job.detail, self.worth, &self.hasher);
        watch.0 = None;
        // Fails only if the caller has lost interest.
        drop(job.reply.send(Reply::Parsed(job.number, job.block)));
    }
}

/// How a source is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) live: bool,
    pub(crate) detail: Detail,
    pub(crate) block_bytes: usize,
    pub(crate) blocks: usize,
}

/// The life of a source's reader thread.
pub(crate) struct Feeder {
    manner: Manner,
    free: Receiver<Option<Block>>,
    jobs: Sender<Job>,
    reply: Sender<Reply>,
}

impl Feeder {
    pub(crate) fn run(self, input: impl Read) {
        let mut reader = Reader::new(input, self.manner.live);
        let (mut number, mut unused) = (0, None);
        while let Ok(spare) = self.free.recv() {
            let mut block = spare.unwrap_or_default();
            if !reader.fill(&mut block, self.manner.block_bytes) {
                unused = Some(block);
                break;
            }
            let job = Job { block, number, detail: self.manner.detail, reply: self.reply.clone() };
            if self.jobs.send(job).is_err() {
                return;
            }
            number += 1;
        }
        drop(self.reply.send(Reply::Ended(number, reader.broken, unused)));
    }
}

/// The caller's end of a source: its blocks, in order.
pub(crate) struct Stream {
    replies: Receiver<Reply>,
    free: Sender<Option<Block>>,
    unclaimed: Receiver<Option<Block>>,
    early: BTreeMap<u64, Block>,
    next: u64,
    end: Option<u64>,
    pub(crate) broken: Option<Broken>,
}

/// Makes both ends. `spare` blocks of earlier sources are used before new ones are made.
pub(crate) fn stream(manner: Manner, jobs: Sender<Job>, spare: &mut Vec<Block>) -> (Feeder, Stream) {
    let (reply, replies) = unbounded();
    let (give, free) = unbounded();
    for _ in 0..manner.blocks {
        drop(give.send(spare.pop()));
    }
    let stream = Stream {
        replies,
        free: give,
        unclaimed: free.clone(),
        early: BTreeMap::new(),
        next: 0,
        end: None,
        broken: None,
    };
    (Feeder { manner, free, jobs, reply }, stream)
}

impl Stream {
    /// The next block, in order; `None` at the end.
    pub(crate) fn next(&mut self, workshop: &Workshop<'_>) -> Option<Block> {
        loop {
            if let Some(block) = self.early.remove(&self.next) {
                self.next += 1;
                return Some(block);
            }
            if self.end == Some(self.next) {
                return None;
            }
            match self.replies.try_recv() {
                Ok(reply) => self.take(reply),
                Err(crossbeam_channel::TryRecvError::Disconnected) => return None,
                Err(crossbeam_channel::TryRecvError::Empty) => self.wait_or_help(workshop),
            }
        }
    }

    fn wait_or_help(&mut self, workshop: &Workshop<'_>) {
        crossbeam_channel::select! {
            recv(self.replies) -> reply => if let Ok(reply) = reply { self.take(reply) },
            recv(workshop.jobs) -> job => if let Ok(job) = job { workshop.find(job) },
        }
    }

    fn take(&mut self, reply: Reply) {
        match reply {
            Reply::Parsed(number, block) => drop(self.early.insert(number, block)),
            // The panic goes on when the threads are joined.
            Reply::Lost => self.end = Some(self.next),
            Reply::Ended(blocks, broken, unused) => {
                self.end.get_or_insert(blocks);
                self.broken = broken;
                if let Some(block) = unused {
                    self.recycle(block);
                }
            }
        }
    }

    /// Gives a block back to be filled again.
    pub(crate) fn recycle(&self, block: Block) {
        drop(self.free.send(Some(block)));
    }

    /// Takes the blocks back for the next source.
    pub(crate) fn reclaim(&self, spare: &mut Vec<Block>) {
        spare.extend(self.unclaimed.try_iter().flatten());
    }
}
