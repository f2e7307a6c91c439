//! The rules of the document: what generators need, and that nothing of it is stale.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{each_operation, schemas, walk};
use crate::api::payload::Input;
use crate::api::wire;

fn document() -> Value {
    serde_json::from_str(&super::document()).unwrap()
}

#[test]
fn every_operation_is_described_with_its_errors() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (path, method, operation) in each_operation(&document) {
        let name = format!("{method} {path}");
        for key in ["summary", "description", "operationId"] {
            assert!(operation[key].as_str().is_some_and(|text| !text.is_empty()), "{name}: {key}");
        }
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{name}: repeated id");
        assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{name}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{name}");
        for (status, response) in responses {
            assert!(status.parse::<u16>().is_ok(), "{name}: {status}");
            assert!(response["headers"].get("X-Request-Id").is_some(), "{name}: {status}");
            let content = &response["content"];
            if status.starts_with('2') {
                let mut bodies = content.as_object().into_iter().flatten();
                assert!(
                    bodies.all(|(_, body)| body.get("example").is_some()),
                    "{name}: {status} has no example"
                );
            } else {
                let [problem, json] =
                    ["application/problem+json", "application/json"].map(|media| &content[media]);
                assert!(
                    problem["examples"].as_object().is_some_and(|all| !all.is_empty()),
                    "{name}: {status}"
                );
                assert_eq!(problem, json, "{name}: {status}");
            }
        }
        let body = operation["requestBody"]["content"].get("application/json");
        assert!(body.is_none_or(|body| body.get("example").is_some()), "{name}: the body has no example");
    }
}

#[test]
fn the_introduction_names_operations_with_their_method_and_path_at_first_mention() {
    let document = document();
    let introduction = document["info"]["description"].as_str().unwrap();
    let mut named = 0;
    for (path, method, operation) in each_operation(&document) {
        let id = operation["operationId"].as_str().unwrap();
        let address = format!(" (`{} {path}`)", method.to_uppercase());
        if let Some((_, rest)) = introduction.split_once(&format!("`{id}`")) {
            assert!(rest.starts_with(&address), "{id}{address}");
            named += 1;
        }
        assert_eq!(introduction.contains(&address), introduction.contains(&format!("`{id}`")), "{id}");
    }
    assert!(named >= 10, "only {named} operations are named");
}

#[test]
fn only_formats_that_every_generator_reads_are_used() {
    let mut formats = BTreeSet::new();
    walk(&mut document(), &mut |value| formats.extend(value["format"].as_str().map(str::to_owned)));
    assert_eq!(formats.iter().collect::<Vec<_>>(), ["date-time", "int32", "int64", "password", "uuid"]);
}

#[test]
fn a_reference_gets_no_more_than_words_and_only_requests_are_closed() {
    let mut document = document();
    let requests = schemas::requests(&document);
    assert!(requests.contains("RoomVisibility") && !requests.contains("Room"));
    let schemas = document["components"]["schemas"].as_object().unwrap().clone();
    for (name, schema) in &schemas {
        let is_closed = schema.get("additionalProperties").is_some() || schema.get("enum").is_some();
        assert_eq!(is_closed, requests.contains(name), "{name}");
    }
    let mut described = 0;
    walk(&mut document, &mut |value| {
        let Some(parts) = value.get("allOf") else { return };
        described += 1;
        assert!(value.as_object().unwrap().keys().eq(["description", "allOf"]), "{value}");
        let [part] = parts.as_array().unwrap().as_slice() else { panic!("{value}") };
        let name = part["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        assert_eq!(schemas[name]["type"], "object", "a field of an enum type has a doc comment: {value}");
    });
    assert!(described > 0, "what is said beside references is lost");
}

/// `serde_json` keeps the last value of a key that is written twice, such as two answers of one status.
#[test]
fn poem_openapi_writes_no_key_twice() {
    assert!(serde_json::from_str::<Unique>(r#"{"a":{"b":1},"c":[{"b":1}]}"#).is_ok());
    assert!(serde_json::from_str::<Unique>(r#"{"c":[{"b":1,"b":2}]}"#).is_err());
    let read = serde_json::from_str::<Unique>(&crate::api::operations().spec());
    assert!(read.is_ok(), "{}", read.unwrap_err());
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
    reads::<wire::read_mark::ReadInput>();
}

/// JSON in which no object has a key twice.
#[derive(Debug)]
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Unique;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
                let mut keys = BTreeSet::new();
                while let Some((key, Unique)) = map.next_entry::<String, Unique>()? {
                    if let Some(key) = keys.replace(key) {
                        return Err(A::Error::custom(format!("{key} stands twice")));
                    }
                }
                Ok(Unique)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Unique, A::Error> {
                while seq.next_element::<Unique>()?.is_some() {}
                Ok(Unique)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Unique, E> {
                Ok(Unique)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Unique, E> {
                Ok(Unique)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Unique, E> {
                Ok(Unique)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Unique, E> {
                Ok(Unique)
            }

            fn visit_str<E>(self, _: &str) -> Result<Unique, E> {
                Ok(Unique)
            }

            fn visit_unit<E>(self) -> Result<Unique, E> {
                Ok(Unique)
            }
        }
        deserializer.deserialize_any(Walk)
    }
}
