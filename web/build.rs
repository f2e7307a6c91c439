//! Embeds the built web client: writes a table of the files in `web/dist` for `src/web.rs`. It runs no other program, so
//! that checking the server never needs Node.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const MISSING: &str = "the web client is not built: run `make run`";

const PLACEHOLDER: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Parlor</title></head>\n\
    <body><p>The web client is not built: run <code>make run</code>.</p></body></html>\n";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=web/build.rs");
    println!("cargo::rerun-if-changed=web/dist");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
    let dist = root.join("web/dist");
    if dist.join("index.html").is_file() {
        return fs::write(out.join("web_files.rs"), table(&dist)?);
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
    fs::write(out.join("web_files.rs"), table(&placeholder)?)
}

/// `&[File { path, etag, plain, br, gz }, ...]`, sorted by path.
fn table(dist: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    collect(dist, "", &mut files)?;
    files.sort();
    let mut table = String::from("&[\n");
    for path in &files {
        let file = dist.join(path);
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

/// The same for the same bytes, on every machine. Not a secret, and nobody can gain by a collision.
fn fingerprint(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
