//! Messages as `trace --json` and others print them.

use serde_json::{Map, Value, json};
use trace::{FromClient, Message, Origin, Recipient, Story, Try};

use crate::json;
use crate::mask::Mask;
use crate::reading::Read;
use crate::story::{Shown, Told};
use crate::times::rfc3339;

/// What `trace` answers.
pub fn stories(told: &[Told], beyond: usize, read: &Read, mask: Mask) -> Value {
    let messages: Vec<Value> = told.iter().map(|told| story(told, read, mask)).collect();
    json!({"messages": messages, "beyond": beyond, "coverage": json::coverage(read)})
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn name(bytes: &[u8], mask: Mask) -> String {
    mask.name(&text(bytes))
}

/// One mail: what it is by its first queue file, what became of its recipients at last, and all of its queue files.
fn story(told: &Told, read: &Read, mask: Mask) -> Value {
    let story = &told.story;
    let first = story.first();
    let fates: Vec<_> = story.fates().iter().map(|(to, fate)| json::recipient(to, *fate, mask)).collect();
    let files: Vec<Value> = story.messages().iter().map(|message| queue_file(message, told, read, mask)).collect();
    json!({
        "queue_id": text(story.queue_id()),
        "message_id": first.and_then(Message::message_id).map(text),
        "from": first.and_then(Message::sender).map(|sender| name(sender, mask)),
        "ts": first.map(|message| rfc3339(message.first)),
        "client_ip": story.at().and_then(|at| at.client_ip).map(|ip| mask.ip(ip)),
        "username": story.username().map(|username| name(username, mask)),
        "finished": story.is_finished(),
        "recipients": fates.len(),
        "to": fates,
        "queue_files": files,
    })
}

fn queue_file(message: &Message, told: &Told, read: &Read, mask: Mask) -> Value {
    let story = &told.story;
    let personal = if mask.0 { personal(story) } else { Vec::new() };
    let other = |number: u64| {
        let other = story.message(number)?;
        Some((text(&other.host), text(other.queue_id())))
    };
    let link = |link: &trace::Link| {
        let (host, queue_id) = other(link.message)?;
        Some(json!({"kind": link.kind.name(), "host": host, "queue_id": queue_id}))
    };
    let lines: Vec<Value> = message.lines().iter().filter_map(|id| line(told.lines.get(id)?, read, mask)).collect();
    let next = |recipient: &Recipient<'_>| recipient.next.and_then(other).map(|(_, queue_id)| queue_id);
    json!({
        "host": text(&message.host),
        "instance": message.instance().map(text),
        "queue_id": text(message.queue_id()),
        "origin": origin(message, mask),
        "parent": message.parent.as_ref().and_then(link),
        "children": message.children.iter().filter_map(link).collect::<Vec<_>>(),
        "from": message.sender().map(|sender| name(sender, mask)),
        "message_id": message.message_id().map(text),
        "resent_message_id": message.resent_message_id().map(text),
        "size": message.size,
        "nrcpt": message.nrcpt,
        "active": message.activations > 0,
        "activations": message.activations,
        "first": rfc3339(message.first),
        "delivered": message.delivered.map(rfc3339),
        "last": rfc3339(message.last),
        "ended": message.ended.map(rfc3339),
        "end": message.end.name(),
        "stopped": message.stop().map(|stop| json!({
            "by": stop.by.name(), "words": mask.within(&text(stop.words), &personal), "to": stop.to.map(|to| name(to, mask)),
        })),
        "start_missing": message.start_missing(),
        "end_missing": message.end_missing(),
        "recipients": message.recipients().map(|recipient| json!({
            "to": name(recipient.to, mask), "orig_to": recipient.orig_to.map(|to| name(to, mask)),
            "status": recipient.fate.name(), "attempts": recipient.tries, "deferrals": recipient.deferrals,
            "first": rfc3339(recipient.first), "last": rfc3339(recipient.last), "next": next(&recipient),
        })).collect::<Vec<_>>(),
        "recipients_beyond": message.recipients_beyond,
        "attempts": message.tries().map(|attempt| try_row(&attempt, &personal, mask)).collect::<Vec<_>>(),
        "lines": lines,
    })
}

fn try_row(attempt: &Try<'_>, personal: &[String], mask: Mask) -> Value {
    json!({
        "ts": rfc3339(attempt.time), "to": name(attempt.to, mask),
        "orig_to": attempt.orig_to.map(|to| name(to, mask)), "status": attempt.fate.name(), "relay": text(attempt.relay),
        "delay": attempt.delay, "delays": attempt.delays, "dsn": text(attempt.dsn),
        "response": mask.within(&text(attempt.response), personal),
    })
}

fn line(shown: &Shown, read: &Read, mask: Mask) -> Option<Value> {
    let source = read.coverage.sources.get(shown.source)?.name.as_str();
    let text = if mask.0 { "[masked]" } else { shown.text.as_str() };
    Some(json!({"source": source, "line": shown.number, "text": text}))
}

fn origin(message: &Message, mask: Mask) -> Value {
    match &message.origin {
        Origin::Unknown => json!({"kind": "unknown"}),
        Origin::Client(client) => from_client(client, mask),
        Origin::Local { uid } => json!({"kind": "local", "uid": uid}),
        Origin::Notice { what } => json!({"kind": "notice", "what": text(what)}),
        Origin::Forward => json!({"kind": "forward"}),
        Origin::Requeue => json!({"kind": "requeue"}),
        Origin::Internal => json!({"kind": "internal"}),
    }
}

fn from_client(client: &FromClient, mask: Mask) -> Value {
    let mut object = Map::new();
    object.insert("kind".into(), "client".into());
    object.insert("service".into(), crate::subject::service(&client.at).into());
    object.insert("client_ip".into(), client.at.client_ip.map(|ip| mask.ip(ip)).into());
    let host = client.at.client_host.as_deref().map(|host| if mask.0 { "***".to_owned() } else { text(host) });
    object.insert("client_host".into(), host.into());
    object.insert("client_port".into(), client.port.into());
    object.insert("username".into(), client.username.as_deref().map(|username| name(username, mask)).into());
    object.insert("mechanism".into(), client.mechanism.as_deref().map(text).into());
    object.insert("orig_queue_id".into(), client.orig_queue_id.as_deref().map(text).into());
    Value::Object(object)
}

/// The addresses and names of a story, for masking them in texts that quote them.
pub fn personal(story: &Story) -> Vec<String> {
    let mut values = Vec::new();
    for message in story.messages() {
        values.extend([message.sender(), message.sender_before()].into_iter().flatten().map(text));
        values.extend(message.username().map(text));
        values.extend(message.stop().and_then(|stop| stop.to).map(text));
        if let Some(client) = message.client() {
            values.extend(client.at.client_ip.map(|ip| ip.to_string()));
            values.extend(client.at.client_host.as_deref().map(text));
        }
        values.extend(message.recipients().flat_map(|r| std::iter::once(r.to).chain(r.orig_to)).map(text));
    }
    values.sort_unstable();
    values.dedup();
    // The longest first: one may hold another.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values
}
