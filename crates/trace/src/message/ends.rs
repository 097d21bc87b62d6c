//! How messages leave: the grace after an end, stories that are complete, and what is given up for want of room.

use crate::message::delay::Handle;
use crate::message::files::State;
use crate::message::parts::End;
use crate::message::record::Message;
use crate::message::tracker::Messages;
use crate::message::{Follow, Story};

/// If the log goes on for so long after the last line of a message that never got into the queue, its client has broken off.
const BROKEN_OFF_AFTER: i64 = 600 * 1_000_000;
/// Messages kept for their buffers at most.
const SPARE: usize = 64;

impl Messages {
    /// Whether [`Messages::next_message`] or [`Messages::next_story`] has something.
    #[inline]
    pub(crate) fn has_outcomes(&self) -> bool {
        !self.over.is_empty() || !self.ready.is_empty()
    }

    /// Takes a message that ended: calls `tell` with it, unless only stories are told. Output: whether there was one.
    pub(crate) fn next_message(&mut self, tell: impl FnOnce(&Message)) -> bool {
        let Some(handle) = self.over.pop_front() else { return false };
        if self.follow == Follow::All
            && let Some(file) = self.file(handle)
        {
            tell(&file.message);
        }
        self.put_away(handle);
        true
    }

    /// A story that is complete.
    pub(crate) fn next_story(&mut self) -> Option<Story> {
        self.ready.pop_front()
    }

    /// The log is over: everything is told as it is.
    pub(crate) fn finish(&mut self) {
        let end_of_log = std::mem::replace(&mut self.now, i64::MAX);
        self.release_due();
        while let Some(handle) = self.by_age.pop_front() {
            let Some(file) = self.file(handle).filter(|file| file.state == State::Open) else { continue };
            let (never, unclaimed) = (self.follow.is_all() && file.never_queued(), file.unclaimed);
            // One host's log may end long before another's.
            let heard = self.heard.get(&file.host).filter(|_| self.heard.len() > 1);
            let waited = heard.copied().unwrap_or(end_of_log).saturating_sub(file.message.last) >= BROKEN_OFF_AFTER;
            let broke_off = waited && file.message.client().is_some();
            let taken = file.taken;
            if unclaimed {
                self.release(handle.slot);
                continue;
            }
            if let Some(file) = self.files.get_mut(handle.slot as usize)
                && never
                && file.message.end == End::InQueue
            {
                file.message.end = match (taken, broke_off) {
                    (true, _) => End::InQueue,
                    (false, true) => End::Canceled,
                    (false, false) => End::Missing,
                };
            }
            self.over(handle);
        }
    }

    /// Its queue id is in use again: whatever happened to it is not in the log, unless its end was seen.
    pub(super) fn end_missing(&mut self, slot: u32) {
        let Some(file) = self.files.get_mut(slot as usize) else { return };
        let handle = Handle { slot, number: file.message.number };
        if file.unclaimed {
            self.release(slot);
            return;
        }
        if file.state == State::Open {
            file.message.end = End::Missing;
        }
        self.over(handle);
    }

    /// Gives up the oldest until the bounds hold, but not the one just seen unless it is alone.
    pub(super) fn make_room(&mut self, except: u32) {
        let (mut live, mut bytes) = (self.live, self.bytes);
        while live > self.bounds.messages.max(1) || bytes > self.bounds.bytes {
            let Some(handle) = self.by_age.pop_front() else { return };
            let Some(file) = self.file(handle) else { continue };
            if handle.slot == except && self.by_age.is_empty() {
                self.by_age.push_back(handle);
                return;
            }
            live -= 1;
            bytes = bytes.saturating_sub(file.message.bytes());
            self.give_up(handle);
        }
    }

    fn give_up(&mut self, handle: Handle) {
        let Some(file) = self.files.get_mut(handle.slot as usize) else { return };
        if file.unclaimed {
            self.release(handle.slot);
            return;
        }
        if file.state == State::Open {
            file.message.end = End::GivenUp;
        }
        file.awaits = i64::MIN;
        let (state, story) = (file.state, file.story);
        if matches!(state, State::Open | State::Closing) {
            self.over(handle);
        }
        // Kept for the rest of its story, or over by now: the whole story goes.
        match story {
            Some(story) if state == State::Over => self.tell_story(story),
            None if state == State::Over => self.tell_single(handle.slot),
            _ => {}
        }
    }

    pub(super) fn close(&mut self, now: i64, handle: Handle) {
        self.closing.push(now, handle);
        self.due = self.due.min(self.closing.due());
    }

    /// Of logins' mail alone: it came from this host itself, and may be a copy of one of them.
    pub(super) fn is_unclaimed_yet(&mut self, slot: u32) {
        let Some(file) = self.files.get_mut(slot as usize) else { return };
        file.unclaimed = true;
        let handle = Handle { slot, number: file.message.number };
        self.unclaimed.push(self.now, handle);
        self.due = self.due.min(self.unclaimed.due());
        while self.unclaimed.len() > self.bounds.messages.max(1) {
            let Some(oldest) = self.unclaimed.take_first() else { return };
            self.forget_unclaimed(oldest);
        }
    }

