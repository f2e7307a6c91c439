//! Schemas of the document: references kept whole, and what requests and answers promise of unknown fields.

use std::collections::BTreeSet;

use serde_json::Value;

use super::node::Node;

/// Finishes all schemas.
pub fn finish(document: &mut Node) {
    document.walk(&mut keep_reference);
    let requests = requests(document);
    let Some(schemas) = document.get_mut("components").and_then(|components| components.get_mut("schemas"))
    else {
        return;
    };
    for (name, schema) in schemas.entries_mut() {
        // It only repeats the name.
        schema.remove("title");
        let is_request = requests.contains(name);
        if is_request && schema.get("properties").is_some() {
            schema.set("additionalProperties", Node::Leaf(Value::Bool(false)));
        }
        let Some(properties) = schema.get_mut("properties") else { continue };
        for (name, property) in properties.entries_mut() {
            if let Some(format) = format_of(name, is_request) {
                add_format(property, format);
            }
        }
    }
}

/// The names of schemas that requests use, directly or by reference.
pub fn requests(document: &Node) -> BTreeSet<String> {
    let paths = document.get("paths").map(Node::entries).unwrap_or_default();
    let operations = paths.iter().flat_map(|(_, path)| path.entries());
    let mut names = BTreeSet::new();
    for body in operations.filter_map(|(_, operation)| operation.get("requestBody")) {
        collect(document, body, &mut names);
    }
    names
}

/// A description beside a reference comes as `allOf` of both, which generators read as another type. In an `allOf` of the
/// reference alone they see the type itself, and the description beside it.
fn keep_reference(node: &mut Node) {
    let Some(parts) = node.get("allOf").map(Node::elements) else { return };
    let Some(reference) = parts.first().filter(|part| part.get("$ref").is_some()).cloned() else { return };
    let description =
        parts.iter().find_map(|part| part.get("description")).or(node.get("description")).cloned();
    *node = match description {
        Some(text) => Node::map([("description", text), ("allOf", Node::List(vec![reference]))]),
        None => reference,
    };
}

/// Formats that poem-openapi knows only of types that we do not use.
fn format_of(property: &str, is_request: bool) -> Option<&'static str> {
    match property {
        name if name == "at" || name.ends_with("_at") => Some("date-time"),
        name if name.ends_with("password") => Some("password"),
        "id" | "room" | "session" if !is_request => Some("uuid"),
        _ => None,
    }
}

/// Beside the type, where it is usually read.
fn add_format(property: &mut Node, format: &str) {
    let is_string = property.get("type").and_then(Node::as_str) == Some("string");
    if let (true, Node::Map(entries)) = (is_string, property) {
        entries.insert(1, ("format".to_owned(), Node::text(format)));
    }
}

fn collect(document: &Node, node: &Node, names: &mut BTreeSet<String>) {
    if let Some(name) =
        node.get("$ref").and_then(Node::as_str).and_then(|path| path.strip_prefix("#/components/schemas/"))
    {
        if names.insert(name.to_owned())
            && let Some(schema) = document.at(&["components", "schemas", name])
        {
            collect(document, schema, names);
        }
        return;
    }
    node.entries().iter().for_each(|(_, child)| collect(document, child, names));
    node.elements().iter().for_each(|child| collect(document, child, names));
}
