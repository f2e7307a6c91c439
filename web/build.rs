//! Embeds the built web client and the example page: writes a table of their files for `src/web.rs`, and the policy under
//! which the example runs. It runs no other program, so that checking the server never needs Node.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const MISSING: &str = "the web client is not built: run `make run`";

/// Where the example is served, among the files of the client, and where it stands.
const EXAMPLE: (&str, &str) = ("docs/example.html", "openapi/clients/browser/index.html");

const PLACEHOLDER: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Parlor</title></head>\n\
    <body><p>The web client is not built: run <code>make run</code>.</p></body></html>\n";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=web/build.rs");
    println!("cargo::rerun-if-changed=web/dist");
    println!("cargo::rerun-if-changed={}", EXAMPLE.1);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
    let example = root.join(EXAMPLE.1);
    fs::write(out.join("example_policy.txt"), policy(&fs::read_to_string(&example)?)?)?;
    let dist = root.join("web/dist");
    if dist.join("index.html").is_file() {
        return fs::write(out.join("web_files.rs"), table(&dist, &example)?);
    }
    if env::var("PROFILE").as_deref() == Ok("release") {
        println!("cargo::error={MISSING}");
        return Ok(());
    }
    println!("cargo::warning={MISSING}");
    let placeholder = out.join("placeholder");
    fs::create_dir_all(placeholder.join("docs"))?;
    fs::write(placeholder.join("index.html"), PLACEHOLDER)?;
    fs::write(placeholder.join("docs/index.html"), PLACEHOLDER)?;
    fs::write(out.join("web_files.rs"), table(&placeholder, &example)?)
}

/// `&[File { path, etag, plain, br, gz }, ...]`, sorted by path.
fn table(dist: &Path, example: &Path) -> io::Result<String> {
    let mut files = vec![EXAMPLE.0.to_owned()];
    collect(dist, "", &mut files)?;
    files.sort();
    let mut table = String::from("&[\n");
    for path in &files {
        let file = if path == EXAMPLE.0 { example.to_owned() } else { dist.join(path) };
        let variant = |suffix: &str| {
            let variant = dist.join(format!("{path}.{suffix}"));
            if variant.is_file() { format!("Some({})", include(&variant)) } else { "None".to_owned() }
        };
        let etag = fingerprint(&fs::read(&file)?);
        writeln!(
            table,
            "    File {{ path: {path:?}, etag: \"{etag}\", plain: {}, br: {}, gz: {} }},",
            include(&file),
            variant("br"),
            variant("gz"),
        )
        .map_err(io::Error::other)?;
    }
    table.push(']');
    Ok(table)
}

fn include(file: &Path) -> String {
    format!("include_bytes!(\"{}\")", file.display().to_string().escape_default())
}

/// The paths of all files, with `/` between folders, but not the packed variants of others.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|_| io::ErrorKind::InvalidFilename)?;
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else if !matches!(name.rsplit_once('.'), Some((_, "br" | "gz"))) {
            files.push(path);
        }
    }
    Ok(())
}

/// The page may run its own script and style, named by their hashes, reach its own server, and nothing else.
fn policy(page: &str) -> io::Result<String> {
    let hash = |tag: &str| {
        let (begin, end) = (format!("<{tag}"), format!("</{tag}>"));
        let inside = |rest: &str| Some(rest.split_once('>')?.1.split_once(&end)?.0.to_owned());
        let mut found = page.split(&begin).skip(1).filter_map(inside);
        match (found.next(), found.next()) {
            (Some(text), None) => Ok(format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))),
            _ => Err(io::Error::other(format!("{}: not one {tag}", EXAMPLE.1))),
        }
    };
    Ok(format!(
        "default-src 'none'; script-src {}; style-src {}; img-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'",
        hash("script")?,
        hash("style")?,
    ))
}

/// Depends on the bytes alone, so it is equal on every machine. It is no secret, and a collision gains nobody anything.
fn fingerprint(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
