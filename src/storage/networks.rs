//! Known networks in the store: from which networks people signed in, as keyed hashes.

use sqlx::Row;

use super::Store;
use super::error::{Error, Stop};
use super::statements::statements;
use super::writing::Writing;
use crate::domain::clock::Timestamp;
use crate::domain::ids::UserId;
use crate::domain::network::NetworkTag;

/// Networks that are kept of one person. The one that was used least recently is forgotten.
const PER_USER: i64 = 16;

statements! {
    RECENT = "SELECT network FROM known_networks ORDER BY used_at DESC LIMIT $1";
    NOTE = "INSERT INTO known_networks (user_id, network, used_at) VALUES ($1, $2, $3) \
            ON CONFLICT (user_id, network) DO UPDATE SET used_at = $3";
    FORGET_SURPLUS = "DELETE FROM known_networks WHERE user_id = $1 AND network IN (SELECT network FROM known_networks \
                      WHERE user_id = $1 ORDER BY used_at DESC LIMIT 1000 OFFSET $2)";
}

impl Store {
    /// The networks that somebody signed in from last, `most` of them.
    pub async fn recent_networks(&self, most: usize) -> Result<Vec<NetworkTag>, Error> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = RECENT.query().bind(most).fetch_all(&self.readers).await?;
        let tag = |row: &sqlx::sqlite::SqliteRow| {
            let bytes: &[u8] = row.try_get(0)?;
            bytes
                .try_into()
                .map(NetworkTag::from_bytes)
                .map_err(|_| sqlx::Error::Decode("a network has another length".into()))
        };
        Ok(rows.iter().map(tag).collect::<Result<_, sqlx::Error>>()?)
    }
}

/// Notes that somebody signed in, or made an account, from a network.
pub(super) async fn note(
    w: &mut Writing,
    user: UserId,
    network: NetworkTag,
    at: Timestamp,
) -> Result<(), Stop> {
    NOTE.query().bind(user.uuid()).bind(&network.as_bytes()[..]).bind(at.micros()).execute(w.sql()).await?;
    FORGET_SURPLUS.query().bind(user.uuid()).bind(PER_USER).execute(w.sql()).await?;
    Ok(())
}
