//! The server's own keys, in a file that only its owner can read: made at the first start, or given to each node by the operator.
//! Knows the file and its form, not what the keys are used for.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::domain::ids::Ids;
use crate::domain::keys::{Fingerprint, ROOT};

/// Bytes of every key.
pub const KEY_BYTES: usize = 32;
/// Keys that sign or are still accepted; a rotation needs two.
const MAX_TOKEN_KEYS: usize = 3;

/// 32 secret bytes. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; KEY_BYTES]);

impl Secret {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A key of access tokens and its name in their header.
#[derive(Clone, Debug)]
pub struct TokenKey {
    pub kid: String,
    pub secret: Secret,
}

/// What a file of keys holds.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// The first one signs, all are accepted.
    pub token_keys: Vec<TokenKey>,
    /// Keys refresh tokens and the hashes of repeated content.
    pub root: Secret,
}

/// The keys that a node starts with.
#[derive(Clone, Debug)]
pub struct Found {
    pub secrets: Secrets,
    pub file: PathBuf,
    /// There is no such file yet: the keys were drawn for this start.
    pub is_new: bool,
}

/// Why the keys cannot be read or made. Each is one line for the person who started the program.
#[derive(Debug, Error)]
pub enum SecretsError {
    #[error(
        "the file of keys {0} cannot be read or made: {1}; make it readable, or name another one in auth.secrets_file"
    )]
    Io(PathBuf, std::io::Error),
    #[error("there is no file {0}, which auth.secrets_file names; `parlor secrets new` prints one")]
    Missing(PathBuf),
    #[error("{0} can be read by others; run `chmod 600` on it")]
    Exposed(PathBuf),
    #[error("{0} is not a file of keys: {1}; `parlor secrets new` prints one")]
    Malformed(PathBuf, &'static str),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    root: String,
    token_keys: Vec<WrittenKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    kid: String,
    secret: String,
}

const PREFACE: &str = "\
# The keys of a Parlor server. Keep this file secret, and a copy of it with each backup of the database. All nodes of one
# database have the same. The first token key signs access tokens; all of them are accepted. To change keys take the token
# key of a file that `parlor secrets new` prints, add it as the last one, and restart each node; then make it the first one,
# and restart each node; remove the old one a day later. With another root everybody has to sign in again.
";

impl Secrets {
    /// Draws new ones, which no file has yet.
    pub fn draw(ids: Ids) -> Self {
        let secret = || Secret(ids.random_bytes());
        let kid = URL_SAFE_NO_PAD.encode(ids.random_bytes::<6>());
        Self { token_keys: vec![TokenKey { kid, secret: secret() }], root: secret() }
    }

    /// Reads the file that was named, or else `folder/secrets.toml`. Only the latter may be missing.
    pub fn find(named: Option<&Path>, folder: &Path, ids: Ids) -> Result<Found, SecretsError> {
        let file = named.map_or_else(|| folder.join("secrets.toml"), Path::to_owned);
        match Self::read(&file)? {
            Some(secrets) => Ok(Found { secrets, file, is_new: false }),
            None if named.is_some() => Err(SecretsError::Missing(file)),
            None => Ok(Found { secrets: Self::draw(ids), file, is_new: true }),
        }
    }

    /// Reads a file. None if there is no such file.
    fn read(path: &Path) -> Result<Option<Self>, SecretsError> {
        let broken = |error| SecretsError::Io(path.to_owned(), error);
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(broken(error)),
        };
        if file.metadata().map_err(broken)?.mode() & 0o077 != 0 {
            return Err(SecretsError::Exposed(path.to_owned()));
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(broken)?;
        Self::parse(&text).map(Some).map_err(|why| SecretsError::Malformed(path.to_owned(), why))
    }

    /// Writes them into a new file. Its folder is made if it is missing, for its owner alone.
    pub fn keep(&self, path: &Path) -> Result<(), SecretsError> {
        // Written under another name and then renamed: a crash leaves either no file or a whole one.
        let draft = path.with_extension("new");
        let write = || {
            let folder = path.parent().unwrap_or(Path::new("/"));
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            // A draft that a crash has left behind would keep its mode.
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
            file.write_all(self.to_text().as_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, path)?;
            // The database knows the keys from now on, so the name has to last as well.
            File::open(folder)?.sync_all()
        };
        write().map_err(|error| SecretsError::Io(path.to_owned(), error))
    }

