//! The document itself: served as it is committed, and shaped so that every generator can read it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Document, Server, published};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// Names that collide with what generators put beside the models.
const TAKEN_NAMES: [&str; 4] = ["Error", "Client", "Response", "Configuration"];

fn document() -> &'static Document {
    published()
}

/// Names of the operations' schemas, with all that they lead to.
fn reachable(schemas: impl Iterator<Item = &'static Value>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut open: Vec<&Value> = schemas.collect();
    while let Some(value) = open.pop() {
        each(value, &mut |name, value| {
            if name == "$ref" {
                // Examples and headers are referred to as well.
                let name = value.as_str().and_then(|name| name.strip_prefix("#/components/schemas/"));
                if let Some(name) = name.filter(|name| names.insert((*name).to_owned())) {
                    open.push(&document().schemas()[name]);
                }
            }
        });
    }
    names
}

/// Calls with every key and value of an object, at any depth.
fn each<'a>(value: &'a Value, call: &mut impl FnMut(&'a str, &'a Value)) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                call(name, value);
                each(value, call);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| each(value, call)),
        _ => {}
    }
}

/// The schema to which a reference leads.
fn schema_of(reference: &Value) -> Option<&'static Value> {
    document().schemas().get(reference["$ref"].as_str()?.strip_prefix("#/components/schemas/")?)
}

fn requests() -> impl Iterator<Item = &'static Value> {
    document()
        .operations()
        .flat_map(|(_, _, operation)| [&operation["requestBody"], &operation["parameters"]])
}

fn responses() -> impl Iterator<Item = &'static Value> {
    document().operations().map(|(_, _, operation)| &operation["responses"])
}

/// Asserts that nothing was found, and shows what was.
#[track_caller]
fn none(found: &[String]) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[tokio::test]
async fn the_document_is_served_byte_for_byte() {
    let server = Server::start().await;
    let answer = server.anonymous().get("/openapi.json").await;
    assert_eq!((answer.status, answer.media_type()), (200, "application/json"));
    assert!(answer.text == document().text, "the served document is not the committed one");
}

#[tokio::test]
async fn the_client_the_api_browser_and_the_example_answer_without_a_redirect() {
    let server = Server::start().await;
    let client = server.anonymous();
    client.get("/").await.ok(200);
    for path in ["/docs", "/docs/example"] {
        let page = client.get(path).await;
        assert_eq!((page.status, page.media_type()), (200, "text/html"), "{path}");
        let with_slash = client.get(&format!("{path}/")).await;
        assert_eq!(with_slash.but_for_its_id(), page.but_for_its_id(), "{path}/");
    }
}

#[test]
fn it_is_version_3_0_3_of_openapi_at_the_origin_it_came_from() {
    let json = &document().json;
    assert_eq!(json["openapi"], "3.0.3");
    assert_eq!(json["servers"].as_array().map(Vec::len), Some(1));
    assert_eq!(json["servers"][0]["url"], "/");
    assert_eq!(json["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["security"], json!([{ "bearer": [] }]), "signing in is the rule");
}

/// A cookie as a scheme makes a syntax error of Ruby's client, and more arguments of those in C and Scala.
#[test]
fn the_bearer_scheme_stands_alone() {
    let schemes = document().json["components"]["securitySchemes"].as_object().unwrap();
    assert!(schemes.keys().eq(["bearer"]), "{schemes:?}");
    let introduction = document().json["info"]["description"].as_str().unwrap();
    assert!(introduction.contains("`__Host-parlor_access`"), "cookies are told in the introduction");
}

#[test]
fn every_operation_says_what_it_is() {
    let tags: Vec<_> = document().json["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for (path, method, operation) in document().operations() {
        let mut check = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{method} {path}: {what}"));
            }
        };
        check(METHODS.contains(&method), "is no method of ours");
        let id = operation["operationId"].as_str().unwrap_or_default();
        let camel =
            id.starts_with(|c: char| c.is_ascii_lowercase()) && id.chars().all(|c| c.is_ascii_alphanumeric());
        check(camel, "its operationId is not in camelCase");
        check(seen.insert(id.to_owned()), "its operationId is taken");
        let tagged =
            operation["tags"].as_array().is_some_and(|own| own.len() == 1 && tags.contains(&&own[0]));
        check(tagged, "it wants exactly one of the declared tags");
        for text in ["summary", "description"] {
            check(operation[text].as_str().is_some_and(|text| !text.is_empty()), text);
        }
        let statuses = operation["responses"].as_object().unwrap();
        check(statuses.keys().any(|status| status.starts_with('2')), "it never succeeds");
        for (status, response) in statuses.iter().filter(|(status, _)| status.as_str() >= "400") {
            let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
            check(schema == "#/components/schemas/Problem", &format!("{status} is no Problem"));
        }
    }
    none(&wrong);
    assert!(seen.len() >= 20, "only {} operations", seen.len());
}

