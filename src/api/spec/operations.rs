//! Operations of the document: problems gathered by status, security, headers, examples.

use serde_json::{Map, Value, json};

use super::{examples, in_order_of, reference, take};
use crate::api::code::Code;
use crate::api::events::EVENT_STREAM;
use crate::api::problem::PROBLEM_JSON;
use crate::api::reply::JSON;

/// Every operation may answer so.
const ALWAYS: &[Code] =
    &[Code::InvalidRequest, Code::InvalidParameter, Code::UriTooLong, Code::Internal, Code::TimedOut];
/// Every operation of the versioned API.
const VERSIONED: &[Code] = &[Code::TooManyRequests, Code::Overloaded];
/// Every operation with a parameter in its path: one that is not UTF-8 is found nowhere.
const WITH_PLACE: &[Code] = &[Code::NotFound];
/// Every operation that asks who is calling.
const SIGNED_IN: &[Code] = &[Code::Unauthenticated, Code::CrossOrigin];
/// Every operation with a body.
const WITH_BODY: &[Code] =
    &[Code::InvalidBody, Code::RequestTimeout, Code::BodyTooLarge, Code::UnsupportedMediaType];
/// Every operation that changes something.
const WRITING: &[Code] = &[Code::CrossOrigin, Code::OutcomeUnknown, Code::StorageFull];

/// Finishes all operations and the document's `security`.
pub fn finish(document: &mut Value) {
    let rule = json!([{ "bearer": [] }]);
    for (path, operations) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            add_problems(path, method, operation);
            add_answer_example(operation);
            finish_parameters(path, operation);
            if let Some(body) = operation.get_mut("requestBody") {
                add_body_examples(&mut body["content"]);
            }
            set_security(operation, &rule);
        }
    }
    document["security"] = rule;
}

/// The codes of which the document speaks, in the order of their declaration.
pub fn codes_of(document: &Value) -> Vec<Code> {
    let text = document.to_string();
    let is_used = |code: &Code| text.contains(&format!("\"#/components/examples/{}\"", code.as_str()));
    Code::ALL.iter().copied().filter(is_used).collect()
}

/// Signing in is the rule: only operations that differ say so.
fn set_security(operation: &mut Value, rule: &Value) {
    match operation.get("security") {
        None => operation["security"] = json!([]),
        Some(security) if security == rule => drop(take(operation, "security")),
        Some(_) => {}
    }
}

/// Handlers name their refusals under the code instead of a status (see `fail`); the layers around them add theirs. Here
/// all are gathered under their statuses.
fn add_problems(path: &str, method: &str, operation: &mut Value) {
    let has_body = operation.get("requestBody").is_some();
    let asks_caller = operation["security"].as_array().is_some_and(|any| !any.contains(&json!({})));
    let Some(Value::Object(listed)) = take(operation, "responses") else { return };
    let mut codes: Vec<Code> = listed.keys().filter_map(|key| Code::parse(key)).collect();
    codes.extend(ALWAYS);
    for (applies, more) in [
        (path.starts_with("/v1/"), VERSIONED),
        (path.contains('{'), WITH_PLACE),
        (asks_caller, SIGNED_IN),
        (has_body, WITH_BODY),
        (method != "get", WRITING),
    ] {
        codes.extend(more.iter().filter(|_| applies));
    }
    let mut responses: Map<String, Value> =
        listed.into_iter().filter(|(key, _)| Code::parse(key).is_none()).collect();
    responses.values_mut().for_each(finish_success);
    let mut statuses: Vec<u16> = codes.iter().map(|code| code.status().as_u16()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    for status in statuses {
        let here = Code::ALL.iter().filter(|code| code.status().as_u16() == status && codes.contains(code));
        responses.insert(status.to_string(), problem_answer(status, &here.copied().collect::<Vec<_>>()));
    }
    operation["responses"] = Value::Object(responses);
    // The id reads better at the top than after all answers.
    if let (Some(id), Value::Object(entries)) = (take(operation, "operationId"), operation) {
        entries.shift_insert(0, "operationId".to_owned(), id);
    }
}

fn finish_success(answer: &mut Value) {
    let mut headers = Map::from_iter([("X-Request-Id".to_owned(), reference("headers", "RequestId"))]);
    if let Some(Value::Object(own)) = take(answer, "headers") {
        // poem-openapi writes names in capitals.
        let name = |name: String| {
            if name.eq_ignore_ascii_case("set-cookie") { "Set-Cookie".to_owned() } else { name }
        };
        headers.extend(own.into_iter().map(|(key, header)| (name(key), header)));
    }
    if let Some(content) = answer.get_mut("content") {
        add_body_examples(content);
    }
    answer["headers"] = Value::Object(headers);
}

fn problem_answer(status: u16, codes: &[Code]) -> Value {
    let meanings: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.meaning())).collect();
    let mut headers = json!({ "X-Request-Id": reference("headers", "RequestId") });
    if status == 401 {
        headers["WWW-Authenticate"] = reference("headers", "Authenticate");
    }
    if matches!(status, 429 | 503) {
        headers["Retry-After"] = reference("headers", "RetryAfter");
    }
    let example = |code: &Code| (code.as_str().to_owned(), reference("examples", code.as_str()));
    let examples: Map<String, Value> = codes.iter().map(example).collect();
    let problem = json!({ "schema": reference("schemas", "Problem"), "examples": examples });
    json!({
        "description": meanings.join("\n\n"),
        "headers": headers,
        "content": {
            PROBLEM_JSON: problem,
            // Some generators read typed errors under this media type only, and Swagger UI shows it first. The answer always
            // has the media type above.
            JSON: problem,
        },
    })
}

fn add_body_examples(content: &mut Value) {
    for (media_type, body) in content.as_object_mut().into_iter().flatten() {
        let name = body["schema"]["$ref"].as_str().and_then(|name| name.rsplit('/').next());
        let example = match media_type.as_str() {
            EVENT_STREAM => Some(examples::frames().into()),
            _ => name.and_then(examples::of),
        };
        if let Some(example) = example {
            body["example"] = example;
        }
    }
}

/// An example of what the operation answers, where that of the schema is not it.
fn add_answer_example(operation: &mut Value) {
    let Some(example) = operation["operationId"].as_str().and_then(examples::of_answer) else { return };
    for status in ["200", "201"] {
        if let Some(answer) = operation["responses"].get_mut(status) {
            answer["content"][JSON]["example"] = example.clone();
        }
    }
}

/// Examples, and descriptions where any generator looks for them.
fn finish_parameters(path: &str, operation: &mut Value) {
    let Some(parameters) = operation.get_mut("parameters") else { return };
    for parameter in parameters.as_array_mut().into_iter().flatten() {
        parameter["example"] = match parameter["name"].as_str().unwrap_or_default() {
            "room" | "q" => "lobby".into(),
            "username" if path == "/v1/users/{username}" => "ada".into(),
            "username" => "grace".into(),
            "message" | "around" => examples::MESSAGE_ID.into(),
            "emoji" => examples::EMOJI.into(),
            "session" => examples::SESSION_ID.into(),
            "limit" => 50.into(),
            "max_replay" => 1000.into(),
            "page" => examples::PAGE.into(),
            _ => examples::CURSOR.into(),
        };
        // openapi-python-client takes the words for a parameter from its schema.
        if let Some(text) = parameter.get("description").cloned() {
            parameter["schema"]["description"] = text;
        }
        *parameter = in_order_of(&["name", "in", "description", "required", "schema", "example"], parameter);
    }
}
