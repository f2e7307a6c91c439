//! Which keys the nodes of this database have, so that none serves it with others: by their fingerprints, never the keys
//! themselves. Knows neither the form of the file that they are in nor what they are used for.

use std::fmt;
use std::path::PathBuf;

use super::Store;
use super::error::{Error, Failure, OpenError, Stop};
use super::journal::Transaction;
use super::sql::{Connection, Row, statements};
use crate::domain::keys::{Fingerprint, agree};

statements! {
    KNOWN = "SELECT id, fingerprint FROM keys";
    LEARN = "INSERT INTO keys (id, fingerprint) VALUES ($1, $2)";
    FORGET = "DELETE FROM keys";
}

/// Writes keys into their file; the error is a line for the operator.
pub type Keep = Box<dyn FnOnce() -> Result<(), String> + Send>;

/// The keys of a node that opens the database for serving.
#[derive(Default)]
pub struct NodeKeys {
    /// The file that they are in, as the operator knows it.
    pub file: PathBuf,
    pub fingerprints: Vec<Fingerprint>,
    /// There was no file: the keys were drawn for this start, and this keeps them. None: they were read from the file.
    pub keep: Option<Keep>,
}

impl NodeKeys {
    /// The same, where new ones are only tried.
    pub(super) fn not_kept(self) -> Self {
        let keep = self.keep.map(|_| Box::new(|| Ok(())) as Keep);
        Self { keep, ..self }
    }
}

impl fmt::Debug for NodeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeKeys").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Store {
    /// Forgets all keys. The database learns those of the next node that starts.
    pub async fn forget_keys(&self) -> Result<(), Error> {
        self.journal.write_plain(|tx| Box::pin(forget(tx))).await
    }
}

/// Refuses a node whose keys are not those of the database, and learns keys that are new. A database without any learns all of
/// them. Nothing is changed if the node is refused. `database` is how the operator knows it.
pub(super) async fn check(sql: &mut Connection, keys: NodeKeys, database: &str) -> Result<(), OpenError> {
    let learned = sql.in_transaction(async |sql| learn(sql, keys, database).await).await;
    learned.unwrap_or_else(|failure| Err(OpenError::Database(database.to_owned(), failure)))
}

/// The same in a transaction of the caller's. The inner error is a refusal. It comes before anything is written.
pub(super) async fn learn(
    sql: &mut Connection,
    keys: NodeKeys,
    database: &str,
) -> Result<Result<(), OpenError>, Failure> {
    // Two nodes may start at once.
    sql.lock_out_others().await?;
    let known = KNOWN.query().all(sql, fingerprint_of).await?;
    let new = match agree_on(&known, keys, database) {
        Ok(new) => new,
        Err(refused) => return Ok(Err(refused)),
    };
    for key in new {
        LEARN.bind(key.id).bind(key.hash.to_vec()).run(sql).await?;
    }
    Ok(Ok(()))
}

/// The keys that the database has to learn.
fn agree_on(known: &[Fingerprint], keys: NodeKeys, database: &str) -> Result<Vec<Fingerprint>, OpenError> {
    if let Some(keep) = keys.keep {
        if !known.is_empty() {
            return Err(OpenError::KeysMissing { file: keys.file, database: database.to_owned() });
        }
        // Before the database learns them: a crash in between leaves a file that the next start reads.
        keep().map_err(OpenError::KeysNotKept)?;
    }
    let database = database.to_owned();
    match agree(known, &keys.fingerprints) {
        Ok(new) => Ok(new.into_iter().cloned().collect()),
        Err(why) => Err(OpenError::ForeignKeys { file: keys.file, database, why }),
    }
}

async fn forget(tx: &mut Transaction) -> Result<(), Stop> {
    FORGET.query().run(tx.sql()).await?;
    Ok(())
}

fn fingerprint_of(row: &Row<'_>) -> Result<Fingerprint, Failure> {
    let hash: Vec<u8> = row.get("fingerprint")?;
    let hash = hash.try_into().map_err(|_| Failure::fault("a fingerprint has not 32 bytes".into()))?;
    Ok(Fingerprint { id: row.get("id")?, hash })
}
