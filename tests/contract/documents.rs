//! What the documents name is there: links lead somewhere, and keys, metrics, targets of make, files and identifiers exist
//! under the names that people are told. Every metric is described.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Figures, Server, postgres};

/// Names in the environment that are no keys: the log, and what tests and examples are told.
const NO_KEYS: [&str; 4] = ["PARLOR_SECTION__KEY", "PARLOR_LOG", "PARLOR_URL", "PARLOR_BIN"];
/// What the recipes of CONTRIBUTING.md make up, and names that other programs give to things.
const NOT_OURS: [&str; 5] = [
    "PARLOR_ACCOUNTS__ROOMS_PER_PERSON",
    "muteRoom",
    "room_archived",
    "openapi/clients/NAME",
    "WithHttpInfo",
];
/// Folders whose words are names that a page may use.
const SOURCES: [&str; 8] =
    ["src", "tests", "benches", "openapi", "web/src", "web/e2e", ".ci", "docs/proxies"];
const SOURCE_FILES: [&str; 6] =
    ["Makefile", "config.toml", "deny.toml", "Cargo.toml", ".cargo/config.toml", "docs/parlor.service"];
const MADE_BY_TOOLS: [&str; 6] = ["node_modules", "dist", "generated", "target", "out", "__pycache__"];

/// A page, taken apart.
struct Page {
    path: PathBuf,
    /// Inline code, and where a link leads, each with its line.
    spans: Vec<(usize, String)>,
    links: Vec<(usize, String)>,
    /// Lines of blocks of code, but not of pictures.
    code: Vec<(usize, String)>,
    /// What a link's `#` may name.
    anchors: BTreeSet<String>,
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Page {
    fn read(path: &str) -> Self {
        Self::parse(top().join(path), &fs::read_to_string(top().join(path)).expect("a page of text"))
    }

    fn parse(path: PathBuf, text: &str) -> Self {
        let (mut spans, mut links, mut code) = (Vec::new(), Vec::new(), Vec::new());
        let mut headings: HashMap<String, usize> = HashMap::new();
        let mut anchors = BTreeSet::new();
        let mut block: Option<&str> = None;
        for (line, text) in text.lines().enumerate().map(|(at, text)| (at + 1, text)) {
            if let Some(language) = text.trim_start().strip_prefix("```") {
                block = if block.is_none() { Some(language) } else { None };
                continue;
            }
            match block {
                Some("mermaid") => continue,
                Some(_) => {
                    code.push((line, text.to_owned()));
                    continue;
                }
                None => {}
            }
            if text.starts_with('#') {
                let slug = slug(text);
                let times = headings.entry(slug.clone()).or_default();
                anchors.insert(if *times == 0 { slug } else { format!("{slug}-{times}") });
                *times += 1;
            }
            let mut prose = String::new();
            for (turn, part) in text.split('`').enumerate() {
                if turn % 2 == 1 {
                    spans.push((line, part.to_owned()));
                } else {
                    prose.push_str(part);
                }
            }
            let found = prose.split("](").skip(1).map(|rest| rest.split(')').next().unwrap_or(rest));
            links.extend(found.map(|link| (line, link.to_owned())));
        }
        Self { path, spans, links, code, anchors }
    }

    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path.strip_prefix(top()).unwrap_or(&self.path).display())
    }

    /// Everything that is set as code.
    fn all_code(&self) -> impl Iterator<Item = &(usize, String)> {
        self.spans.iter().chain(&self.code)
    }
}

/// How GitHub names a heading.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn pages() -> Vec<Page> {
    let mut paths: Vec<String> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "openapi/README.md"]
            .map(String::from)
            .into();
    for entry in fs::read_dir(top().join("docs")).expect("there are documents") {
        let name = entry.expect("a readable folder").file_name().into_string().expect("a name in UTF-8");
        if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            paths.push(format!("docs/{name}"));
        }
    }
    paths.iter().map(|path| Page::read(path)).collect()
}

