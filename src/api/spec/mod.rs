//! The published document: what poem-openapi says, made into what generators and linters read. The committed file is what
//! is served; `document` is what it must be.

mod examples;
mod node;
mod operations;
mod schemas;

use serde_json::Value;

use self::node::Node;
use super::code::Code;

/// `openapi/openapi.json`, byte for byte.
pub static COMMITTED: &str = include_str!("../../../openapi/openapi.json");

const INTRODUCTION: &str = "\
Parlor is a chat server: people make rooms, post messages that are kept, and follow live what others do.

**Begin.** Make an account with `registerUser`. Sign in with `login`, and send its `access_token` with everything else, as \
`Authorization: Bearer`; when it has expired, `refresh` gives the next. Make a room with `createRoom` or join one with \
`joinRoom`, write with `postMessage`, and read what was written with `listMessages`.

**Follow.** `streamRoomEvents` follows one room and `streamEvents` all of yours, as Server-Sent Events over a connection that \
stays open. Take a snapshot first (`listMessages`, `listMyRooms`) and open the stream `after` its `cursor`: nothing falls in \
between. Each event has its cursor as `id`. When the connection is lost, come back with the last one as `Last-Event-ID` and \
get exactly the rest. `hello` opens a stream, `ping` says that it is quiet, `reset` asks for a new snapshot, and `bye` says \
why it ends and in how many seconds to come back, if at all.

**Promises.** A write that is answered with 2xx is on disk. A stream is the log from a cursor on: no gap, no repeat, no \
reorder, through disconnects and restarts; where that is impossible it says `reset`. Repeating a write under the same `client_id` is harmless.

**Conventions.** A `{room}` is the id of a room, or the name of a public one. What is absent is left out, never null. Times \
are RFC 3339 in UTC with six digits. Ignore fields, types and codes that you do not know: more may come. Requests with \
unknown fields or parameters are refused. Errors are `application/problem+json` (RFC 9457): programs look at `code`.";

/// The document as it follows from the code, with a line end at the end.
pub fn document() -> String {
    let mut document = Node::parse(&super::operations().spec());
    document.set("openapi", Node::text("3.0.3"));
    document.set("info", info());
    document.set("servers", Node::List(vec![Node::map([("url", Node::text("/"))])]));
    without_noise(&mut document);
    document.walk(&mut unwrap);
    operations::finish(&mut document);
    schemas::finish(&mut document);
    add_components(&mut document);
    in_order(document).pretty()
}

fn info() -> Node {
    let license = [("name", Node::text("MIT")), ("url", Node::text("https://opensource.org/license/mit"))];
    Node::map([
        ("title", Node::text("Parlor")),
        ("version", Node::text(env!("CARGO_PKG_VERSION"))),
        ("description", Node::text(INTRODUCTION)),
        ("contact", Node::map([("name", Node::text("The people who run this server"))])),
        ("license", Node::map(license)),
    ])
}

/// Defaults written out, and whole numbers written as fractions.
fn without_noise(document: &mut Node) {
    document.walk(&mut |node| {
        let is_default =
            |node: &Node, key: &str, default: bool| node.get(key) == Some(&Node::Leaf(default.into()));
        for (key, default) in [("explode", true), ("deprecated", false)] {
            if is_default(node, key, default) {
                node.remove(key);
            }
        }
        if let Node::Leaf(Value::Number(number)) = node
            && let Some(fraction) = number.as_f64().filter(|_| number.is_f64())
            && fraction.fract() == 0.0
            && fraction.abs() < 9e15
        {
            #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
            let whole = fraction as i64;
            *node = Node::Leaf(whole.into());
        }
    });
}

/// Descriptions come with the line ends of our comments, which generators would keep in theirs: only paragraphs stay.
fn unwrap(node: &mut Node) {
    if let Some(text) = node.get("description").and_then(Node::as_str) {
        let paragraphs: Vec<_> = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
        node.set("description", Node::text(&paragraphs.join("\n\n")));
    }
}

/// What operations refer to: headers of answers, and one example a problem.
fn add_components(document: &mut Node) {
    let header = |description: &str, kind: &str, example: Value| {
        let schema = Node::map([("type", Node::text(kind))]);
        Node::map([
            ("description", Node::text(description)),
            ("required", Node::Leaf(true.into())),
            ("schema", schema),
            ("example", Node::Leaf(example)),
        ])
    };
    let headers = Node::map([
        (
            "RequestId",
            header("Names this request in the server's log.", "string", examples::REQUEST_ID.into()),
        ),
        ("RetryAfter", header("Seconds to wait before trying again.", "integer", 5.into())),
        ("Authenticate", header("How to sign in.", "string", "Bearer".into())),
    ]);
    let problem = |code: &Code| {
        let example = Node::map([("summary", Node::text(code.title())), ("value", examples::problem(*code))]);
        (code.as_str().to_owned(), example)
    };
    let used: Vec<Code> = operations::codes_of(document);
    let problems = Node::Map(used.iter().map(problem).collect());
    if let Some(components) = document.get_mut("components") {
        components.set("headers", headers);
        components.set("examples", problems);
    }
}

/// Top level in reading order; tags in the order in which operations use them.
fn in_order(mut document: Node) -> Node {
    let mut tags: Vec<Node> = Vec::new();
    let described = document.remove("tags").unwrap_or(Node::List(Vec::new()));
    let paths = document.get("paths").map(Node::entries).unwrap_or_default();
    let operations = paths.iter().flat_map(|(_, path)| path.entries());
    for name in operations.filter_map(|(_, operation)| operation.get("tags")?.elements().first()?.as_str()) {
        let tag =
            described.elements().iter().find(|tag| tag.get("name").and_then(Node::as_str) == Some(name));
        if let Some(tag) = tag.filter(|tag| !tags.contains(tag)) {
            tags.push(tag.clone());
        }
    }
    document.set("tags", Node::List(tags));
    let keys = ["openapi", "info", "servers", "tags", "security", "paths", "components"];
    let part = |key: &str| document.get(key).map(|node| (key.to_owned(), node.clone()));
    Node::Map(keys.into_iter().filter_map(part).collect())
}

#[cfg(test)]
mod tests;
