//! `/api/v1/openapi.json`: the API as OpenAPI 3.1, made from the table of routes.

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::json;
use crate::asked::Asked;
use crate::problem::Problem;
use crate::route::{self, Form, Need, Param, Route, Verb, Weight};

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    json(&document(&asked.app.config.base))
}

fn document(base: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in route::all().filter(|route| route.form == Form::Data) {
        let path =
            paths.entry(format!("/{}", route.path.replace("{*subject}", "{subject}"))).or_insert_with(|| json!({}));
        let verb = if route.verb == Verb::Post { "post" } else { "get" };
        if let Some(path) = path.as_object_mut() {
            path.insert(verb.to_owned(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Postfix Insights",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Who cannot log in to a Postfix server, why, and what became of the mail",
            "license": {"name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT"},
        },
        "servers": [{"url": base.strip_suffix('/').filter(|base| !base.is_empty()).unwrap_or("/")}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": problem_schema(), "Entry": entry_schema()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "made with `postfix-insights user token`"},
            },
        },
        // Nothing is asked of those on the machine itself, unless there are users.
        "security": [{}, {"token": []}],
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({"operationId": id(route), "summary": route.summary, "responses": responses(route)});
    let mut parameters: Vec<Value> = Vec::new();
    if route.path.contains('{') {
        parameters.push(
            json!({"name": "subject", "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}}),
        );
    }
    if route.verb == Verb::Get {
        parameters.extend(route.params.iter().map(|param| parameter(*param)));
    }
    if let Some(object) = operation.as_object_mut() {
        object.insert("parameters".to_owned(), parameters.into());
        if route.verb == Verb::Post {
            let properties: Map<String, Value> =
                route.params.iter().map(|param| (param.name().to_owned(), param.schema())).collect();
            let required: Vec<&str> =
                properties.keys().map(String::as_str).filter(|name| *name == Param::Line.name()).collect();
            let schema = json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false});
            let body = json!({"required": true, "content": {"application/x-www-form-urlencoded": {"schema": schema}}});
            object.insert("requestBody".to_owned(), body);
        }
    }
    operation
}

/// `get_api_v1_top`.
fn id(route: &Route) -> String {
    let verb = if route.verb == Verb::Post { "post" } else { "get" };
    let stem = route.path.trim_end_matches("/{*subject}");
    // A list, and one of it.
    let one = if stem != route.path && route::all().any(|other| other.path == stem) { "_one" } else { "" };
    let path = stem.trim_end_matches(".json").replace(['/', '.'], "_");
    format!("{verb}_{path}{one}")
}

fn parameter(param: Param) -> Value {
    let (name, _, meaning) = param.described();
    json!({"name": name, "in": "query", "required": param == Param::Line, "description": meaning, "schema": param.schema()})
}

fn responses(route: &Route) -> Value {
    let problem = |what: &str| json!({"description": what, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}});
    let mut responses = Map::new();
    responses.insert(
        "200".to_owned(),
        json!({"description": route.summary, "content": {route.media: {"schema": schema(route)}}}),
    );
    responses.insert("400".to_owned(), problem("asked wrongly: `at` says where, of a query"));
    responses.insert("421".to_owned(), problem("asked for under a name that is not the server's"));
    responses.insert("500".to_owned(), problem("an error of the server's"));
    responses.insert("503".to_owned(), problem("not now: `Retry-After` says when to ask again"));
    if route.need != Need::Nobody {
        responses.insert("401".to_owned(), problem("nobody is signed in"));
        responses.insert("403".to_owned(), problem("not for this sign-in"));
    }
    if route.verb == Verb::Post {
        responses.insert("413".to_owned(), problem("too long"));
    }
    if route.path.contains('{') || route.weight == Weight::Patient {
        responses.insert("404".to_owned(), problem("there is no such thing"));
    }
    responses.into()
}

fn schema(route: &Route) -> Value {
    let name = route.path.trim_start_matches("api/v1/").split('/').next().unwrap_or_default();
    let keys: &[&str] = match name {
        "entries" => return json!({"type": "array", "items": {"$ref": "#/components/schemas/Entry"}}),
        "audit" => {
            return json!({"type": "array", "items": {"type": "object", "required": ["id", "ts", "user", "client_ip", "asked"]}});
        }
        _ if route.media != "application/json" => return json!({"type": "string"}),
        "count" => &["count"],
        "top" => &["field", "values", "distinct"],
        "histogram" => &["buckets"],
        "triage" => &["coverage", "classes", "causes", "clients", "accounts", "recovered", "relay_denied", "findings"],
        "locked-out" => &["count", "rows"],
        "report" => &["coverage", "messages", "recipients", "deliveries", "rejects"],
        "findings" if route.path.contains('{') => {
            &["id", "kind", "confidence", "summary", "evidence", "next", "tickets"]
        }
        "findings" => &["findings"],
        "client" => &["client", "coverage", "classes", "causes", "checklist", "attempts"],
        "account" => &["account", "classes", "causes", "attempts", "messages"],
        "trace" => &["messages"],
        "explain" => &["explain"],
        "status" => &["entries", "bytes", "days", "sources"],
        _ => &[],
    };
    json!({"type": "object", "required": keys})
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "required": ["error", "status"],
        "properties": {
            "error": {"type": "string"},
            "status": {"type": "integer"},
            "at": {
                "type": "object", "required": ["from", "to"],
                "properties": {"from": {"type": "integer"}, "to": {"type": "integer"}},
                "description": "which characters of the query, counted from 0",
            },
        },
    })
}

/// From the field table.
fn entry_schema() -> Value {
    let field = |field: &query::Field| {
        let (kind, _) = field.kind.described();
        let mut schema = match field.kind {
            query::Kind::Int => json!({"type": "integer"}),
            query::Kind::Real => json!({"type": "number"}),
            query::Kind::Reals => json!({"type": "array", "items": {"type": "number"}}),
            query::Kind::Flag => json!({"type": "boolean"}),
            _ => json!({"type": "string"}),
        };
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".to_owned(), format!("{} ({kind})", field.meaning).into());
        }
        (field.name.to_owned(), schema)
    };
    let properties: Map<String, Value> = query::FIELDS.iter().map(field).collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_for_programs_is_described_once() {
        let document = document("/x/");
        let mut ids = Vec::new();
        for route in route::all().filter(|route| route.form == Form::Data) {
            let path = format!("/{}", route.path.replace("{*subject}", "{subject}"));
            let verb = if route.verb == Verb::Post { "post" } else { "get" };
            let operation = &document["paths"][path.as_str()][verb];
            assert_eq!(operation["summary"], route.summary, "{path}");
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
        }
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all);
        assert_eq!(document["servers"][0]["url"], "/x");
    }
}