/// Every word of the sources: what a name may be.
fn words() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let mut learn = |path: &Path| {
        let Ok(text) = fs::read_to_string(path) else { return };
        words.extend(text.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned));
    };
    let mut folders: Vec<_> = SOURCES.iter().map(|folder| top().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources").flatten() {
            let path = entry.path();
            let is_made = MADE_BY_TOOLS.iter().any(|made| entry.file_name() == *made);
            // What the pages say of themselves proves nothing, and neither does the list of what is made up.
            let is_page =
                path.extension().is_some_and(|extension| extension == "md") || path.ends_with(file!());
            if path.is_dir() && !is_made {
                folders.push(path);
            } else if path.is_file() && !is_page {
                learn(&path);
            }
        }
    }
    for file in SOURCE_FILES {
        learn(&top().join(file));
    }
    words
}

/// The keys of the configuration, as `section.key`, and its sections.
fn keys() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut keys, mut sections) = (BTreeSet::new(), BTreeSet::new());
    let mut section = String::new();
    for line in fs::read_to_string(top().join("config.toml")).expect("it is committed").lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            sections.insert(section.clone());
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            keys.insert(format!("{section}.{key}"));
        }
    }
    (keys, sections)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The longest beginning that can be a name.
fn name_at(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())]
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut broken = Vec::new();
    let mut followed = 0;
    for page in &pages {
        for (line, link) in page.links.iter().filter(|(_, link)| !link.starts_with("http")) {
            followed += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = page.path.parent().expect("a page is in a folder");
            let target = if path.is_empty() { page.path.clone() } else { folder.join(path) };
            let target = target.canonicalize().unwrap_or(target);
            let there = pages.iter().find(|other| other.path.canonicalize().is_ok_and(|path| path == target));
            let is_there = target.exists()
                && (anchor.is_empty() || there.is_some_and(|page| page.anchors.contains(anchor)));
            if !is_there {
                broken.push(format!("{}: {link}", page.at(*line)));
            }
        }
    }
    assert!(followed > 40, "only {followed} links were found");
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_key_and_target_that_is_named_exists() {
    let (keys, sections) = keys();
    let makefile = fs::read_to_string(top().join("Makefile")).expect("it is committed");
    let mut wrong = Vec::new();
    let (mut keys_named, mut targets_named) = (0, 0);
    for page in pages() {
        for (line, code) in &page.spans {
            let section = name_at(code);
            let Some(rest) = code[section.len()..].strip_prefix('.') else { continue };
            let key = name_at(rest);
            if sections.contains(section) && !matches!(key, "rs" | "md" | "toml" | "sql") {
                keys_named += 1;
                if !keys.contains(&format!("{section}.{key}")) {
                    wrong.push(format!("{}: there is no key {code}", page.at(*line)));
                }
            }
        }
        for (line, code) in page.all_code() {
            for (at, _) in code.match_indices("PARLOR_") {
                let variable = name_at(&code[at..]);
                let key = variable["PARLOR_".len()..].to_lowercase().replacen("__", ".", 1);
                let is_known = NO_KEYS.contains(&variable)
                    || NOT_OURS.contains(&variable)
                    || variable.starts_with("PARLOR_TEST_");
                if !is_known && !keys.contains(&key) {
                    wrong.push(format!("{}: there is no key {variable}", page.at(*line)));
                }
            }
            let said = code.trim_start();
            if let Some(rest) = said.strip_prefix("make ") {
                targets_named += 1;
                let target =
                    &rest[..rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len())];
                if !makefile.contains(&format!("\n{target}: ")) {
                    wrong.push(format!("{}: make has no {target}", page.at(*line)));
                }
            }
        }
    }
    assert!(keys_named > 20 && targets_named > 10, "found {keys_named} keys and {targets_named} targets");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Problem codes, fields, operations, metrics, types and functions: whatever looks like a name; and files.
