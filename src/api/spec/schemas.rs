//! Schemas of the document: references kept whole, and what requests and answers promise of unknown fields.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{each_operation, examples, take, walk};
use crate::api::code::Code;

/// Finishes all schemas.
pub fn finish(document: &mut Value) {
    walk(document, &mut keep_reference);
    let requests = requests(document);
    for (name, schema) in document["components"]["schemas"].as_object_mut().into_iter().flatten() {
        // It only repeats the name.
        take(schema, "title");
        let is_request = requests.contains(name);
        if is_request && schema.get("properties").is_some() {
            schema["additionalProperties"] = json!(false);
        }
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (name, property) in properties.into_iter().flatten() {
            if let Some(format) = format_of(name, is_request) {
                add_format(property, format);
            }
        }
        // For tools that show a schema by itself; each answer has examples of its own.
        if name == "Problem" {
            schema["example"] = examples::problem(Code::InvalidBody);
        }
    }
}

/// The names of schemas that requests use, directly or by reference.
pub fn requests(document: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, _, operation) in each_operation(document) {
        collect(document, &operation["requestBody"], &mut names);
    }
    names
}

/// A description beside a reference comes as `allOf` of both, which generators read as another type. In an `allOf` of the
/// reference alone they see the type itself, and the description beside it.
///
/// The C generator cannot do that with an enum: a field of such a type has no doc comment, and the enum says all.
fn keep_reference(value: &mut Value) {
    let Some(parts) = value.get("allOf").and_then(Value::as_array) else { return };
    let Some(reference) = parts.first().filter(|part| part.get("$ref").is_some()).cloned() else { return };
    let description =
        parts.iter().find_map(|part| part.get("description")).or(value.get("description")).cloned();
    *value = match description {
        Some(text) => json!({ "description": text, "allOf": [reference] }),
        None => reference,
    };
}

/// Formats that poem-openapi knows only of types that we do not use.
fn format_of(property: &str, is_request: bool) -> Option<&'static str> {
    match property {
        name if name == "at" || name.ends_with("_at") => Some("date-time"),
        name if name.ends_with("password") => Some("password"),
        "id" | "room" | "session" | "last_read" if !is_request => Some("uuid"),
        _ => None,
    }
}

/// Beside the type, where it is usually read.
fn add_format(property: &mut Value, format: &str) {
    if property["type"] == "string"
        && let Some(entries) = property.as_object_mut()
    {
        entries.shift_insert(1, "format".to_owned(), json!(format));
    }
}

fn collect(document: &Value, value: &Value, names: &mut BTreeSet<String>) {
    if let Some(name) = value["$ref"].as_str().and_then(|path| path.strip_prefix("#/components/schemas/")) {
        if names.insert(name.to_owned()) {
            collect(document, &document["components"]["schemas"][name], names);
        }
        return;
    }
    value.as_object().into_iter().flatten().for_each(|(_, child)| collect(document, child, names));
    value.as_array().into_iter().flatten().for_each(|child| collect(document, child, names));
}
