//! The published document: that of poem-openapi, changed so that generators and linters read it rightly. The committed file is
//! served; `document` makes what it must contain.

mod examples;
mod operations;
mod schemas;

use serde_json::{Map, Value, json};

use super::code::Code;

/// `openapi/openapi.json`, byte for byte.
pub static COMMITTED: &str = include_str!("../../../openapi/openapi.json");

/// The beginning of the document. The first mention of an operation is completed by its method and path.
const INTRODUCTION: &str = "\
Parlor is a chat server: people make rooms, post messages that are kept, and follow live what others do.

**Begin.** Make an account with `registerUser`. Sign in with `login`, and send its `access_token` with everything else, as \
`Authorization: Bearer`; when it has expired, `refresh` gives the next. Make a room with `createRoom` or join one with \
`joinRoom`, write with `postMessage`, and read what was written with `listMessages`.

**Follow.** `streamRoomEvents` follows one room and `streamEvents` all of yours, as Server-Sent Events over a connection that \
stays open. Take a snapshot first with `listMessages` or `listMyRooms` and open the stream `after` its `cursor`: nothing falls in \
between. Each event has its cursor as `id`. When the connection is lost, come back with the last one as `Last-Event-ID` and \
get exactly the rest. `hello` opens a stream, `ping` says that it is quiet, `reset` asks for a new snapshot, and `bye` says \
why it ends and in how many seconds to come back, if at all.

**Change.** An author changes a message with `editMessage`; its author and owners of the room take it away with `deleteMessage`. An \
answer names in `reply_to` what it answers, and `listReplies` has all answers to one message. `addReaction` and `removeReaction` are for \
emoji, `pinMessage` is for what should stay in sight. Each is an event with the whole message, or with how many people react now. A text that \
was edited or deleted is shown nowhere any more: an event that is replayed has the text of now, and all else as it was then.

**Promises.** A write that is answered with 2xx is on disk. A stream is the log from a cursor on: no gap, no repeat, no \
reorder, through disconnects and restarts; where that is impossible it says `reset`. Repeating a write under the same `client_id` is harmless.

**Conventions.** A `{room}` is the id of a room, or the name of a public one. What is absent is left out of answers, never \
null; in requests, null for a field that may be absent means that it is absent. Ids are read in upper and lower case, and \
written in lower case. Times are RFC 3339 in UTC with six digits. Ignore fields, types and codes that you do not know: more may \
come. Requests with unknown fields or parameters are refused. Errors are `application/problem+json` (RFC 9457): programs look at `code`.

**Cookies.** A page of the server's own origin can keep its tokens where script cannot read them: `login` with \
`transport: cookie` sets them as cookies. Every operation then takes the access token from its cookie when there is no \
`Authorization: Bearer`, and `refresh` takes the refresh token from the other when it is sent `{}`. The cookies are called \
`__Host-parlor_access` and `__Host-parlor_refresh`; on plain http, which works on loopback only, `parlor_access_` and \
`parlor_refresh_` and the port. A request with a cookie that comes from another origin is refused.";

/// The document as it follows from the code, with a line end at the end.
pub fn document() -> String {
    let spec = super::operations().spec();
    let mut document: Value = serde_json::from_str(&spec).expect("poem-openapi writes JSON");
    document["openapi"] = json!("3.0.3");
    document["info"] = info(&document);
    document["servers"] = json!([{ "url": "/" }]);
    walk(&mut document, &mut without_noise);
    walk(&mut document, &mut unwrap);
    operations::finish(&mut document);
    schemas::finish(&mut document);
    add_components(&mut document);
    let document = in_order(document);
    serde_json::to_string_pretty(&document).expect("keys of JSON are texts") + "\n"
}

fn info(document: &Value) -> Value {
    let mut introduction = INTRODUCTION.to_owned();
    for (path, method, operation) in each_operation(document) {
        let id = format!("`{}`", operation["operationId"].as_str().unwrap_or_default());
        introduction = introduction.replacen(&id, &format!("{id} (`{} {path}`)", method.to_uppercase()), 1);
    }
    json!({
        "title": "Parlor",
        "version": env!("CARGO_PKG_VERSION"),
        "description": introduction,
        "contact": { "name": "The people who run this server" },
        "license": { "name": "MIT", "url": "https://opensource.org/license/mit" },
    })
}

/// Path, method and operation.
fn each_operation(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path, method, operation))
    })
}

/// Calls `visit` on every value, children first.
fn walk(value: &mut Value, visit: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| walk(element, visit)),
        Value::Object(entries) => entries.values_mut().for_each(|entry| walk(entry, visit)),
        _ => {}
    }
    visit(value);
}

/// Removes a key without disturbing the order of the others.
fn take(value: &mut Value, key: &str) -> Option<Value> {
    value.as_object_mut()?.shift_remove(key)
}

/// `{"$ref": "#/components/KIND/NAME"}`
fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

/// Removes defaults that are written out, and writes whole numbers without a fraction.
fn without_noise(value: &mut Value) {
    for (key, default) in [("explode", true), ("deprecated", false)] {
        if value.get(key) == Some(&json!(default)) {
            take(value, key);
        }
    }
    if let Value::Number(number) = value
        && let Some(fraction) = number.as_f64().filter(|_| number.is_f64())
        && fraction.fract() == 0.0
        && fraction.abs() < 9e15
    {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
        let whole = fraction as i64;
        *value = whole.into();
    }
}

/// Descriptions come with the line ends of our comments, which generators would keep in theirs: only paragraphs stay.
fn unwrap(value: &mut Value) {
    if let Some(Value::String(text)) = value.get_mut("description") {
        let paragraphs: Vec<_> = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
        *text = paragraphs.join("\n\n");
    }
}

/// What operations refer to: headers of answers, and one example a problem.
fn add_components(document: &mut Value) {
    let header = |description: &str, kind: &str, example: Value| json!({ "description": description, "required": true, "schema": { "type": kind }, "example": example });
    let headers = json!({
        "RequestId": header("Names this request in the server's log.", "string", examples::REQUEST_ID.into()),
        "RetryAfter": header("Seconds to wait before trying again.", "integer", 5.into()),
        "Authenticate": header("How to sign in.", "string", "Bearer".into()),
    });
    let problem = |code: Code| {
        let example = json!({ "summary": code.title(), "value": examples::problem(code) });
        (code.as_str().to_owned(), example)
    };
    let problems: Map<String, Value> = operations::codes_of(document).into_iter().map(problem).collect();
    document["components"]["headers"] = headers;
    document["components"]["examples"] = Value::Object(problems);
}

/// Top level in reading order; tags in the order in which operations use them.
fn in_order(mut document: Value) -> Value {
    let described = take(&mut document, "tags").unwrap_or_default();
    let mut tags: Vec<Value> = Vec::new();
    for (_, _, operation) in each_operation(&document) {
        let mut of_operation =
            described.as_array().into_iter().flatten().filter(|tag| tag["name"] == operation["tags"][0]);
        if let Some(tag) = of_operation.next().filter(|tag| !tags.contains(tag)) {
            tags.push(tag.clone());
        }
    }
    document["tags"] = tags.into();
    in_order_of(&["openapi", "info", "servers", "tags", "security", "paths", "components"], &document)
}

/// The entries with these keys, in their order.
fn in_order_of(keys: &[&str], value: &Value) -> Value {
    let entry = |key: &&str| Some(((*key).to_owned(), value.get(*key)?.clone()));
    Value::Object(keys.iter().filter_map(entry).collect())
}

#[cfg(test)]
mod tests;