    fn forget_unclaimed(&mut self, handle: Handle) {
        if self.file(handle).is_some_and(|file| file.unclaimed) {
            self.release(handle.slot);
        }
    }

    pub(super) fn release_due(&mut self) {
        while let Some(handle) = self.closing.pop(self.now) {
            let Some(file) = self.file(handle).filter(|file| file.state == State::Closing) else { continue };
            // A message that is told by itself waits for what it was handed to before; a story waits after.
            match file.awaits {
                awaits if self.follow == Follow::All && awaits > self.now => self.linger(awaits, handle),
                _ => self.over(handle),
            }
        }
        while let Some(handle) = self.unclaimed.pop(self.now) {
            self.forget_unclaimed(handle);
        }
        while let Some((due, number, slot)) = self.lingering.first().copied()
            && due <= self.now
        {
            self.lingering.pop_first();
            let handle = Handle { slot, number };
            let Some(file) = self.file(handle) else { continue };
            match (file.state, file.story) {
                (State::Closing, _) => self.over(handle),
                (State::Over, Some(story)) => self.complete(story),
                (State::Over, None) => self.tell_single(slot),
                _ => {}
            }
        }
        let lingering = self.lingering.first().map_or(i64::MAX, |(due, ..)| *due);
        self.due = self.closing.due().min(self.unclaimed.due()).min(lingering);
    }

    /// No more lines are expected of it.
    pub(super) fn over(&mut self, handle: Handle) {
        let Some(file) = self.files.get_mut(handle.slot as usize) else { return };
        file.state = State::Ended;
        let key = file.key;
        if self.keys.get(&key) == Some(&handle.slot) {
            self.keys.remove(&key);
        }
        self.over.push_back(handle);
    }

    /// Takes a story back that has been told.
    pub(crate) fn reuse(&mut self, story: Story) {
        let room = SPARE.saturating_sub(self.spare.len());
        self.spare.extend(story.into_messages().into_iter().filter(|message| !message.is_large()).take(room));
    }

    /// It has been told: its place is free, unless its story goes on.
    fn put_away(&mut self, handle: Handle) {
        let now = self.now;
        let Some(file) = self.files.get_mut(handle.slot as usize).filter(|file| file.message.number == handle.number)
        else {
            return;
        };
        file.state = State::Over;
        let (story, awaits) = (file.story, file.awaits);
        let is_told = self.follow.joins_all() || file.message.username().is_some();
        match story {
            Some(story) => {
                if let Some(joined) = self.stories.get_mut(&story) {
                    joined.open = joined.open.saturating_sub(1);
                }
                self.complete(story);
            }
            None if is_told && awaits > now => self.linger(awaits, handle),
            None if is_told => self.tell_single(handle.slot),
            None => self.release(handle.slot),
        }
    }

    /// Tells a story if all of its files are over and no other is waited for.
    fn complete(&mut self, story: u64) {
        let Some(joined) = self.stories.get(&story).filter(|joined| joined.open == 0) else { return };
        let waits = joined.members.iter().filter_map(|slot| {
            let file = self.files.get(*slot as usize)?;
            (file.awaits > self.now).then_some((file.awaits, Handle { slot: *slot, number: file.message.number }))
        });
        match waits.max_by_key(|(until, _)| *until) {
            Some((until, handle)) => self.linger(until, handle),
            None => self.tell_story(story),
        }
    }

    pub(super) fn linger(&mut self, until: i64, handle: Handle) {
        self.lingering.insert((until, handle.number, handle.slot));
        self.due = self.due.min(until);
    }

    fn tell_single(&mut self, slot: u32) {
        if let Some(message) = self.take(slot) {
            self.ready.push_back(Story::new(vec![message]));
        }
    }

    fn tell_story(&mut self, story: u64) {
        let Some(joined) = self.stories.remove(&story) else { return };
        let messages: Vec<Message> = joined.members.iter().filter_map(|slot| self.take(*slot)).collect();
        if !messages.is_empty() {
            self.ready.push_back(Story::new(messages));
        }
    }

    fn take(&mut self, slot: u32) -> Option<Message> {
        let file = self.files.get_mut(slot as usize)?;
        self.bytes = self.bytes.saturating_sub(file.message.bytes());
        let message = std::mem::replace(&mut file.message, self.spare.pop().unwrap_or_else(Message::new));
        self.bytes += file.message.bytes();
        self.release(slot);
        Some(message)
    }

    pub(super) fn release(&mut self, slot: u32) {
        let Some(file) = self.files.get_mut(slot as usize).filter(|file| file.state != State::Free) else { return };
        file.state = State::Free;
        self.bytes = self.bytes.saturating_sub(file.message.bytes());
        if file.message.is_large() {
            file.message = Message::new();
        }
        self.live -= 1;
        let key = file.key;
        if self.keys.get(&key) == Some(&slot) {
            self.keys.remove(&key);
        }
        self.free.push(slot);
    }
}