#[test]
fn shapes_are_such_that_every_generator_reads_them() {
    let mut wrong = Vec::new();
    each(&document().json, &mut |name, value| {
        let refused = match name {
            "oneOf" | "anyOf" | "not" | "discriminator" | "nullable" | "explode" => true,
            // Words beside a reference to an object; anything more makes another type.
            "allOf" => value.as_array().is_none_or(|parts| {
                parts.len() != 1 || schema_of(&parts[0]).is_none_or(|schema| schema["type"] != "object")
            }),
            "format" => value.as_str().is_some_and(|format| format.starts_with("uint")),
            "content" => value.as_object().is_some_and(|types| {
                types.keys().any(|t| t.contains([';', '*']) || t.starts_with("multipart"))
            }),
            "deprecated" => value == false,
            _ => false,
        };
        if refused {
            wrong.push(format!("{name}: {value}"));
        }
    });
    for (path, method, operation) in document().operations() {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if parameter["schema"]["type"] == "array" {
                wrong.push(format!("{method} {path}: {} is an array", parameter["name"]));
            }
        }
    }
    none(&wrong);
}

#[test]
fn objects_are_named_schemas() {
    let mut wrong = Vec::new();
    for (path, method, operation) in document().operations() {
        for part in [&operation["requestBody"], &operation["responses"]] {
            each(part, &mut |name, value| {
                if name == "schema" && value.get("$ref").is_none() && value["type"] != "string" {
                    wrong.push(format!("{method} {path}: a schema without a name: {value}"));
                }
            });
        }
    }
    for (schema, value) in document().schemas() {
        for (property, value) in value["properties"].as_object().into_iter().flatten() {
            each(value, &mut |name, _| {
                if name == "properties" {
                    wrong.push(format!("{schema}.{property}: an object without a name"));
                }
            });
        }
        let doubled = schema.strip_prefix("New").is_some_and(|rest| document().schemas().contains_key(rest));
        if doubled || TAKEN_NAMES.contains(&schema.as_str()) || schema.ends_with("Type") {
            wrong.push(format!("{schema}: a name that generators use themselves"));
        }
    }
    none(&wrong);
}

#[test]
fn requests_and_answers_share_no_schema_and_none_is_left_over() {
    let (asked, answered) = (reachable(requests()), reachable(responses()));
    assert!(!asked.is_empty() && !answered.is_empty());
    assert_eq!(asked.intersection(&answered).collect::<Vec<_>>(), Vec::<&String>::new());
    let all: BTreeSet<_> = document().schemas().keys().cloned().collect();
    let used: BTreeSet<_> = asked.union(&answered).cloned().collect();
    assert_eq!(all, used);
}

#[test]
fn requests_are_closed_and_answers_can_grow() {
    let (asked, answered) = (reachable(requests()), reachable(responses()));
    let mut wrong = Vec::new();
    for (name, schema) in document().schemas() {
        let closed = schema.get("additionalProperties");
        if asked.contains(name) && schema["type"] == "object" && closed != Some(&Value::Bool(false)) {
            wrong.push(format!("{name}: a request that takes any field"));
        }
        if answered.contains(name) && closed.is_some() {
            wrong.push(format!("{name}: an answer that says additionalProperties"));
        }
        each(schema, &mut |key, value| {
            // A property may be called "enum"; a rule of that name is a list.
            if key == "enum" && value.is_array() && answered.contains(name) {
                wrong.push(format!("{name}: an answer with a closed set {value}"));
            }
        });
    }
    none(&wrong);
}
