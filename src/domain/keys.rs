//! Which keys a node must have in common with the database that it serves. Knows hashes of keys, never a key.

use thiserror::Error;

/// The id of the key that no node may replace alone: refresh tokens and the hashes of repeated content are made with it.
pub const ROOT: &str = "root";

/// A key by its id, and a hash by which it is recognised and from which it cannot be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    pub id: String,
    pub hash: [u8; 32],
}

/// Why a node must not serve a database with its keys, and what its operator can do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Disagreement {
    #[error(
        "the root is another one; put back the file that belongs to the database, from a backup or another node; if it is lost, \
         run `parlor secrets forget` and start again, and everybody has to sign in again"
    )]
    Root,
    #[error(
        "the token key {0} is another one than it was; give a new key an id of its own, or put back the file that belongs to the database"
    )]
    Token(String),
    #[error(
        "none of the token keys is known; add a new key beside a known one, or, if none of those is left, run `parlor secrets forget` \
         and start again"
    )]
    NothingShared,
}

/// Compares the keys of a node with those that the database knows. Gives the ones that it has to learn: all of them if it knows
/// none yet.
pub fn agree<'k>(
    known: &[Fingerprint],
    own: &'k [Fingerprint],
) -> Result<Vec<&'k Fingerprint>, Disagreement> {
    let (mut new, mut has_shared) = (Vec::new(), known.is_empty());
    for key in own {
        match known.iter().find(|known| known.id == key.id) {
            None => new.push(key),
            Some(known) if known.hash == key.hash => has_shared |= key.id != ROOT,
            Some(_) if key.id == ROOT => return Err(Disagreement::Root),
            Some(_) => return Err(Disagreement::Token(key.id.clone())),
        }
    }
    if has_shared { Ok(new) } else { Err(Disagreement::NothingShared) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, secret: u8) -> Fingerprint {
        Fingerprint { id: id.into(), hash: [secret; 32] }
    }

    #[test]
    fn a_node_shares_the_root_and_a_token_key_and_reuses_no_id() {
        let known = [key(ROOT, 0), key("a", 1), key("b", 2)];
        let learns = |own: &[Fingerprint]| agree(&known, own).map(|new| new.into_iter().cloned().collect());
        assert_eq!(learns(&known), Ok(Vec::new()));
        assert_eq!(learns(&[key(ROOT, 0), key("b", 2)]), Ok(Vec::new()));
        assert_eq!(learns(&[key(ROOT, 0), key("c", 3), key("a", 1)]), Ok(vec![key("c", 3)]));
        assert_eq!(learns(&[key(ROOT, 9), key("a", 1)]), Err(Disagreement::Root));
        assert_eq!(learns(&[key(ROOT, 0), key("b", 2), key("a", 9)]), Err(Disagreement::Token("a".into())));
        assert_eq!(learns(&[key(ROOT, 0), key("c", 3)]), Err(Disagreement::NothingShared));
    }

    #[test]
    fn a_new_database_learns_every_key() {
        let own = [key(ROOT, 0), key("a", 1)];
        assert_eq!(agree(&[], &own), Ok(own.iter().collect()));
    }
}
