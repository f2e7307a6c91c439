//! `parlor copy`: what it says while it works, and at its end.

use std::fmt::Write;
use std::path::Path;

use anyhow::{anyhow, ensure};

use crate::storage::{self, Server};

/// Moves everything from a folder into the database of a URL. `say` is given lines of progress. Returns what was copied, in lines.
pub async fn copy(from: &Path, to: &str, say: impl Fn(&str)) -> anyhow::Result<String> {
    ensure!(from.join("parlor.db").exists(), "there is no database in the folder {}", from.display());
    let server = Server::parse(to).map_err(|error| anyhow!("--to: {error}"))?;
    let progress = |table: &str, rows: u64| say(&format!("{table}: {rows} rows\n"));
    let copied = storage::copy(from, server, super::wall_clock(), progress).await?;
    let mut said = String::new();
    for (table, rows) in &copied {
        // Writing into a String cannot fail.
        let _ = writeln!(said, "{table}: {rows}");
    }
    said.push_str("everything is copied; start the nodes with storage.url and the same secrets file\n");
    Ok(said)
}
