//! The rules of the document: what generators need, and that nothing of it is stale.

use std::collections::BTreeSet;

use super::node::Node;
use super::{COMMITTED, document, schemas};
use crate::api::payload::Input;
use crate::api::wire;

fn parsed() -> Node {
    Node::parse(&document())
}

/// Path, method and operation.
fn operations(document: &Node) -> Vec<(String, Node)> {
    let paths = document.get("paths").unwrap().entries();
    let named = paths.iter().flat_map(|(path, methods)| {
        methods.entries().iter().map(move |(method, operation)| (format!("{method} {path}"), operation.clone()))
    });
    named.collect()
}

fn schema_names(document: &Node) -> Vec<(String, Node)> {
    document.at(&["components", "schemas"]).unwrap().entries().to_vec()
}

#[test]
fn the_committed_document_is_fresh() {
    assert!(document() == COMMITTED, "openapi/openapi.json is stale: run `make openapi`");
}

#[test]
fn every_operation_is_described_with_its_errors() {
    let document = parsed();
    let all = operations(&document);
    let mut ids = BTreeSet::new();
    for (name, operation) in &all {
        for key in ["summary", "description", "operationId"] {
            assert!(operation.get(key).and_then(Node::as_str).is_some_and(|text| !text.is_empty()), "{name}: {key}");
        }
        assert!(ids.insert(operation.get("operationId").and_then(Node::as_str).unwrap()), "{name}: repeated id");
        assert_eq!(operation.get("tags").unwrap().elements().len(), 1, "{name}");
        let responses = operation.get("responses").unwrap().entries();
        assert!(responses.iter().any(|(status, _)| status.starts_with('2')), "{name}");
        for (status, response) in responses {
            assert!(status.parse::<u16>().is_ok(), "{name}: {status}");
            assert!(response.at(&["headers", "X-Request-Id"]).is_some(), "{name}: {status}");
            let content = response.get("content");
            if status.starts_with('2') {
                let mut bodies = content.map(Node::entries).unwrap_or_default().iter();
                assert!(bodies.all(|(_, body)| body.get("example").is_some()), "{name}: {status} has no example");
            } else {
                assert!(content.unwrap().get("application/problem+json").is_some(), "{name}: {status}");
            }
        }
        let body = operation.at(&["requestBody", "content", "application/json"]);
        assert!(body.is_none_or(|body| body.get("example").is_some()), "{name}: the body has no example");
    }
}

#[test]
fn only_request_schemas_are_closed_and_none_serves_both() {
    let document = parsed();
    let (requests, answers) = (schemas::requests(&document), schemas::answers(&document));
    assert!(requests.is_disjoint(&answers), "{:?}", requests.intersection(&answers));
    for (name, schema) in schema_names(&document) {
        assert!(requests.contains(&name) != answers.contains(&name), "{name} is used nowhere");
        let is_object = schema.get("properties").is_some();
        assert_eq!(schema.get("additionalProperties").is_some(), requests.contains(&name) && is_object, "{name}");
        let has_enum = serde_json::to_string(&schema).unwrap().contains("\"enum\"");
        assert!(!has_enum || requests.contains(&name), "{name}: enums only in requests");
    }
}

#[test]
fn shapes_are_those_that_every_generator_reads() {
    let mut document = parsed();
    let names: Vec<String> = schema_names(&document).into_iter().map(|(name, _)| name).collect();
    for name in &names {
        assert!(!["Error", "Client", "Response", "Configuration"].contains(&name.as_str()) && !name.ends_with("Type"));
        assert!(!name.strip_prefix("New").is_some_and(|rest| names.iter().any(|other| other == rest)), "{name}");
    }
    document.walk(&mut |node| {
        for key in ["allOf", "oneOf", "anyOf", "nullable", "discriminator", "explode"] {
            assert!(node.get(key).is_none(), "{key} in {node:?}");
        }
        if let Some(format) = node.get("format").and_then(Node::as_str) {
            assert!(["int32", "int64", "date-time", "password", "uuid"].contains(&format), "{format}");
        }
        if node.get("properties").is_none() && node.get("type").and_then(Node::as_str) == Some("object") {
            panic!("an object without properties: {node:?}");
        }
    });
    for (name, operation) in operations(&document) {
        for parameter in operation.get("parameters").map(Node::elements).unwrap_or_default() {
            let kind = parameter.at(&["schema", "type"]).and_then(Node::as_str);
            assert!(kind.is_some_and(|kind| kind != "array"), "{name}");
        }
    }
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
