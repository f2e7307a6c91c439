//! The order of the house: who may import whom, how files open, how long they are, what they are called.
//! Each rule looks at one file's text, and has an example here that it must refuse.

use std::fs;
use std::path::Path;

/// Which modules of the crate a module may name. What is not listed may be named by nobody but `app`.
const IMPORTS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("config", &[]),
    ("secrets", &["domain"]),
    ("breakdown", &["domain"]),
    ("test_clock", &["domain"]),
    ("bus", &["domain"]),
    ("storage", &["breakdown", "bus", "domain"]),
    ("live", &["breakdown", "bus", "domain", "storage"]),
    ("chat", &["config", "domain", "storage", "live"]),
    ("api", &["chat", "domain", "config", "web"]),
    ("http", &["domain", "api", "live", "config"]),
    ("web", &[]),
    ("metrics", &[]),
    ("stderr", &[]),
    (
        "app",
        &[
            "domain",
            "config",
            "secrets",
            "bus",
            "storage",
            "live",
            "chat",
            "api",
            "http",
            "metrics",
            "web",
            "stderr",
            "test_clock",
        ],
    ),
    ("cli", &["app", "config", "stderr"]),
];
/// Libraries that stay behind one door, with the modules that may open it.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("rusqlite", &["storage"]),
    ("tokio_postgres", &["storage"]),
    ("async_nats", &["bus"]),
    ("poem", &["api", "http", "web"]),
    ("poem_openapi", &["api", "http"]),
];
/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc", "part2"];
/// Lines at which a file has to be split, for sources and for tests.
const LONGEST: (usize, usize) = (400, 600);

/// A file with its path from the top of the repository.
pub struct File {
    pub path: String,
    pub text: String,
}

impl File {
    /// The first module below the crate's root: `storage` for `src/storage/rooms.rs`, `cli` for `src/cli.rs`.
    fn module(&self) -> Option<&str> {
        self.path.strip_prefix("src/")?.split(['/', '.']).next()
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.starts_with("web/e2e/")
            || self.path.ends_with(".test.ts")
    }

    /// Numbered lines that are no comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(i, l)| (i + 1, l))
    }
}

fn imports(file: &File) -> Vec<String> {
    let Some(module) = file.module().filter(|module| !matches!(*module, "lib" | "main")) else {
        return Vec::new();
    };
    let Some((_, allowed)) = IMPORTS.iter().find(|(known, _)| *known == module) else {
        return vec![format!("{}: {module} has no place in the order of imports", file.path)];
    };
    let mut wrong = Vec::new();
    // Groups such as `use crate::{chat, domain::ids}` are read as one text, whatever its lines.
    let code = file.code().map(|(_, line)| line).collect::<Vec<_>>().join("\n");
    for (start, _) in code.match_indices("crate::") {
        let rest = &code[start + "crate::".len()..];
        for name in first_names(rest) {
            let known = IMPORTS.iter().any(|(known, _)| *known == name);
            if known && name != module && !allowed.contains(&name) {
                wrong.push(format!("{}: {module} may not name {name}", file.path));
            }
        }
    }
    for (library, allowed) in LIBRARIES {
        let named = file.code().find(|(_, line)| names(line, library));
        if let Some((line, _)) = named.filter(|_| !allowed.contains(&module)) {
            wrong.push(format!("{}:{line}: {library} belongs to {}", file.path, allowed.join(", ")));
        }
    }
    wrong
}

/// The first segments of a path or of a group of paths.
fn first_names(rest: &str) -> Vec<&str> {
    let identifier = |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let Some(group) = rest.strip_prefix('{') else { return vec![&rest[..identifier(rest)]] };
    let mut names = Vec::new();
    let mut depth = 0;
    let mut fresh = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && !c.is_whitespace() => {
                names.push(&group[at..at + identifier(&group[at..])]);
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

/// Whether a line names a library as a path, an attribute's part or a derive: `poem::`, but not `poem_openapi::`.
fn names(line: &str, library: &str) -> bool {
    line.match_indices(&format!("{library}::")).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(|before| before.is_alphanumeric() || before == '_')
    })
}

fn headers(file: &File) -> Vec<String> {
    let first = file.text.lines().next().unwrap_or_default();
    let opens = match file.path.rsplit('.').next() {
        Some("rs") => first.starts_with("//! "),
        Some("svelte") => first.starts_with("<!--"),
        _ => first.starts_with("// ") || first.starts_with("/*"),
    };
    if opens { Vec::new() } else { vec![format!("{}: does not open by saying what it owns", file.path)] }
}

fn lengths(file: &File) -> Vec<String> {
    let longest = if file.is_test() { LONGEST.1 } else { LONGEST.0 };
    let lines = file.text.lines().count();
    if lines < longest { Vec::new() } else { vec![format!("{}: {lines} lines; split it by noun", file.path)] }
}

fn empty_names(file: &File) -> Vec<String> {
    let segments = file.path.split('/').map(|segment| segment.split('.').next().unwrap_or(segment));
    let empty = segments.filter(|segment| EMPTY_NAMES.contains(segment));
    empty.map(|name| format!("{}: {name} says nothing", file.path)).collect()
}