#[test]
fn every_name_and_file_that_is_named_exists() {
    let words = words();
    let mut wrong = Vec::new();
    let (mut names, mut files) = (0, 0);
    for page in pages() {
        for (line, code) in &page.spans {
            let path = code.trim_end_matches('/');
            let is_path = ["src/", "tests/", "docs/", "benches/", "web/src/", "openapi/", ".ci/"]
                .iter()
                .any(|folder| path.starts_with(folder))
                && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
            if is_path {
                files += 1;
                if !NOT_OURS.contains(&path) && !top().join(path).exists() {
                    wrong.push(format!("{}: there is no file {path}", page.at(*line)));
                }
                continue;
            }
            // `parlor_stream_ends_total{reason}`, `storage::journal`, `SplitOff::next()`.
            let parts = code.split([':', '{', '}', ',', ' ', '(', ')', '.', '"', '=', '[', ']']);
            let is_code = code.split("::").all(is_name)
                || code.split_once('{').is_some_and(|(name, _)| is_name(name))
                || code.strip_suffix("()").is_some_and(|name| name.split("::").all(is_name));
            for part in parts.filter(|part| is_code && is_name(part)) {
                let has_hump = part
                    .bytes()
                    .zip(part.bytes().skip(1))
                    .any(|(one, next)| one.is_ascii_lowercase() && next.is_ascii_uppercase());
                if part.contains('_') || has_hump || code.contains("::") {
                    names += 1;
                    // A counter's name in the sources has no `_total`, and a unit is a word of its own there.
                    let is_figure = part.starts_with("parlor_") || part.starts_with("process_");
                    if !is_figure && !NOT_OURS.contains(&part) && !words.contains(part) {
                        wrong.push(format!("{}: nothing is called {part}", page.at(*line)));
                    }
                }
            }
        }
    }
    assert!(names > 60 && files > 10, "found {names} names and {files} files");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What the names of metrics begin with that only nodes on PostgreSQL have.
const OF_NODES: [&str; 4] = [
    "parlor_bus_",
    "parlor_journal_wait_seconds",
    "parlor_log_epochs_total",
    "parlor_database_connections_total",
];

#[tokio::test]
async fn every_metric_is_described_and_no_other() {
    let server = Server::start_with(&[("PARLOR_METRICS__LISTEN", "127.0.0.1:0")]).await;
    server.register("ada").await;
    let figures = Figures::of(&server).await;
    let mut exported = BTreeSet::new();
    for line in figures.text.lines() {
        let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) else {
            continue;
        };
        exported.insert(if kind == "counter" { format!("{name}_total") } else { name.to_owned() });
    }
    assert!(exported.len() > 15, "{exported:?}");
    let is_figure = |name: &str| {
        let rest = name.strip_prefix("parlor_").or_else(|| name.strip_prefix("process_"));
        rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
    };
    let mut described = BTreeSet::new();
    let mut wrong = Vec::new();
    for page in pages() {
        for (line, code) in &page.spans {
            let name = name_at(code);
            if !is_figure(name) {
                continue;
            }
            // Each run of the tests has one of the databases, and looks at what is measured there.
            let is_of_sqlite = name == "parlor_wal_bytes";
            let is_of_nodes = OF_NODES.iter().any(|of_nodes| name.starts_with(of_nodes));
            let is_elsewhere = if postgres::is_chosen() { is_of_sqlite } else { is_of_nodes };
            if !exported.contains(name) && !is_elsewhere {
                wrong.push(format!("{}: no metric is called {name}", page.at(*line)));
            }
            if page.path.ends_with("docs/operations.md") {
                described.insert(name.to_owned());
            }
            let labels = code[name.len()..].trim_matches(['{', '}']).split(',').map(name_at_trimmed);
            for label in labels.filter(|label| !label.is_empty() && !figures.label_names().contains(label)) {
                wrong.push(format!("{}: {name} has no label {label}", page.at(*line)));
            }
        }
    }
    let missing: Vec<_> = exported.difference(&described).collect();
    assert!(missing.is_empty(), "docs/operations.md does not describe {missing:?}");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn name_at_trimmed(text: &str) -> &str {
    name_at(text.trim())
}

#[test]
fn a_page_is_read_as_it_is_shown() {
    let text = "# A `b` heading\n## Twice\n## Twice\nSee [it](x.md#a-b-heading) and `a](b)` and `make x`.\n\
                ```sh\nmake y # [no](link)\n```\n```mermaid\nmake z\n```\n";
    let page = Page::parse(top().join("page.md"), text);
    assert_eq!(page.links, [(4, "x.md#a-b-heading".to_owned())]);
    assert_eq!(page.code, [(6, "make y # [no](link)".to_owned())]);
    let spans: Vec<_> = page.spans.iter().map(|(_, span)| span.as_str()).collect();
    assert_eq!(spans, ["b", "a](b)", "make x"]);
    assert_eq!(page.anchors, ["a-b-heading", "twice", "twice-1"].map(String::from).into());
}
