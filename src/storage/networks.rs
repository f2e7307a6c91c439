//! Known networks in the store: from which networks people signed in, as keyed hashes.

use super::Store;
use super::error::{Error, Failure, Stop};
use super::journal::Transaction;
use super::sql::{Row, statements};
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
        self.all(RECENT.bind(most), tag_of).await
    }
}

/// Notes that somebody signed in, or made an account, from a network.
pub(super) async fn note(
    tx: &mut Transaction,
    user: UserId,
    network: NetworkTag,
    at: Timestamp,
) -> Result<(), Stop> {
    NOTE.bind(user).bind(&network.as_bytes()[..]).bind(at).run(tx.sql()).await?;
    FORGET_SURPLUS.bind(user).bind(PER_USER).run(tx.sql()).await?;
    Ok(())
}

fn tag_of(row: &Row<'_>) -> Result<NetworkTag, Failure> {
    let bytes = row.get::<Vec<u8>, _>("network")?.try_into();
    bytes.map(NetworkTag::from_bytes).map_err(|_| Failure::fault("a network has another length".into()))
}
