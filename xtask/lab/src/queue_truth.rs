//! What became of each queue file, written down by the side that arranged it and saw it arrive.
//!
//! Input: queue ids from replies, mailboxes, other servers' mail and `postqueue`; fates as the scenario arranged them. Output:
//! the `queue_files` of `truth.json`, and the numbers that a report about the log must show.

use serde::Serialize;

/// Where a queue file came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    /// A client brought it by SMTP.
    Client,
    /// The `sendmail` command brought it.
    Local,
    /// A content filter handed it back, or a before-queue filter handed it on.
    Filter,
    /// `local` forwarded it, by an alias.
    Forward,
    /// `bounce` wrote it.
    Notification,
    /// Another Postfix of ours relayed it.
    Hop,
    /// `postsuper -r` put it through the queue again.
    Requeued,
}

/// How the log leaves a queue file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    /// The queue manager removed it.
    Removed,
    /// `postsuper -d` deleted it.
    Deleted,
    /// `postsuper -r` made another file of it.
    Requeued,
    /// It is on hold.
    Held,
    /// It waits for another try.
    Queued,
}

/// The last that became of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Delivered, or handed on.
    Sent,
    /// To be tried again.
    Deferred,
    /// Returned.
    Bounced,
    /// Deferred until the message was too old, then returned.
    Expired,
    /// Never tried.
    Untried,
}

/// One recipient of a queue file.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct To {
    /// Who it was delivered to.
    pub(crate) to: String,
    /// Who it was addressed to, where an alias made another address of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) orig_to: Option<String>,
    /// The last that became of it.
    pub(crate) status: Status,
    /// How often it was tried: delivery lines. All tries before the last were deferred.
    pub(crate) attempts: u32,
}

/// One queue file, from its first line to its last.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct QueueFile {
    /// The `syslog_name` of the Postfix that has it.
    pub(crate) instance: String,
    /// The host name in the log.
    pub(crate) host: String,
    /// Its queue id.
    pub(crate) queue_id: String,
    /// Where it came from.
    pub(crate) origin: Origin,
    /// The queue id of the file it was made from or about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<String>,
    /// The envelope's sender; empty for notifications.
    pub(crate) sender: String,
    /// As in the header, with its brackets.
    pub(crate) message_id: String,
    /// Whether the queue manager ever took it.
    pub(crate) active: bool,
    /// How the log leaves it.
    pub(crate) end: End,
    /// All recipients.
    pub(crate) recipients: Vec<To>,
}

impl QueueFile {
    /// A file on the lab's usual server that was taken, delivered and removed.
    pub(crate) fn new(queue_id: &str, origin: Origin, sender: &str, message_id: &str) -> QueueFile {
        QueueFile {
            instance: "postfix".to_owned(),
            host: "mail".to_owned(),
            queue_id: queue_id.to_owned(),
            origin,
            parent: None,
            sender: sender.to_owned(),
            message_id: message_id.to_owned(),
            active: true,
            end: End::Removed,
            recipients: Vec::new(),
        }
    }

    /// Made from that file, or about it.
    pub(crate) fn parent(self, queue_id: &str) -> QueueFile {
        QueueFile { parent: Some(queue_id.to_owned()), ..self }
    }

    /// On another Postfix.
    pub(crate) fn on(self, instance: &str, host: &str) -> QueueFile {
        QueueFile { instance: instance.to_owned(), host: host.to_owned(), ..self }
    }

    /// Left by the log in another way.
    pub(crate) fn end(self, end: End) -> QueueFile {
        QueueFile { end, ..self }
    }

    /// Never taken by the queue manager.
    pub(crate) fn never_active(self) -> QueueFile {
        QueueFile { active: false, ..self }
    }

    /// With a recipient, tried so often.
    pub(crate) fn to(self, to: &str, status: Status, attempts: u32) -> QueueFile {
        self.with(to, None, status, attempts)
    }

    /// With a recipient that was delivered at once.
    pub(crate) fn sent(self, to: &str) -> QueueFile {
        self.to(to, Status::Sent, 1)
    }

    /// With a recipient that an alias stands for, delivered at once.
    pub(crate) fn sent_for(self, to: &str, orig_to: &str) -> QueueFile {
        self.with(to, Some(orig_to), Status::Sent, 1)
    }

