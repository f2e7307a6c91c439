//! The guide to the example clients shows what stands in them: `make clients` runs its commands, and here its snippets are
//! looked up in the programs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What tools make or fetch beside the programs.
const MADE: &[&str] =
    &["node_modules", "generated", "dist", "target", "build", ".venv", "parlor_client", ".mypy_cache"];

fn openapi(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi").join(path)
}

fn guide() -> String {
    fs::read_to_string(openapi("README.md")).unwrap()
}

/// The name of each client, or of what else there is in the folder `kind`, and its section of the guide.
fn sections<'g>(guide: &'g str, kind: &str) -> Vec<(&'g str, &'g str)> {
    let folder = format!("]({kind}/");
    let parts = guide.split("\n### ").skip(1).map(|part| part.split("\n## ").next().unwrap());
    let named = parts.filter_map(|part| {
        let heading = part.lines().next().unwrap();
        Some((heading.split_once(&folder)?.1.strip_suffix(')')?, part))
    });
    named.collect()
}

/// The fenced blocks: what stands behind the fence, and the lines.
fn blocks(section: &str) -> Vec<(&str, Vec<&str>)> {
    let mut lines = section.lines();
    let mut blocks = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            blocks.push((kind, lines.by_ref().take_while(|line| *line != "```").collect()));
        }
    }
    blocks
}

/// The files of a program with their texts, whatever folders it keeps them in.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !MADE.contains(&name) {
            files.extend(self::files(&path));
        } else if path.is_file() {
            files.extend(fs::read_to_string(&path).map(|text| (name.to_owned(), text)));
        }
    }
    files
}

/// Whether a file is part of the example itself: not its faults, not what drives it, not what tools read.
fn is_example(name: &str) -> bool {
    let (stem, kind) = name.split_once('.').unwrap_or((name, ""));
    ["ts", "py", "go", "java", "kt", "php", "rb", "rs", "html"].contains(&kind) && !stem.starts_with("faults")
}

/// Whether these lines follow each other in a text, however they are indented.
fn stands_in(snippet: &[&str], text: &str) -> bool {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let snippet: Vec<_> = snippet.iter().map(|line| line.trim()).collect();
    lines.windows(snippet.len()).any(|window| window == snippet)
}

#[test]
fn each_client_has_a_section_and_each_section_a_client() {
    let guide = guide();
    for (kind, least) in [("clients", 11), ("checks", 2)] {
        let described: BTreeSet<_> =
            sections(&guide, kind).into_iter().map(|(name, _)| name.to_owned()).collect();
        let entries = fs::read_dir(openapi(kind)).unwrap().map(|entry| entry.unwrap());
        let there: BTreeSet<_> = entries
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        assert!(there.len() >= least, "{there:?}");
        assert_eq!(described, there);
    }
}

/// Without the option some targets of OpenAPI Generator make clients that refuse an answer with a field more.
#[test]
fn every_client_by_openapi_generator_lets_answers_grow() {
    const OPTION: &str = "disallowAdditionalPropertiesIfNotPresent";
    let guide = guide();
    let mut made = Vec::new();
    for kind in ["clients", "checks"] {
        for (name, section) in sections(&guide, kind) {
            let pom = fs::read_to_string(openapi(kind).join(name).join("pom.xml")).unwrap_or_default();
            if section.contains("openapi-generator-cli generate") {
                assert!(section.contains(&format!("{OPTION}=false")), "{name}");
                made.push(name);
            } else if pom.contains("openapi-generator-maven-plugin") {
                assert!(pom.contains(&format!("<{OPTION}>false</{OPTION}>")), "{name}");
                made.push(name);
            }
        }
    }
    assert_eq!(made, ["python-generator", "go", "java", "kotlin", "php", "ruby", "c"]);
}

#[test]
fn a_snippet_of_the_guide_stands_in_the_program() {
    let mut wrong = Vec::new();
    let guide = guide();
    for (name, section) in sections(&guide, "clients") {
        let files = files(&openapi("clients").join(name));
        let blocks = blocks(section);
        let snippets: Vec<_> = blocks.iter().filter(|(kind, _)| !kind.starts_with("sh")).collect();
        if snippets.is_empty() {
            wrong.push(format!("{name}: shows no line of the program"));
        }
        for (kind, lines) in snippets {
            if !files.iter().any(|(_, text)| stands_in(lines, text)) {
                wrong.push(format!("{name}: stands in no file:\n```{kind}\n{}\n```", lines.join("\n")));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_guide_tells_how_long_each_example_is() {
    let guide = guide();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let table: Vec<_> = guide.lines().filter(|line| line.starts_with("| `")).map(cells).collect();
    for (name, _) in sections(&guide, "clients") {
        let files = files(&openapi("clients").join(name));
        let example = files.iter().filter(|(file, _)| is_example(file));
        let lines: usize = example.map(|(_, text)| text.lines().count()).sum();
        let row = table.iter().find(|row| row[1] == format!("`{name}`")).expect(name);
        assert_eq!(row[2], lines.to_string(), "the lines of {name}");
    }
}

#[test]
fn what_the_guide_links_to_is_there() {
    let guide = guide();
    let links = guide.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    let links: Vec<_> = links.filter(|link| !link.starts_with("http") && !link.starts_with('#')).collect();
    assert!(links.len() > 4, "{links:?}");
    for link in links {
        assert!(openapi(link).exists(), "{link}");
    }
}

#[test]
fn a_snippet_is_compared_line_by_line() {
    let text = "fn a() {\n    b();\n    c();\n}\n";
    assert!(stands_in(&["b();", "c();"], text));
    assert!(!stands_in(&["b();", "d();"], text) && !stands_in(&["c();", "b();"], text));
}
