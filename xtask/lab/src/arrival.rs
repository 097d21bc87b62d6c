//! What a mail that arrived says about its way.
//!
//! Input: the text of a mail, from a mailbox or from a server that took it. Output: its Message-ID, and the queue ids it
//! had on Postfix machines, by the `Received:` headers that `cleanup` and `smtpd` put in front of it (Postfix
//! `src/smtpd/smtpd.c`, `src/global/post_mail.c`). So the lab knows queue ids without any log.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// A mail that arrived somewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// As in the header, with its brackets.
    pub(crate) message_id: String,
    /// Queue ids on Postfix machines, the first one first.
    pub(crate) queue_ids: Vec<String>,
    /// The queue id of the message that a notification is about.
    pub(crate) about: Option<String>,
}

impl Arrival {
    /// Reads the header and, of a notification, its delivery report (RFC 3464; the field is Postfix' own).
    pub(crate) fn of(text: &str) -> Arrival {
        let mut arrival = Arrival::default();
        let head = text.split("\n\n").next().unwrap_or_default();
        for field in unfold(head) {
            let Some((name, value)) = field.split_once(':') else {
                continue;
            };
            match name.to_ascii_lowercase().as_str() {
                // The mail that a notification quotes has one too, but not in this header.
                "message-id" => arrival.message_id = value.trim().to_owned(),
                "received" => arrival.queue_ids.extend(queue_id(value)),
                _ => {}
            }
        }
        arrival.queue_ids.reverse();
        let about = text.lines().find_map(|line| line.strip_prefix("X-Postfix-Queue-ID: "));
        arrival.about = about.map(|id| id.trim().to_owned());
        arrival
    }

    /// All mails of a maildir's `new`, in the order of their queue ids.
    pub(crate) fn in_maildir(folder: &Path) -> Result<Vec<Arrival>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).with_context(|| format!("no mailbox {}", folder.display()))? {
            let text = String::from_utf8_lossy(&fs::read(entry?.path())?).into_owned();
            found.push(Arrival::of(&text.replace("\r\n", "\n")));
        }
        found.sort_by(|a, b| a.queue_ids.cmp(&b.queue_ids));
        Ok(found)
    }

    /// The queue id it had last.
    pub(crate) fn last_queue_id(&self) -> Result<&str> {
        self.queue_ids.last().map(String::as_str).with_context(|| format!("{self:?} has no queue id"))
    }
}

/// Header fields, each on one line.
fn unfold(head: &str) -> Vec<String> {
    let mut fields: Vec<String> = Vec::new();
    for line in head.lines() {
        match fields.last_mut() {
            Some(field) if line.starts_with([' ', '\t']) => {
                field.push(' ');
                field.push_str(line.trim());
            }
            _ => fields.push(line.to_owned()),
        }
    }
    fields
}

/// The queue id in a `Received:` header of Postfix; other programs have ids too, which are none of a queue.
fn queue_id(received: &str) -> Option<String> {
    let (_, rest) = received.split_once("(Postfix")?;
    let (_, rest) = rest.split_once(" id ")?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    rest.get(..end).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_ids_stand_in_received_headers() {
        let text = "Received: from mail.example.test\n\tby mail with LMTP\n\tid aBc+D (envelope-from <a@example.test>)\n\
                    Received: from localhost (localhost [127.0.0.1])\n\tby mail.example.test (Postfix) with ESMTP id 4B2\n\
                    \tfor <b@example.test>; Sun, 22 Nov 2026 11:00:00 +0000 (UTC)\n\
                    Received: by mail.example.test (Postfix, from userid 0)\n\tid 4A1; Sun, 22 Nov 2026 10:59:59 +0000\n\
                    Message-ID: <1@client>\n\nReceived: by x (Postfix) id 999\nX-Postfix-Queue-ID: 3F0\n";
        let arrival = Arrival::of(text);
        assert_eq!(arrival.queue_ids, ["4A1", "4B2"]);
        assert_eq!((arrival.message_id.as_str(), arrival.about.as_deref()), ("<1@client>", Some("3F0")));
        assert_eq!(Arrival::of("Subject: x\n\nhello").queue_ids, Vec::<String>::new());
    }
}
