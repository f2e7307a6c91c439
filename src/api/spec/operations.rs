//! Operations of the document: problems gathered by status, security, headers, examples.

use serde_json::Value;

use super::examples;
use super::node::Node;
use crate::api::code::Code;
use crate::api::problem::PROBLEM_JSON;
use crate::api::reply::JSON;

/// Every operation may answer so.
const ALWAYS: &[Code] =
    &[Code::InvalidRequest, Code::InvalidParameter, Code::UriTooLong, Code::Internal, Code::TimedOut];
/// Every operation of the versioned API.
const VERSIONED: &[Code] = &[Code::TooManyRequests, Code::Overloaded];
/// Every operation with a parameter in its path, which may be no text.
const WITH_PLACE: &[Code] = &[Code::NotFound];
/// Every operation that asks who is calling.
const SIGNED_IN: &[Code] = &[Code::Unauthenticated, Code::CrossOrigin];
/// Every operation with a body.
const WITH_BODY: &[Code] =
    &[Code::InvalidBody, Code::RequestTimeout, Code::BodyTooLarge, Code::UnsupportedMediaType];
/// Every operation that changes something.
const WRITING: &[Code] = &[Code::CrossOrigin, Code::OutcomeUnknown, Code::StorageFull];

/// Finishes all operations and the document's `security`.
pub fn finish(document: &mut Node) {
    let scheme = |name| Node::map([(name, Node::List(Vec::new()))]);
    let either = Node::List(vec![scheme("bearer"), scheme("cookie")]);
    let Some(paths) = document.get_mut("paths") else { return };
    for (path, operations) in paths.entries_mut() {
        for (method, operation) in operations.entries_mut() {
            add_problems(path, method, operation);
            finish_parameters(path, operation);
            if let Some(content) = operation.get_mut("requestBody").and_then(|body| body.get_mut("content")) {
                add_body_examples(content);
            }
            set_security(operation, &either);
        }
    }
    document.set("security", either);
}

/// The codes of which the document speaks, in the order of their declaration.
pub fn codes_of(document: &Node) -> Vec<Code> {
    let text = document.pretty();
    let is_used = |code: &Code| text.contains(&format!("\"#/components/examples/{}\"", code.as_str()));
    Code::ALL.iter().copied().filter(is_used).collect()
}

/// Signing in is the rule: only operations that differ say so.
fn set_security(operation: &mut Node, rule: &Node) {
    match operation.get("security") {
        None => operation.set("security", Node::List(Vec::new())),
        Some(security) if security == rule => {
            operation.remove("security");
        }
        Some(_) => {}
    }
}

/// Handlers name their refusals under the code instead of a status (see `fail`); the layers around them add theirs. Here
/// all are gathered under their statuses.
fn add_problems(path: &str, method: &str, operation: &mut Node) {
    let has_body = operation.get("requestBody").is_some();
    let asks_caller =
        operation.get("security").is_some_and(|any| !any.elements().contains(&Node::Map(Vec::new())));
    let Some(Node::Map(responses)) = operation.remove("responses") else { return };
    let mut codes: Vec<Code> = responses.iter().filter_map(|(key, _)| Code::parse(key)).collect();
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
    let mut answers: Vec<(String, Node)> =
        responses.into_iter().filter(|(key, _)| Code::parse(key).is_none()).collect();
    for (_, answer) in &mut answers {
        finish_success(answer);
    }
    let mut statuses: Vec<u16> = codes.iter().map(|code| code.status().as_u16()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    for status in statuses {
        let here = Code::ALL.iter().filter(|code| code.status().as_u16() == status && codes.contains(code));
        answers.push((status.to_string(), problem_answer(status, &here.copied().collect::<Vec<_>>())));
    }
    operation.set("responses", Node::Map(answers));
    // The id reads better at the top than after all answers.
    if let (Some(id), Node::Map(entries)) = (operation.remove("operationId"), operation) {
        entries.insert(0, ("operationId".to_owned(), id));
    }
}

fn finish_success(answer: &mut Node) {
    let mut headers = vec![("X-Request-Id".to_owned(), Node::reference("headers", "RequestId"))];
    if let Some(Node::Map(own)) = answer.remove("headers") {
        // poem-openapi writes names in capitals.
        let name = |name: String| {
            if name.eq_ignore_ascii_case("set-cookie") { "Set-Cookie".to_owned() } else { name }
        };
        headers.extend(own.into_iter().map(|(key, header)| (name(key), header)));
    }
    if let Some(content) = answer.get_mut("content") {
        add_body_examples(content);
    }
    answer.set("headers", Node::Map(headers));
}

fn problem_answer(status: u16, codes: &[Code]) -> Node {
    let meanings: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.meaning())).collect();
    let mut headers = vec![("X-Request-Id".to_owned(), Node::reference("headers", "RequestId"))];
    if status == 401 {
        headers.push(("WWW-Authenticate".to_owned(), Node::reference("headers", "Authenticate")));
    }
    if matches!(status, 429 | 503) {
        headers.push(("Retry-After".to_owned(), Node::reference("headers", "RetryAfter")));
    }
    let example = |code: &Code| (code.as_str().to_owned(), Node::reference("examples", code.as_str()));
    let schema = || Node::reference("schemas", "Problem");
    let examples = Node::Map(codes.iter().map(example).collect());
    let content = Node::map([
        (PROBLEM_JSON, Node::map([("schema", schema()), ("examples", examples)])),
        // Some generators read typed errors under this media type only. The answer is always the one above.
        (JSON, Node::map([("schema", schema())])),
    ]);
    Node::map([
        ("description", Node::text(&meanings.join("\n\n"))),
        ("headers", Node::Map(headers)),
        ("content", content),
    ])
}

fn add_body_examples(content: &mut Node) {
    for (_, body) in content.entries_mut() {
        let name =
            body.at(&["schema", "$ref"]).and_then(Node::as_str).and_then(|name| name.rsplit('/').next());
        if let Some(example) = name.and_then(examples::of) {
            body.set("example", example);
        }
    }
}

/// Examples, and descriptions where any generator looks for them.
fn finish_parameters(path: &str, operation: &mut Node) {
    let Some(parameters) = operation.get_mut("parameters") else { return };
    for parameter in parameters.elements_mut() {
        let name = parameter.get("name").and_then(Node::as_str).unwrap_or_default();
        let example: Value = match name {
            "room" | "q" => "lobby".into(),
            "username" if path == "/v1/users/{username}" => "ada".into(),
            "username" => "grace".into(),
            "message" | "around" => examples::MESSAGE_ID.into(),
            "session" => examples::SESSION_ID.into(),
            "limit" => 50.into(),
            "max_replay" => 1000.into(),
            "page" => examples::PAGE.into(),
            _ => examples::CURSOR.into(),
        };
        parameter.set("example", Node::Leaf(example));
        // openapi-python-client takes the words for a parameter from its schema.
        if let (Some(text), Some(schema)) =
            (parameter.get("description").cloned(), parameter.get_mut("schema"))
        {
            schema.set("description", text);
        }
        let keys = ["name", "in", "description", "required", "schema", "example"];
        let part = |key: &str| Some((key.to_owned(), parameter.get(key)?.clone()));
        *parameter = Node::Map(keys.into_iter().filter_map(part).collect());
    }
}
