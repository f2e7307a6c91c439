//! The published document as a judge: every answer must have a status that its operation lists and a body that fits the
//! schema of that status. Reads the subset of OpenAPI 3.0 that the document uses, and refuses any other keyword, so that
//! no rule is passed over in silence.

use std::path::Path;
use std::sync::OnceLock;

use reqwest::Method;
use serde_json::{Map, Value};

use super::answer::Answer;

const EVENT_STREAM: &str = "text/event-stream";

/// `openapi/openapi.json`, parsed.
pub struct Document {
    pub text: String,
    pub json: Value,
}

/// The committed document.
pub fn published() -> &'static Document {
    static DOCUMENT: OnceLock<Document> = OnceLock::new();
    DOCUMENT.get_or_init(|| Document::committed("openapi.json"))
}

impl Document {
    /// A document of the folder `openapi`.
    pub fn committed(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi").join(name);
        let text = std::fs::read_to_string(path).expect("the document is committed");
        let json = serde_json::from_str(&text).expect("the document is JSON");
        Self { text, json }
    }

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
        let content = self.check_head(method, path, answer);
        let Answer { what, status, text, .. } = answer;
        if *method == Method::HEAD {
            assert!(text.is_empty(), "{what}: a body for HEAD: {text}");
            return;
        }
        // The frames are checked as they come.
        if answer.media_type() == EVENT_STREAM {
            assert_eq!(*status, 200, "{what}");
            return;
        }
        let Some(content) = content else {
            let fits = self.fits(&self.schemas()["Problem"], &answer.json, "");
            assert!(*status < 400 || fits.is_ok(), "{what}: {status} {text}");
            return;
        };
        let Some(content) = content.as_object() else {
            assert!(text.is_empty(), "{what}: a body where the document has none: {text}");
            return;
        };
        let body = content.get(answer.media_type());
        let schema =
            &body.unwrap_or_else(|| panic!("{what}: {} is not listed", answer.media_type()))["schema"];
        if answer.media_type().ends_with("json") {
            let fits = self.fits(schema, &answer.json, "");
            assert_eq!(fits, Ok(()), "{what}: {status} {text}");
        }
        // Every code with which an operation may answer has an example there.
        if let Some(examples) = body.and_then(|body| body["examples"].as_object()) {
            let code = answer.json["code"].as_str().unwrap_or_default();
            let example =
                examples.get(code).unwrap_or_else(|| panic!("{what}: {code} is not listed: {text}"));
            assert_eq!(said(&answer.json), said(&self.resolved(example)["value"]), "{what}: {status} {text}");
            super::reached::note(super::reached::PROBLEM, code);
        }
    }

    /// The same for status and headers alone; gives what the document says of the body, null where there is none. A head
    /// that no operation gave is not in the document: only a page, a preflight or a refusal may have one.
    #[track_caller]
    fn check_head(&self, method: &Method, path: &str, answer: &Answer) -> Option<&Value> {
        let Answer { what, status, text, headers, .. } = answer;
        let Some(operation) = self.operation(method, path) else {
            let is_page = *status < 400 && !path.starts_with("/v1");
            let is_preflight = *method == Method::OPTIONS && *status == 204;
            let may_be = is_page || is_preflight || matches!(status, 401 | 404 | 405 | 414);
            assert!(may_be, "{what}: {status} from no operation");
            return None;
        };
        let response = &operation["responses"][status.to_string()];
        assert!(response.is_object(), "{what}: the document does not list {status}: {text}");
        let documented = response["headers"].as_object().expect("every answer has headers");
        for (name, header) in documented {
            let header = self.resolved(header);
            match headers.get(name).and_then(|value| value.to_str().ok()) {
                Some(value) => {
                    let value = value.parse::<i64>().map_or_else(|_| value.into(), Value::from);
                    let is_text = header["schema"]["type"] == "string";
                    let fits = is_text || self.fits(&header["schema"], &value, name).is_ok();
                    assert!(fits, "{what}: {status} with {name}: {value}");
                }
                None => assert!(header["required"] != true, "{what}: {status} without {name}"),
            }
        }
        let is_documented = |name: &str| documented.keys().any(|known| known.eq_ignore_ascii_case(name));
        let strange = headers.keys().find(|name| !is_general(name.as_str()) && !is_documented(name.as_str()));
        assert_eq!(strange, None, "{what}: {status} has a header of which the document does not speak");
        if *method != Method::HEAD {
            let operation = operation["operationId"].as_str().expect("an operationId");
            super::reached::note(operation, &status.to_string());
        }
        Some(response.get("content").unwrap_or(&Value::Null))
    }

    /// Panics unless this may be the data of a stream's frame.
    #[track_caller]
    pub(super) fn check_frame(&self, data: &Value) {
        let fits = self.fits(&self.schemas()["StreamEvent"], data, "");
        assert_eq!(fits, Ok(()), "a frame that the document does not foresee: {data}");
    }

    /// A part of the document, or what it refers to.
    fn resolved<'d>(&'d self, part: &'d Value) -> &'d Value {
        let pointer = part["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
        pointer.map_or(part, |pointer| self.json.pointer(pointer).expect("references lead somewhere"))
    }

    /// The operation of a path; one that names its segments comes before one that has parameters for them.
    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        // A HEAD is a GET without the body.
        let method = if *method == Method::HEAD { &Method::GET } else { method };
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
                // Answers may grow, but not by what the document does not tell.
                "properties" => {
                    for (name, value) in value.as_object().into_iter().flatten() {
                        let at = format!("{at}/{name}");
                        let schema = rule.get(name).ok_or_else(|| format!("{at}: is not in the document"))?;
                        self.fits(schema, value, &at)?;
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
                "format" => has_format(rule, value),
                // Notes for readers.
                "description" | "example" | "title" | "default" => true,
                other => return Err(format!("{at}: this check does not know the keyword {other}")),
            };
            if !fits {
                return Err(format!("{at}: {keyword} {rule} does not hold for {value}"));
            }
        }
        Ok(())
    }
}

