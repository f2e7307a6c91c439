//! What the document says about a request's path: which methods it knows and which query parameters they take. So a rule
//! about all operations needs no line in any of them.

use poem::Request;
use poem::http::Method;
use poem_openapi::OpenApi;
use poem_openapi::registry::{MetaParamIn, MetaSchemaRef};

use super::Operations;
use super::code::Code;
use super::problem::Problem;

/// Most bytes of path and query.
const MAX_URI_BYTES: usize = 8 * 1024;

/// The documented paths.
pub struct Paths(Vec<Path>);

struct Path {
    /// `None` stands for a parameter.
    segments: Vec<Option<String>>,
    operations: Vec<Operation>,
}

struct Operation {
    id: Option<&'static str>,
    method: Method,
    query: Vec<Parameter>,
}

struct Parameter {
    name: String,
    /// What its value must be, in words.
    wants: String,
}

impl Paths {
    pub fn documented() -> Self {
        let paths = Operations::meta().into_iter().flat_map(|api| api.paths);
        Self(paths.map(|path| Path::new(&path)).collect())
    }

    /// The methods for `Allow`. Whatever is not an operation is read only.
    pub fn allowed(&self, path: &str) -> String {
        let Some(path) = self.find(path) else {
            return "GET, HEAD".to_owned();
        };
        let mut methods: Vec<&str> =
            path.operations.iter().map(|operation| operation.method.as_str()).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.sort_unstable();
        methods.join(", ")
    }

    /// Refuses an address that is too long, and parameters that the operation does not know or that come twice.
    pub fn check(&self, request: &Request) -> Result<(), Problem> {
        let uri = request.uri();
        if uri.path().len() + uri.query().map_or(0, str::len) > MAX_URI_BYTES {
            return Err(Problem::new(Code::UriTooLong));
        }
        let path = self.find(uri.path());
        let operation =
            path.and_then(|path| path.operations.iter().find(|operation| operation.serves(request.method())));
        match operation {
            Some(operation) => operation.check(uri.query().unwrap_or_default()),
            // The router answers 404 or 405.
            None => Ok(()),
        }
    }

    /// The operation at this path, whether or not a request got as far as its handler.
    pub fn operation(&self, method: &Method, path: &str) -> Option<&'static str> {
        let operations = &self.find(path)?.operations;
        operations.iter().find(|operation| operation.serves(method))?.id
    }

    /// What a query parameter of the operation at this path must be, in words.
    pub fn wants(&self, method: &Method, path: &str, parameter: &str) -> Option<&str> {
        let path = self.find(path)?;
        let operation = path.operations.iter().find(|operation| operation.serves(method))?;
        let parameter = operation.query.iter().find(|known| known.name == parameter)?;
        Some(&parameter.wants)
    }

    /// Of several that fit, the one with the most literal segments counts, as in routing.
    fn find(&self, path: &str) -> Option<&Path> {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let fitting = self.0.iter().filter(|path| path.fits(&segments));
        fitting.max_by_key(|path| path.segments.iter().flatten().count())
    }
}

impl Path {
    fn new(meta: &poem_openapi::registry::MetaPath) -> Self {
        let word = |segment: &str| (!segment.starts_with('{')).then(|| segment.to_owned());
        let operation = |meta: &poem_openapi::registry::MetaOperation| Operation {
            id: meta.operation_id,
            method: meta.method.clone(),
            query: meta
                .params
                .iter()
                .filter(|p| p.in_type == MetaParamIn::Query)
                .map(|p| Parameter { name: p.name.clone(), wants: wants(&p.schema) })
                .collect(),
        };
        Self {
            segments: meta.path.split('/').skip(1).map(word).collect(),
            operations: meta.operations.iter().map(operation).collect(),
        }
    }

    fn fits(&self, segments: &[&str]) -> bool {
        self.segments.len() == segments.len()
            && self.segments.iter().zip(segments).all(|(word, segment)| match word {
                Some(word) => word == segment,
                None => !segment.is_empty(),
            })
    }
}

impl Operation {
    /// A HEAD is a GET without the body.
    fn serves(&self, method: &Method) -> bool {
        self.method == *method || (self.method == Method::GET && *method == Method::HEAD)
    }

    /// No unknown name, and none twice. The names are not repeated in the answer unless they are ours.
    fn check(&self, query: &str) -> Result<(), Problem> {
        let wrong = |place: String, detail| Problem::new(Code::InvalidParameter).at(place, detail);
        let mut seen = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let given = pair.split('=').next().unwrap_or_default();
            let Some(Parameter { name, .. }) = self.query.iter().find(|known| known.name == given) else {
                return Err(wrong("?".to_owned(), "has a parameter that this operation does not know"));
            };
            if seen.contains(&name) {
                return Err(wrong(format!("?{name}"), "is given twice"));
            }
            seen.push(name);
        }
        Ok(())
    }
}

/// The rule of the document as a sentence about the parameter.
fn wants(schema: &MetaSchemaRef) -> String {
    let MetaSchemaRef::Inline(schema) = schema else { return "is not what the document says".to_owned() };
    let most_characters = schema.max_length;
    match (schema.ty, schema.minimum, schema.maximum, most_characters) {
        ("integer", Some(least), Some(most), _) => format!("must be a whole number from {least} to {most}"),
        ("integer", Some(least), None, _) => format!("must be a whole number from {least} to {}", i32::MAX),
        ("string", .., Some(most)) => format!("must be a text in UTF-8 of at most {most} characters"),
        _ => "must be a text in UTF-8".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(method: Method, uri: &'static str) -> Option<Code> {
        let request = Request::builder().method(method).uri(uri.parse().unwrap()).finish();
        Paths::documented().check(&request).err().map(|problem| problem.code)
    }

    #[test]
    fn unknown_and_repeated_parameters_are_refused() {
        assert_eq!(verdict(Method::GET, "/v1/rooms?q=a&limit=3"), None);
        assert_eq!(verdict(Method::HEAD, "/v1/rooms?q=a&&"), None);
        assert_eq!(verdict(Method::GET, "/v1/rooms?q=a&q=b"), Some(Code::InvalidParameter));
        assert_eq!(verdict(Method::GET, "/v1/rooms?limits=3"), Some(Code::InvalidParameter));
        assert_eq!(verdict(Method::POST, "/v1/rooms?q=a"), Some(Code::InvalidParameter));
        assert_eq!(verdict(Method::GET, "/v1/rooms/lobby/messages?q=a"), Some(Code::InvalidParameter));
        assert_eq!(verdict(Method::GET, "/room/lobby?anything"), None, "the web client's own");
    }

    #[test]
    fn allow_names_what_the_path_knows() {
        let paths = Paths::documented();
        assert_eq!(paths.allowed("/v1/rooms"), "GET, HEAD, POST");
        assert_eq!(paths.allowed("/v1/users/me"), "GET, HEAD, PATCH", "not those of a username");
        assert_eq!(paths.allowed("/v1/users/ada"), "GET, HEAD");
        assert_eq!(paths.allowed("/v1/login"), "POST");
        assert_eq!(paths.allowed("/"), "GET, HEAD");
    }
}
