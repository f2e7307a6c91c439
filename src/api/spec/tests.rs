//! The rules of the document: what generators need, and that nothing of it is stale.

use std::collections::BTreeSet;

use super::node::Node;
use super::{document, schemas};
use crate::api::payload::Input;
use crate::api::wire;

fn parsed() -> Node {
    Node::parse(&document())
}

/// Path, method and operation.
fn operations(document: &Node) -> Vec<(String, Node)> {
    let paths = document.get("paths").unwrap().entries();
    let named = paths.iter().flat_map(|(path, methods)| {
        methods
            .entries()
            .iter()
            .map(move |(method, operation)| (format!("{method} {path}"), operation.clone()))
    });
    named.collect()
}

#[test]
fn every_operation_is_described_with_its_errors() {
    let document = parsed();
    let all = operations(&document);
    let mut ids = BTreeSet::new();
    for (name, operation) in &all {
        for key in ["summary", "description", "operationId"] {
            assert!(
                operation.get(key).and_then(Node::as_str).is_some_and(|text| !text.is_empty()),
                "{name}: {key}"
            );
        }
        assert!(
            ids.insert(operation.get("operationId").and_then(Node::as_str).unwrap()),
            "{name}: repeated id"
        );
        assert_eq!(operation.get("tags").unwrap().elements().len(), 1, "{name}");
        let responses = operation.get("responses").unwrap().entries();
        assert!(responses.iter().any(|(status, _)| status.starts_with('2')), "{name}");
        for (status, response) in responses {
            assert!(status.parse::<u16>().is_ok(), "{name}: {status}");
            assert!(response.at(&["headers", "X-Request-Id"]).is_some(), "{name}: {status}");
            let content = response.get("content");
            if status.starts_with('2') {
                let mut bodies = content.map(Node::entries).unwrap_or_default().iter();
                assert!(
                    bodies.all(|(_, body)| body.get("example").is_some()),
                    "{name}: {status} has no example"
                );
            } else {
                assert!(content.unwrap().get("application/problem+json").is_some(), "{name}: {status}");
            }
        }
        let body = operation.at(&["requestBody", "content", "application/json"]);
        assert!(body.is_none_or(|body| body.get("example").is_some()), "{name}: the body has no example");
    }
}

#[test]
fn only_formats_that_every_generator_reads_are_used() {
    let mut formats = BTreeSet::new();
    parsed().walk(&mut |node| formats.extend(node.get("format").and_then(Node::as_str).map(str::to_owned)));
    assert_eq!(formats.iter().collect::<Vec<_>>(), ["date-time", "int32", "int64", "password", "uuid"]);
}

#[test]
fn a_reference_gets_no_more_than_words_and_only_requests_are_closed() {
    let mut document = parsed();
    let requests = schemas::requests(&document);
    assert!(requests.contains("RoomVisibility") && !requests.contains("Room"));
    for (name, schema) in document.at(&["components", "schemas"]).unwrap().entries() {
        let is_closed = schema.get("additionalProperties").is_some() || schema.get("enum").is_some();
        assert_eq!(is_closed, requests.contains(name), "{name}");
    }
    let mut described = 0;
    document.walk(&mut |node| {
        let Some(parts) = node.get("allOf") else { return };
        described += 1;
        let keys: Vec<_> = node.entries().iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["description", "allOf"]);
        assert!(matches!(parts.elements(), [reference] if reference.get("$ref").is_some()), "{node:?}");
    });
    assert!(described > 0, "what is said beside references is lost");
}

#[test]
fn examples_of_requests_can_be_read() {
    fn reads<T: Input>() {
        let name = T::name();
        let example = super::examples::of(&name).unwrap_or_else(|| panic!("{name} has no example"));
        let text = serde_json::to_string(&example).unwrap();
        assert!(serde_json::from_str::<T>(&text).is_ok(), "{name}: {text}");
    }
    reads::<wire::user::Registration>();
    reads::<wire::user::ProfilePatch>();
    reads::<wire::user::PasswordChange>();
    reads::<wire::session::LoginInput>();
    reads::<wire::session::RefreshInput>();
    reads::<wire::session::LogoutInput>();
    reads::<wire::room::RoomInput>();
    reads::<wire::room::RoomPatch>();
    reads::<wire::member::MemberInput>();
    reads::<wire::message::MessageInput>();
}
