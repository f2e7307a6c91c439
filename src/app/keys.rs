//! The keys of a node that serves: from their file to what signs with them, and to what the database is told of them.

use crate::config::Config;
use crate::domain::ids::Ids;
use crate::secrets::{Secrets, SecretsError};
use crate::storage::{Keep, NodeKeys};

/// Finds the keys. New ones are kept in their file when the database has agreed to them.
pub(super) fn of_node(config: &Config, ids: Ids) -> Result<(Secrets, NodeKeys), SecretsError> {
    let found = Secrets::find(config.auth.secrets_file.as_deref(), &config.storage.data, ids)?;
    let (secrets, file) = (found.secrets.clone(), found.file.clone());
    let keep: Keep = Box::new(move || secrets.keep(&file).map_err(|error| error.to_string()));
    let fingerprints = found.secrets.fingerprints();
    let keys = NodeKeys { fingerprints, file: found.file, keep: found.is_new.then_some(keep) };
    Ok((found.secrets, keys))
}
