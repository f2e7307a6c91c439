//! No circle of files: under `src/` no file may need a file that needs it in turn, directly or by way of others. It reads the
//! paths that begin with `crate`, `super` or `self`. A name that a file only hands on is looked for where it is defined. The
//! face of a folder, `mod.rs`, may name the files of its own folder: it puts them together, and they are one part of the house.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::tidy::{File, files};

/// A module's path from the crate's root.
type Module = Vec<String>;

/// What one file says.
#[derive(Default)]
struct Source {
    path: String,
    /// Modules that it declares.
    children: BTreeSet<String>,
    /// Names that it imports, with the paths as they are written, and whether it needs them itself.
    imports: BTreeMap<String, (Vec<String>, bool)>,
    /// Paths in the middle of code, and glob imports.
    paths: Vec<Vec<String>>,
}

type House = BTreeMap<Module, Source>;
/// From one file to another, with a name that ties them.
type Arrows = BTreeMap<String, BTreeMap<String, String>>;

fn module_of(path: &str) -> Module {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut module: Module = path.split('/').map(str::to_owned).collect();
    module.pop_if(|last| matches!(last.as_str(), "mod" | "lib"));
    module
}

/// Identifiers and signs; comments, strings and what is for tests alone are left out.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or(' ');
    let (mut tokens, mut i) = (Vec::new(), 0);
    while i < chars.len() {
        let c = chars[i];
        if c == '/' && at(i + 1) == '/' {
            i += chars[i..].iter().take_while(|c| **c != '\n').count();
        } else if c == 'r' && (at(i + 1) == '"' || at(i + 1) == '#' && matches!(at(i + 2), '"' | '#')) {
            let hashes = chars[i + 1..].iter().take_while(|c| **c == '#').count();
            let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            let begin = i + 2 + hashes;
            let length = chars[begin..].windows(end.len()).take_while(|window| *window != end).count();
            i = begin + length + end.len();
        } else if c == '"' {
            i += 1;
            while i < chars.len() && chars[i] != '"' {
                i += if chars[i] == '\\' { 2 } else { 1 };
            }
            i += 1;
        } else if c == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'') {
            // A character; a lifetime has no second quote.
            i += 3 + chars[i + 3..]
                .iter()
                .take_while(|_| at(i + 2) != '\'')
                .take_while(|c| **c != '\'')
                .count();
        } else if c.is_alphanumeric() || c == '_' {
            let word: String = chars[i..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
            i += word.chars().count();
            tokens.push(word);
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            i += 1;
        }
    }
    without_tests(&tokens)
}

/// Leaves out each item behind `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut rest, mut i) = (Vec::new(), 0);
    while i < tokens.len() {
        if !tokens[i..].iter().map(String::as_str).take(MARK.len()).eq(MARK) {
            rest.push(tokens[i].clone());
            i += 1;
            continue;
        }
        let mut depth = 0;
        while i < tokens.len() {
            match tokens[i].as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            let is_end = depth == 0 && matches!(tokens[i].as_str(), "}" | ";");
            i += 1;
            if is_end {
                break;
            }
        }
    }
    rest
}

/// The paths of a `use`, each with the name that it is known by here; `i` is behind the keyword, and then at the semicolon.
fn uses(tokens: &[String], i: &mut usize, before: &[String], found: &mut Vec<(String, Vec<String>)>) {
    let mut path = before.to_vec();
    while *i < tokens.len() {
        match tokens[*i].as_str() {
            ":" => *i += 1,
            "{" => {
                *i += 1;
                while *i < tokens.len() && tokens[*i] != "}" {
                    uses(tokens, i, &path, found);
                    *i += usize::from(tokens.get(*i).is_some_and(|token| token == ","));
                }
                *i += 1;
                return;
            }
            "," | "}" | ";" => break,
            "as" => {
                found.push((tokens[*i + 1].clone(), path));
                *i += 2;
                return;
            }
            "self" if path.len() > before.len() || !before.is_empty() => *i += 1,
            segment => {
                path.push(segment.to_owned());
                *i += 1;
            }
        }
    }
    if let Some(name) = path.last().cloned() {
        found.push((name, path));
    }
}

