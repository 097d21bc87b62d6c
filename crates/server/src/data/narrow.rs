//! Answers that are made of everybody's lines, for a viewer who may see the events of some domains: what tells of others is taken out.

use serde_json::{Map, Value};

use crate::access::Scope;

/// Of an account's story: counts of its clients are of all accounts, the checklist tells of everybody's logins, a finding of all who were attacked
/// together, the coverage of all sources.
pub(super) fn account(story: &mut Map<String, Value>, _scope: &Scope) {
    for part in ["coverage", "clients", "checklist", "findings"] {
        story.remove(part);
    }
}

/// Of messages: those sent from these domains, and those of which every recipient is of them.
pub(super) fn trace(answer: &mut Map<String, Value>, scope: &Scope) {
    answer.remove("coverage");
    answer.insert("beyond".to_owned(), 0.into());
    if let Some(Value::Array(messages)) = answer.get_mut("messages") {
        messages.retain(|message| is_own(message, scope));
    }
}

fn is_own(message: &Value, scope: &Scope) -> bool {
    let covers = |name: &str| message.get(name).and_then(Value::as_str).is_some_and(|address| scope.covers(address));
    if covers("from") || covers("username") {
        return true;
    }
    let files = message.get("queue_files").and_then(Value::as_array).into_iter().flatten();
    let mut recipients = files.flat_map(|file| file.get("recipients").and_then(Value::as_array).into_iter().flatten());
    let mut some = false;
    let all = recipients.all(|recipient| {
        some = true;
        let addresses = ["to", "orig_to"].into_iter().filter_map(|name| recipient.get(name).and_then(Value::as_str));
        addresses.into_iter().all(|address| scope.covers(address))
    });
    some && all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_account_tells_of_itself_alone() {
        let story = json!({"account": "x@a.example", "attempts": [], "findings": [{"accounts": ["y@b.example"]}], "clients": [1], "checklist": [2], "coverage": {}});
        let Value::Object(mut story) = story else { panic!("no object") };
        account(&mut story, &Scope::new(&["a.example"]));
        assert_eq!(story.keys().collect::<Vec<_>>(), ["account", "attempts"]);
    }

    #[test]
    fn messages_of_others_are_left_out() {
        let scope = Scope::new(&["a.example"]);
        let own = |from: &str, to: &[&str]| {
            let recipients: Vec<Value> = to.iter().map(|to| json!({"to": to, "orig_to": null})).collect();
            is_own(&json!({"from": from, "username": null, "queue_files": [{"recipients": recipients}]}), &scope)
        };
        assert!(own("x@a.example", &["y@b.example"]) && own("x@b.example", &["y@a.example", "z@a.example"]));
        assert!(!own("x@b.example", &["y@a.example", "z@b.example"]) && !own("x@b.example", &[]));
        assert!(own("a***@a.example", &[]) && !own("x@b.example", &["a***@b.example"]));
    }
}
