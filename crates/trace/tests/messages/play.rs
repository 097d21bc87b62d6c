//! Plays lines to a tracer and keeps what it tells of messages.

use trace::{Attempt, Fate, Follow, Limits, Line, Login, Message, Origin, Refusal, Sink, Story, Tracer, Where};

/// What was told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) messages: Vec<Message>,
    pub(crate) stories: Vec<Story>,
}

impl Sink for Told {
    fn attempt(&mut self, _: &Attempt) {}
    fn login(&mut self, _: &Login) {}
    fn refusal(&mut self, _: &Refusal) {}
    fn message_accepted(&mut self, _: &Where, _: &[u8], _: Option<&[u8]>) {}
    fn message(&mut self, message: &Message) {
        self.messages.push(message.clone());
    }
    fn story(&mut self, story: &Story) {
        self.stories.push(story.clone());
    }
}

/// Plays lines, `step` microseconds apart; only those that are wanted, and those about a queue file that is followed.
pub(crate) fn play<T: AsRef<str>>(follow: Follow, step: i64, lines: &[T]) -> Told {
    play_within(follow, Limits::default(), step, lines)
}

pub(crate) fn play_within<T: AsRef<str>>(follow: Follow, limits: Limits, step: i64, lines: &[T]) -> Told {
    let (mut told, mut tracer) = (Told::default(), Tracer::following(follow, limits));
    for (n, text) in lines.iter().enumerate() {
        let record = maillog::record(text.as_ref().as_bytes()).unwrap();
        let event = maillog::event(&record).unwrap_or_else(|| panic!("not understood: {}", text.as_ref()));
        let id = maillog::QueueId::of_text(record.text);
        if Tracer::wants(&event) || follow.wants(&event) || id.is_some_and(|id| tracer.follows(&record, id)) {
            tracer.line(&Line { id: n as u64, time: n as i64 * step, record: &record, event: &event }, &mut told);
        }
    }
    tracer.finish(&mut told);
    told
}

pub(crate) fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A message as [`crate::world::Expected::row`] writes it; `of` names messages by their number.
pub(crate) fn row(message: &Message, of: impl Fn(u64) -> Option<String>) -> String {
    let origin = match &message.origin {
        Origin::Unknown => "unknown",
        Origin::Client(_) => "client",
        Origin::Local { .. } => "local",
        Origin::Notice { .. } => "notice",
        Origin::Forward => "forward",
        Origin::Requeue => "requeue",
        Origin::Internal => "internal",
    };
    let mut recipients: Vec<(String, String, u32, u32)> = message
        .recipients()
        .map(|r| (address(r.to, r.orig_to), format!("{:?}", r.fate), r.tries, r.deferrals))
        .collect();
    recipients.sort();
    format!(
        "{} {} {origin} of {:?} from {:?} id {:?} active {} {} {recipients:?}",
        show(&message.host),
        show(message.queue_id()),
        message.parent.and_then(|link| of(link.message)),
        message.sender().map(show),
        message.message_id().map(show),
        message.activations,
        message.end.name(),
    )
}

/// The two addresses of a recipient, as [`crate::world::Expected`] has them.
fn address(to: &[u8], orig_to: Option<&[u8]>) -> String {
    orig_to.map_or_else(|| show(to), |orig_to| format!("{} for {}", show(to), show(orig_to)))
}

/// All of a story's messages.
pub(crate) fn rows(story: &Story) -> Vec<String> {
    let of = |number: u64| story.message(number).map(|message| show(message.queue_id()));
    story.messages().iter().map(|message| row(message, of)).collect()
}

/// The last fates of a story.
pub(crate) fn fates(story: &Story) -> Vec<(String, Fate)> {
    story.fates().into_iter().map(|(to, fate)| (show(to), fate)).collect()
}