    fn with(mut self, to: &str, orig_to: Option<&str>, status: Status, attempts: u32) -> QueueFile {
        self.recipients.push(To { to: to.to_owned(), orig_to: orig_to.map(str::to_owned), status, attempts });
        self
    }

    fn has_expired(&self) -> bool {
        self.recipients.iter().any(|recipient| recipient.status == Status::Expired)
    }
}

/// The numbers of `report --json`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// Queue files.
    pub(crate) messages: Messages,
    /// Recipients of queue files, by what became of them last.
    pub(crate) recipients: ByStatus,
    /// Delivery lines by status; `expired` stays 0, as that line is no delivery.
    pub(crate) deliveries: ByStatus,
    /// Refused recipients and mails, all kinds.
    pub(crate) rejects: u32,
}

/// Queue files by what became of them: `received` is the sum of `removed`, `deleted`, `requeued` and `in_queue`.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Messages {
    /// Taken by the queue manager.
    pub(crate) received: u32,
    /// Of these, removed by it.
    pub(crate) removed: u32,
    /// Of those, too old.
    pub(crate) expired: u32,
    /// Taken, and deleted by `postsuper`.
    pub(crate) deleted: u32,
    /// Taken, and made another file by `postsuper`.
    #[serde(skip_serializing_if = "is_none")]
    pub(crate) requeued: u32,
    /// Taken, and still there.
    pub(crate) in_queue: u32,
    /// On hold in the end, taken or not.
    pub(crate) held: u32,
    /// Never taken: on hold from the start, then perhaps deleted.
    pub(crate) never_active: u32,
}

/// Whether there is nothing to tell.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

/// Counts by status.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ByStatus {
    sent: u32,
    deferred: u32,
    bounced: u32,
    expired: u32,
}

impl Report {
    /// Counts files as the program's contract says.
    pub(crate) fn of(files: &[QueueFile], rejects: u32) -> Report {
        let (mut messages, mut recipients, mut deliveries) =
            (Messages::default(), ByStatus::default(), ByStatus::default());
        for file in files {
            messages.add(file);
            for recipient in &file.recipients {
                recipients.add(recipient.status, 1);
                let last = if recipient.status == Status::Expired { Status::Deferred } else { recipient.status };
                deliveries.add(last, recipient.attempts.min(1));
                deliveries.add(Status::Deferred, recipient.attempts.saturating_sub(1));
            }
        }
        Report { messages, recipients, deliveries, rejects }
    }
}

impl Messages {
    fn add(&mut self, file: &QueueFile) {
        self.held += u32::from(file.end == End::Held);
        if !file.active {
            self.never_active += 1;
            return;
        }
        self.received += 1;
        match file.end {
            End::Removed => self.removed += 1,
            End::Deleted => self.deleted += 1,
            End::Requeued => self.requeued += 1,
            End::Held | End::Queued => self.in_queue += 1,
        }
        self.expired += u32::from(file.has_expired());
    }
}

impl ByStatus {
    fn add(&mut self, status: Status, count: u32) {
        match status {
            Status::Sent => self.sent += count,
            Status::Deferred => self.deferred += count,
            Status::Bounced => self.bounced += count,
            Status::Expired => self.expired += count,
            Status::Untried => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_counts_files_recipients_and_tries() {
        let file = |id: &str| QueueFile::new(id, Origin::Client, "a@example.test", "<1@x>");
        let files = [
            file("A").sent("b@x").to("c@x", Status::Bounced, 3),
            file("B").to("b@x", Status::Expired, 4),
            file("C").to("b@x", Status::Deferred, 2).end(End::Queued),
            file("D").to("b@x", Status::Untried, 0).end(End::Held).never_active(),
            file("E").to("b@x", Status::Deferred, 1).end(End::Deleted),
        ];
        let report = Report::of(&files, 2);
        let messages = Messages {
            received: 4,
            removed: 2,
            expired: 1,
            deleted: 1,
            in_queue: 1,
            held: 1,
            never_active: 1,
            ..Messages::default()
        };
        assert_eq!(report.messages, messages);
        assert_eq!(report.recipients, ByStatus { sent: 1, deferred: 2, bounced: 1, expired: 1 });
        assert_eq!(report.deliveries, ByStatus { sent: 1, deferred: 2 + 4 + 2 + 1, bounced: 1, expired: 0 });
        assert_eq!(report.rejects, 2);
    }
}