impl Source {
    fn of(file: &File) -> Self {
        let tokens = tokens(&file.text);
        let mut source = Self { path: file.path.clone(), ..Self::default() };
        for two in tokens.windows(3) {
            if two[0] == "mod" && two[2] == ";" {
                source.children.insert(two[1].clone());
            }
        }
        let (mut imported, mut others, mut i) = (Vec::new(), Vec::new(), 0);
        while i < tokens.len() {
            if tokens[i] == "use" && tokens.get(i + 1).is_none_or(|next| next != "<") {
                // `pub use`, `pub(super) use`
                let is_public = i > 0 && matches!(tokens[i - 1].as_str(), "pub" | ")");
                i += 1;
                let mut found = Vec::new();
                uses(&tokens, &mut i, &[], &mut found);
                imported.extend(found.into_iter().map(|(name, path)| (name, path, is_public)));
            } else {
                others.push(tokens[i].as_str());
                i += 1;
            }
        }
        for (at, token) in others.iter().enumerate() {
            let begins = matches!(*token, "crate" | "super" | "self");
            let is_path = others.get(at + 1..at + 3).is_some_and(|next| next == [":", ":"]);
            // `pub(in path)` says who may see it, and needs nothing from there.
            let is_named = at > 0 && matches!(others[at - 1], ":" | "in");
            if begins && is_path && !is_named {
                source.paths.push(path_at(&others[at..]));
            }
        }
        let names: BTreeSet<&str> = others.into_iter().collect();
        for (name, path, is_public) in imported {
            if name == "*" {
                source.paths.push(path[..path.len() - 1].to_vec());
            } else {
                // A trait may be imported for its methods, without being named again; what is public may only be handed on.
                let is_needed = !is_public || names.contains(name.as_str());
                source.imports.insert(name, (path, is_needed));
            }
        }
        source
    }
}

fn path_at(tokens: &[&str]) -> Vec<String> {
    let mut path = vec![tokens[0].to_owned()];
    let mut rest = &tokens[1..];
    while let [":", ":", next, ..] = rest
        && next.starts_with(|c: char| c.is_alphabetic() || c == '_')
    {
        path.push((*next).to_owned());
        rest = &rest[3..];
    }
    path
}

/// The file that defines what a path names in a module. None for other crates.
fn defining(house: &House, module: &[String], path: &[String], depth: usize) -> Option<String> {
    let mut here = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "self" => module.to_vec(),
        "super" => module[..module.len().checked_sub(1)?].to_vec(),
        first if house.get(module)?.children.contains(first) => [module, &[first.to_owned()]].concat(),
        _ => return None,
    };
    for segment in &path[1..] {
        let source = house.get(&here)?;
        if segment == "super" {
            here.pop();
        } else if source.children.contains(segment) {
            here.push(segment.clone());
        } else if let Some((handed_on, _)) = source.imports.get(segment)
            && depth < 8
        {
            return defining(house, &here, handed_on, depth + 1);
        } else {
            break;
        }
    }
    house.get(&here).map(|source| source.path.clone())
}

fn arrows(files: &[File]) -> Arrows {
    let is_source = |path: &Path| path.starts_with("src") && path.extension().is_some_and(|end| end == "rs");
    let sources = files.iter().filter(|file| is_source(Path::new(&file.path)));
    let house: House = sources.map(|file| (module_of(&file.path), Source::of(file))).collect();
    let mut arrows = Arrows::new();
    for (module, source) in &house {
        let needed = source.imports.values().filter(|(_, is_needed)| *is_needed).map(|(path, _)| path);
        for path in needed.chain(&source.paths) {
            let Some(target) = defining(&house, module, path, 0) else { continue };
            let of = module_of(&target);
            let is_own_part = of.len() == module.len() + 1 && of.starts_with(module);
            if target != source.path && !is_own_part {
                let name = path.last().cloned().unwrap_or_default();
                arrows.entry(source.path.clone()).or_default().entry(target).or_insert(name);
            }
        }
    }
    arrows
}