    /// By what a database recognises them.
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        let fingerprint = |id: &str, secret: &Secret| {
            let hash =
                Sha256::new().chain_update(b"fingerprint of a key\0").chain_update(secret.bytes()).finalize();
            Fingerprint { id: id.to_owned(), hash: hash.into() }
        };
        let token_keys = self.token_keys.iter().map(|key| fingerprint(&key.kid, &key.secret));
        [fingerprint(ROOT, &self.root)].into_iter().chain(token_keys).collect()
    }

    /// The text of a file of these keys.
    pub fn to_text(&self) -> String {
        let encode = |secret: &Secret| URL_SAFE_NO_PAD.encode(secret.bytes());
        let keys = self.token_keys.iter().map(|key| {
            format!("\n[[token_keys]]\nkid = \"{}\"\nsecret = \"{}\"\n", key.kid, encode(&key.secret))
        });
        format!("{PREFACE}root = \"{}\"\n{}", encode(&self.root), keys.collect::<String>())
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        // The parser's own message would quote the line, and with it the key.
        let file: Written = toml::from_str(text)
            .map_err(|_| "it wants `root` and `[[token_keys]]` with `kid` and `secret`")?;
        if file.token_keys.is_empty() || file.token_keys.len() > MAX_TOKEN_KEYS {
            return Err("it wants one to three token keys");
        }
        let mut token_keys: Vec<TokenKey> = Vec::new();
        for key in file.token_keys {
            let is_name =
                (1..=64).contains(&key.kid.len()) && key.kid.bytes().all(|byte| byte.is_ascii_graphic());
            if !is_name || key.kid == ROOT || token_keys.iter().any(|other| other.kid == key.kid) {
                return Err(
                    "each token key wants a kid of its own, of 1 to 64 letters, digits and signs, and not `root`",
                );
            }
            token_keys.push(TokenKey { kid: key.kid, secret: decode(&key.secret)? });
        }
        Ok(Self { token_keys, root: decode(&file.root)? })
    }
}

fn decode(text: &str) -> Result<Secret, &'static str> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    let secret: [u8; KEY_BYTES] = bytes.ok_or("each key is 32 bytes as base64url without padding")?;
    // Zeros and sample values are no secrets. 32 random bytes hardly ever have fewer than 16 different values.
    let distinct = secret.iter().collect::<std::collections::HashSet<_>>().len();
    if distinct < 16 { Err("a key is not random enough") } else { Ok(Secret(secret)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_kept_are_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        assert!(Secrets::read(&path).unwrap().is_none());
        let drawn = Secrets::draw(Ids::SYSTEM);
        drawn.keep(&path).unwrap();
        let read = Secrets::read(&path).unwrap().unwrap();
        assert_eq!(drawn.root, read.root);
        assert_eq!(drawn.fingerprints(), read.fingerprints());
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_kid_is_a_name_of_its_own() {
        let of_kids = |kids: &[&str]| {
            let mut secrets = Secrets::draw(Ids::SYSTEM);
            let key = secrets.token_keys.remove(0);
            secrets.token_keys =
                kids.iter().map(|kid| TokenKey { kid: (*kid).to_owned(), ..key.clone() }).collect();
            Secrets::parse(&secrets.to_text()).map(|read| read.token_keys.len())
        };
        assert_eq!(of_kids(&["2026-11", "2026-12", "x"]), Ok(3));
        for kids in [&["a", "a"] as &[&str], &[""], &["root"], &["a b"], &["a", "b", "c", "d"], &[]] {
            assert!(of_kids(kids).is_err(), "{kids:?}");
        }
    }

    #[test]
    fn weak_and_malformed_keys_are_refused_without_showing_them() {
        for bad in [
            "root = \"hunter2\"",
            "root = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"\n[[token_keys]]\nkid=\"a\"\nsecret=\"x\"",
        ] {
            let why = Secrets::parse(bad).unwrap_err();
            assert!(!why.contains("hunter2"));
        }
    }
}