/// Checks an exchange that was written and read by hand, if it is one request with a whole answer of ours.
#[track_caller]
pub fn check_exchange(asked: &[u8], answered: &str) {
    let asked = String::from_utf8_lossy(asked);
    let mut line = asked.lines().next().unwrap_or_default().split(' ');
    let (Some(Ok(method)), Some(path)) = (line.next().map(str::parse::<Method>), line.next()) else {
        return;
    };
    let Some(answer) = Answer::parse(&format!("{method} {path}"), answered) else { return };
    // What hyper refuses before it is a request.
    if answer.header("x-request-id").is_empty() {
        let is_refused_head = matches!(answer.status, 400 | 414 | 431) && answer.text.is_empty();
        assert!(is_refused_head, "{}: {} without X-Request-Id: {}", answer.what, answer.status, answer.text);
        return;
    }
    answer.keeps_the_manners();
    if path.starts_with('/') {
        published().check(&method, path, &answer);
    }
}

/// What two problems of one code have in common: all but the names of the request and what was wrong with it, of which only
/// is told that they are there.
fn said(problem: &Value) -> Map<String, Value> {
    let mut problem = problem.as_object().cloned().unwrap_or_default();
    for name in ["request_id", "detail", "errors"] {
        problem.entry(name).and_modify(|value| *value = Value::Bool(true));
    }
    problem
}

/// Headers that any answer of HTTP may have; what they mean is said elsewhere than in the document.
fn is_general(name: &str) -> bool {
    const GENERAL: [&str; 15] = [
        "cache-control",
        "connection",
        "content-length",
        "content-security-policy",
        "content-type",
        "cross-origin-resource-policy",
        "date",
        "keep-alive",
        "referrer-policy",
        "server",
        "strict-transport-security",
        "transfer-encoding",
        "vary",
        "x-accel-buffering",
        "x-content-type-options",
    ];
    GENERAL.contains(&name) || name.starts_with("access-control-")
}

/// Numbers and texts that look as their format says; times as all of ours do, in UTC with six digits.
fn has_format(rule: &Value, value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let is_digit = |c: char| if c.is_ascii_digit() { '0' } else { c };
    match rule.as_str() {
        Some("int32") => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        Some("int64") => value.is_i64(),
        Some("uuid") => text.parse().is_ok_and(|id: uuid::Uuid| id.to_string() == text),
        Some("date-time") => text.chars().map(is_digit).eq("0000-00-00T00:00:00.000000Z".chars()),
        _ => false,
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
            "type": "object", "required": ["id"], "properties": {
                "id": { "type": "string", "maxLength": 3 },
                "at": { "type": "string", "format": "date-time" },
                "number": { "type": "integer", "format": "int32" },
            },
        } } } });
        let document = Document { text: String::new(), json };
        let list = json!({ "type": "array", "items": { "$ref": "#/components/schemas/User" } });
        let fits = |value| document.fits(&list, &value, "").is_ok();
        assert!(fits(json!([])));
        assert!(fits(json!([{ "id": "ada", "at": "2026-11-23T09:30:00.000000Z", "number": 1 }])));
        for wrong in [
            json!({}),
            json!([1]),
            json!([{}]),
            json!([{ "id": 1 }]),
            json!([{ "id": null }]),
            json!([{ "id": "long" }]),
            json!([{ "id": "ada", "new": 1 }]),
            json!([{ "id": "ada", "at": "2026-11-23T09:30:00Z" }]),
            json!([{ "id": "ada", "number": 3_000_000_000_u64 }]),
        ] {
            assert!(!fits(wrong.clone()), "{wrong}");
        }
        assert!(document.fits(&json!({ "oneOf": [] }), &json!(1), "").is_err(), "an unknown keyword");
    }
}