/// The shortest way from a file back to itself, as a text; none if it is in no circle.
fn circle_through(arrows: &Arrows, file: &str) -> Option<String> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut reached = vec![file];
    for i in 0.. {
        let from = *reached.get(i)?;
        for to in arrows.get(from)?.keys() {
            if to == file {
                let mut way = vec![from];
                while let Some(earlier) = before.get(way[way.len() - 1]) {
                    way.push(earlier);
                }
                way.reverse();
                way.push(file);
                let name =
                    |pair: &[&str]| format!("{} -> {} ({})", pair[0], pair[1], arrows[pair[0]][pair[1]]);
                return Some(way.windows(2).map(name).collect::<Vec<_>>().join(", "));
            }
            if !reached.contains(&to.as_str()) {
                before.insert(to, from);
                reached.push(to);
            }
        }
    }
    None
}

fn circles(files: &[File]) -> Vec<String> {
    let arrows = without_dead_ends(arrows(files));
    let all: BTreeSet<String> = arrows.keys().filter_map(|file| circle_through(&arrows, file)).collect();
    all.into_iter().collect()
}

/// Files that need no other one are in no circle, nor are those that need only such.
fn without_dead_ends(mut arrows: Arrows) -> Arrows {
    loop {
        let before = arrows.len();
        let known: BTreeSet<String> = arrows.keys().cloned().collect();
        for targets in arrows.values_mut() {
            targets.retain(|target, _| known.contains(target));
        }
        arrows.retain(|_, targets| !targets.is_empty());
        if arrows.len() == before {
            return arrows;
        }
    }
}

#[test]
fn no_files_need_each_other_in_a_circle() {
    let files = files();
    assert!(arrows(&files).len() > 50, "the imports of only {} files were understood", arrows(&files).len());
    let circles = circles(&files);
    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}

#[test]
fn a_circle_is_found_by_whatever_paths_it_goes() {
    let house = |texts: &[(&str, &str)]| -> Vec<File> {
        let lib = ("src/lib.rs", "mod live; mod domain;");
        let all = std::iter::once(&lib).chain(texts);
        all.map(|(path, text)| File { path: (*path).into(), text: (*text).into() }).collect()
    };
    let found = |texts: &[(&str, &str)]| circles(&house(texts)).join("; ");
    let live = ("src/live/mod.rs", "mod hub; mod open; pub use hub::Hub; pub use open::Live;");

    let both_ways =
        [live, ("src/live/hub.rs", "use super::open::Live;"), ("src/live/open.rs", "use super::{hub::Hub};")];
    let circle = found(&both_ways);
    assert!(circle.contains("src/live/hub.rs -> src/live/open.rs (Live)"), "{circle}");
    assert!(circle.contains("src/live/open.rs -> src/live/hub.rs (Hub)"), "{circle}");

    // By a name that the face of the folder hands on, by a path in the middle of code, and from one folder to another.
    let handed_on = [
        live,
        ("src/live/hub.rs", "use crate::live::Live;"),
        ("src/live/open.rs", "fn f() { super::Hub::new() }"),
    ];
    assert!(!found(&handed_on).is_empty());
    let domain = ("src/domain/mod.rs", "pub mod ids; use crate::live::Hub as Center;");
    let folders = [
        live,
        domain,
        ("src/live/hub.rs", "use super::Live;"),
        ("src/live/open.rs", "use crate::domain::Room;"),
    ];
    assert!(found(&folders).contains("src/domain/mod.rs -> src/live/hub.rs (Hub)"), "{}", found(&folders));
    let one_way = [live, ("src/live/hub.rs", "pub struct Hub;"), ("src/live/open.rs", "use super::Hub;")];
    assert_eq!(found(&one_way), "");
    let said = "// use super::open::Live;\nconst A: &str = \"super::Live\"; #[cfg(test)] mod tests { use super::super::Live; }";
    assert_eq!(found(&[live, ("src/live/hub.rs", said), ("src/live/open.rs", "use super::Hub;")]), "");
    let seen = "pub(in crate::live) struct Hub;";
    assert_eq!(found(&[("src/live/mod.rs", "mod hub; fn f() { hub::Hub }"), ("src/live/hub.rs", seen)]), "");
    let face = ("src/live/mod.rs", "mod hub; use self::hub::Hub; pub struct Live(Hub);");
    let hub = ("src/live/hub.rs", "use super::Live;");
    assert_eq!(found(&[face, hub]), "", "a face and the files of its folder are one part");
}
