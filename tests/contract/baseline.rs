//! What would break a client of the last release and `redocly diff` does not see: a name that generators make, the order of
//! what they take by place, an open set that was closed, an operation that was open to all.

use serde_json::{Value, json};

use crate::support::{Document, published};

/// What is for readers only.
const WORDS: [&str; 4] = ["description", "summary", "example", "examples"];

/// What would stop a program that was written for the document as it was.
fn broken(was: &Document, is: &Document) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, method, operation) in was.operations() {
        let now = &is.json["paths"][path][method];
        if operation["tags"] != now["tags"] {
            wrong.push(format!("{method} {path}: the tag was {}, is {}", operation["tags"], now["tags"]));
        }
        let (before, after) = (ways_in(was, operation), ways_in(is, now));
        if !after.contains(&json!({})) && !before.iter().all(|way| after.contains(way)) {
            wrong.push(format!("{method} {path}: signing in was {before:?}, is {after:?}"));
        }
        let (before, after) = (names(&operation["parameters"]), names(&now["parameters"]));
        if !after.starts_with(&before) {
            wrong.push(format!("{method} {path}: new parameters stand behind {before:?}, not in {after:?}"));
        }
    }
    for (name, schema) in was.schemas() {
        match is.schemas().get(name) {
            Some(now) => compare(name, schema, now, &mut wrong),
            None => wrong.push(format!("{name}: no schema has this name")),
        }
    }
    compare("", &was.json["paths"], &is.json["paths"], &mut wrong);
    wrong
}

/// The ways to sign in, of which one is wanted; an empty one where nobody needs to.
fn ways_in(document: &Document, operation: &Value) -> Vec<Value> {
    let ways = operation.get("security").unwrap_or(&document.json["security"]).as_array().unwrap();
    if ways.is_empty() { vec![json!({})] } else { ways.clone() }
}

fn names(parameters: &Value) -> Vec<&str> {
    parameters.as_array().into_iter().flatten().filter_map(|parameter| parameter["name"].as_str()).collect()
}

/// Looks at what is in both, side by side.
fn compare(at: &str, was: &Value, is: &Value, wrong: &mut Vec<String>) {
    let (Some(before), Some(after)) = (was.as_object(), is.as_object()) else { return };
    let (refers, now) = (was.get("$ref"), is.get("$ref"));
    if refers.is_some() && now.is_some() && refers != now {
        wrong.push(format!("{at}: was {}, is {}", was["$ref"], is["$ref"]));
    }
    if before.get("type").is_some_and(Value::is_string) {
        if !after.contains_key("type") {
            wrong.push(format!("{at}: was a {}, is a type of its own", was["type"]));
        }
        if !before.contains_key("enum") && after.get("enum").is_some_and(Value::is_array) {
            wrong.push(format!("{at}: was open, is {}", is["enum"]));
        }
    }
    for (key, was) in before.iter().filter(|(key, _)| !WORDS.contains(&key.as_str())) {
        let Some(is) = after.get(key) else { continue };
        compare(&format!("{at}/{key}"), was, is, wrong);
        if let (Some(was), Some(is)) = (was.as_array(), is.as_array()) {
            was.iter().zip(is).for_each(|(was, is)| compare(&format!("{at}/{key}"), was, is, wrong));
        }
    }
}

#[test]
fn what_clients_were_made_of_is_still_called_so() {
    let wrong = broken(&Document::committed("baseline.json"), published());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_change_that_breaks_source_is_noticed() {
    let schemas = published().schemas();
    let renamed = |name: &str| if name == "UserRef" { "Person" } else { name }.to_owned();
    let renamed: Value = schemas.iter().map(|(name, schema)| (renamed(name), schema.clone())).collect();
    let parameters = published().json["paths"]["/v1/rooms"]["get"]["parameters"].as_array().unwrap();
    let backwards: Value = parameters.iter().rev().cloned().collect();
    for (place, change) in [
        ("/paths/~1v1~1users~1me/get/tags/0", json!("Sessions")),
        ("/paths/~1v1~1rooms/get/parameters", backwards),
        ("/paths/~1v1~1server/get/security", json!([{ "bearer": [] }])),
        ("/security", json!([{ "cookie": [] }])),
        ("/components/schemas", renamed),
        ("/components/schemas/Message/properties/author/allOf/0/$ref", json!("#/components/schemas/Author")),
        (
            "/components/schemas/Room/properties/role",
            json!({ "type": "string", "enum": ["owner", "member"] }),
        ),
        ("/components/schemas/Room/properties/role", json!({ "$ref": "#/components/schemas/MemberRole" })),
    ] {
        let mut json = published().json.clone();
        *json.pointer_mut(place).unwrap() = change.clone();
        let changed = Document { text: String::new(), json };
        assert!(!broken(published(), &changed).is_empty(), "{place} may be {change}");
    }
}
