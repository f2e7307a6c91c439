//! The published document as a judge: every answer must have a status that its operation lists and a body that fits the
//! schema of that status. Reads the subset of OpenAPI 3.0 that the document uses, and refuses any other keyword, so that
//! no rule is passed over in silence.

use std::path::Path;
use std::sync::OnceLock;

use reqwest::Method;
use serde_json::{Map, Value};

use super::answer::Answer;

/// `openapi/openapi.json`, parsed.
pub struct Document {
    pub text: String,
    pub json: Value,
}

/// The committed document; `None` before there is one.
pub fn published() -> Option<&'static Document> {
    static DOCUMENT: OnceLock<Option<Document>> = OnceLock::new();
    let read = || {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/openapi.json");
        let text = std::fs::read_to_string(path).ok()?;
        let json = serde_json::from_str(&text).expect("openapi.json is JSON");
        Some(Document { text, json })
    };
    DOCUMENT.get_or_init(read).as_ref()
}

impl Document {
    /// Every operation with its path and method.
    pub fn operations(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        let paths = self.json["paths"].as_object().into_iter().flatten();
        paths.flat_map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
    }

    /// Every named schema.
    pub fn schemas(&self) -> &Map<String, Value> {
        self.json["components"]["schemas"].as_object().expect("the document has schemas")
    }

    /// Panics unless the document foresees this answer. Routes that it does not know may only be refused.
    #[track_caller]
    pub(super) fn check(&self, method: &Method, path: &str, answer: &Answer) {
        let what = &answer.what;
        let Some(operation) = self.operation(method, path) else {
            let is_page = answer.status < 400 && !path.starts_with("/v1");
            assert!(
                is_page || matches!(answer.status, 401 | 404 | 405),
                "{what}: {} from no operation",
                answer.status
            );
            return;
        };
        let response = &operation["responses"][answer.status.to_string()];
        assert!(
            response.is_object(),
            "{what}: the document does not list {}: {}",
            answer.status,
            answer.text
        );
        let Some(content) = response.get("content").and_then(Value::as_object) else {
            assert!(answer.text.is_empty(), "{what}: a body where the document has none: {}", answer.text);
            return;
        };
        let body = content.get(answer.media_type());
        let schema =
            &body.unwrap_or_else(|| panic!("{what}: {} is not listed", answer.media_type()))["schema"];
        if answer.media_type().ends_with("json") {
            let fits = self.fits(schema, &answer.json, "");
            assert_eq!(fits, Ok(()), "{what}: {} {}", answer.status, answer.text);
        }
    }

    /// The operation of a path; one that names its segments comes before one that has parameters for them.
    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let path = path.split('?').next().unwrap_or_default();
        let segments: Vec<&str> = path.split('/').collect();
        let parameters = |template: &str| template.matches('{').count();
        self.operations()
            .filter(|(template, known, _)| {
                let wanted: Vec<&str> = template.split('/').collect();
                known.eq_ignore_ascii_case(method.as_str())
                    && wanted.len() == segments.len()
                    && wanted
                        .iter()
                        .zip(&segments)
                        .all(|(wanted, given)| wanted.starts_with('{') || wanted == given)
            })
            .min_by_key(|(template, ..)| parameters(template))
            .map(|(_, _, operation)| operation)
    }

    /// Whether a value fits a schema; the error names the place.
    pub fn fits(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let keywords = schema.as_object().ok_or_else(|| format!("{at}: no schema"))?;
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.trim_start_matches("#/components/schemas/");
            let schema = self.schemas().get(name).ok_or_else(|| format!("{at}: no schema {name}"))?;
            return self.fits(schema, value, at);
        }
        for (keyword, rule) in keywords {
            let fits = match keyword.as_str() {
                "type" => has_type(rule, value),
                "enum" => rule.as_array().is_some_and(|values| values.contains(value)),
                "required" => rule
                    .as_array()
                    .into_iter()
                    .flatten()
                    .all(|name| value.get(name.as_str().unwrap_or("")).is_some()),
                "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= bound(rule)),
                "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 <= bound(rule)),
                "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= bound(rule)),
                "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= bound(rule)),
                "minimum" => value.as_f64() >= rule.as_f64(),
                "maximum" => value.as_f64() <= rule.as_f64(),
                "properties" => {
                    for (name, schema) in rule.as_object().into_iter().flatten() {
                        if let Some(value) = value.get(name) {
                            self.fits(schema, value, &format!("{at}/{name}"))?;
                        }
                    }
                    true
                }
                "allOf" => {
                    for part in rule.as_array().into_iter().flatten() {
                        self.fits(part, value, at)?;
                    }
                    true
                }
                "items" => {
                    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                        self.fits(rule, value, &format!("{at}/{index}"))?;
                    }
                    true
                }
                // What an object may have beside its properties: anything in answers, so that they can grow.
                "additionalProperties" => rule == &Value::Bool(true) || keywords.contains_key("properties"),
                // Notes for readers. Patterns and formats have their tests beside the types that keep them.
                "description" | "example" | "title" | "format" | "default" | "pattern" => true,
                other => return Err(format!("{at}: this check does not know the keyword {other}")),
            };
            if !fits {
                return Err(format!("{at}: {keyword} {rule} does not hold for {value}"));
            }
        }
        Ok(())
    }
}

fn bound(rule: &Value) -> u64 {
    rule.as_u64().expect("a length")
}

fn has_type(rule: &Value, value: &Value) -> bool {
    match rule.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        _ => false,
    }
}

mod tests {
    use serde_json::json;

    use super::Document;

    #[test]
    fn a_value_that_does_not_fit_is_noticed() {
        let json = json!({ "components": { "schemas": { "User": {
            "type": "object", "required": ["id"], "properties": { "id": { "type": "string", "maxLength": 3 } },
        } } } });
        let document = Document { text: String::new(), json };
        let list = json!({ "type": "array", "items": { "$ref": "#/components/schemas/User" } });
        let fits = |value| document.fits(&list, &value, "").is_ok();
        assert!(fits(json!([])));
        assert!(fits(json!([{ "id": "ada", "new": 1 }])), "answers may grow");
        for wrong in [
            json!({}),
            json!([1]),
            json!([{}]),
            json!([{ "id": 1 }]),
            json!([{ "id": null }]),
            json!([{ "id": "long" }]),
        ] {
            assert!(!fits(wrong.clone()), "{wrong}");
        }
        assert!(document.fits(&json!({ "oneOf": [] }), &json!(1), "").is_err(), "an unknown keyword");
    }
}