/// Outside tests an `unwrap` needs a comment, on its line or above, on why it cannot fail; an `expect` says it itself.
fn impossibilities(file: &File) -> Vec<String> {
    if file.module().is_none() || file.path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let lines: Vec<&str> = file.text.lines().take_while(|line| line.trim() != "#[cfg(test)]").collect();
    let mut wrong = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
        let commented = line.contains("// ") || at > 0 && lines[at - 1].trim_start().starts_with("// ");
        let reason = line
            .split_once(".expect(")
            .map(|(_, rest)| format!("{rest} {}", lines.get(at + 1).unwrap_or(&"")));
        let silent =
            reason.is_some_and(|reason| reason.split('"').nth(1).unwrap_or("").split(' ').count() < 2);
        if (line.contains(".unwrap()") || silent) && !commented {
            wrong.push(format!("{}:{}: says nothing about why it cannot fail", file.path, at + 1));
        }
    }
    wrong
}

/// A test that sleeps is slow when all is well and fails when the machine is slow.
fn sleeps(file: &File) -> Vec<String> {
    let sleeps = |line: &str| ["sleep(", "waitForTimeout("].iter().any(|call| line.contains(call));
    let found = file.code().filter(|(_, line)| file.is_test() && sleeps(line));
    found.map(|(line, _)| format!("{}:{line}: waits for time; wait for a state", file.path)).collect()
}

#[test]
fn the_house_is_in_order() {
    let files = files();
    assert!(files.len() > 20, "the walk found only {} files", files.len());
    let mut wrong = Vec::new();
    for file in &files {
        for rule in [imports, headers, lengths, empty_names, impossibilities] {
            wrong.extend(rule(file));
        }
        // These rules name what they forbid.
        if !file.path.ends_with("system/tidy.rs") {
            wrong.extend(sleeps(file));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_top_level_holds_only_what_belongs_there() {
    let belongs = [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "web",
        "openapi",
        "tests",
        "benches",
        "docs",
        "config.toml",
        "deny.toml",
        "rust-toolchain.toml",
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "LICENSE",
        "CHANGELOG.md",
        "Makefile",
        "target",
        "data",
    ];
    let top = fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap();
    let names = top.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let strangers: Vec<_> =
        names.filter(|name| !name.starts_with('.') && !belongs.contains(&name.as_str())).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}

#[test]
fn each_rule_refuses_its_example() {
    let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
    let refused =
        |rule: fn(&File) -> Vec<String>, path: &str, text: &str| !rule(&file(path, text)).is_empty();

    assert!(refused(imports, "src/domain/room.rs", "use crate::storage::Rooms;"));
    assert!(refused(imports, "src/chat/rooms.rs", "use crate::{domain::ids::RoomId, api::{problem, fail}};"));
    assert!(refused(imports, "src/chat/rooms.rs", "use crate::{\n    domain::ids,\n    http,\n};"));
    assert!(refused(imports, "src/api/rooms.rs", "let x = crate::storage::open();"));
    assert!(refused(imports, "src/cli.rs", "use crate::chat::Accounts;"));
    assert!(refused(imports, "src/extra.rs", ""));
    assert!(refused(imports, "src/chat/rooms.rs", "use poem::Request;"));
    assert!(refused(imports, "src/app.rs", "rusqlite::Connection::open(\"\")"));
    assert!(refused(imports, "src/chat/rooms.rs", "use tokio_postgres::Client;"));
    assert!(!refused(imports, "src/app.rs", "use crate::{chat, http::front};\n/// Not `rusqlite::Row`."));
    assert!(!refused(imports, "src/http/mod.rs", "use poem::Request;"));
    assert!(!refused(imports, "src/chat/rooms.rs", "use crate::domain::ids;\nuse crate::chat::Error;"));

    assert!(refused(headers, "src/chat/rooms.rs", "use std::fmt;"));
    assert!(refused(headers, "web/src/App.svelte", "<script>"));
    assert!(refused(headers, "web/src/app.ts", "import x from 'y';"));
    assert!(!refused(headers, "web/src/App.svelte", "<!-- Owns the frame. -->"));

    assert!(refused(lengths, "src/chat/rooms.rs", &"\n".repeat(400)));
    assert!(refused(lengths, "tests/api/rooms.rs", &"\n".repeat(600)));
    assert!(!refused(lengths, "tests/api/rooms.rs", &"\n".repeat(400)));

    assert!(refused(empty_names, "src/chat/util.rs", ""));
    assert!(refused(empty_names, "web/src/helpers/text.ts", ""));

    assert!(refused(impossibilities, "src/app.rs", "x.unwrap()"));
    assert!(refused(impossibilities, "src/app.rs", "x.expect(\"works\")"));
    assert!(!refused(impossibilities, "src/app.rs", "// A literal.\nx.unwrap()"));
    assert!(!refused(impossibilities, "src/app.rs", "x.expect(\"a literal is valid\")"));
    assert!(!refused(impossibilities, "src/app.rs", "#[cfg(test)]\nmod tests { fn t() { x.unwrap(); } }"));

    assert!(refused(sleeps, "tests/api/rooms.rs", "tokio::time::sleep(SECOND).await;"));
    assert!(refused(sleeps, "web/e2e/chat.ts", "await page.waitForTimeout(100);"));
    assert!(!refused(sleeps, "src/live/feeder.rs", "tokio::time::sleep(SECOND).await;"));
}

/// Every source file of ours; what tools make or fetch is left out.
pub fn files() -> Vec<File> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut folders: Vec<_> =
        ["src", "tests", "benches", "web"].iter().map(|folder| top.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir()
                && !matches!(
                    name,
                    "node_modules" | "dist" | "generated" | "test-results" | "playwright-report"
                )
            {
                folders.push(path);
            } else if matches!(path.extension().and_then(|e| e.to_str()), Some("rs" | "ts" | "svelte")) {
                let text = fs::read_to_string(&path).unwrap();
                files.push(File { path: path.strip_prefix(top).unwrap().to_str().unwrap().to_owned(), text });
            }
        }
    }
    files
}
