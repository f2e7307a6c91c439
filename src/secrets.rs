//! The server's own keys: made at the first start and kept in the data folder, where only its owner can read them. Knows the file
//! and its form, not what the keys are used for.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::ids::Ids;

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

/// What the data folder's `secrets.toml` holds.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// The first one signs, all are accepted.
    pub token_keys: Vec<TokenKey>,
    /// Keys refresh tokens and the hashes of repeated content.
    pub root: Secret,
}

/// Why the keys cannot be read or made. Each is one line for the person who started the program.
#[derive(Debug, Error)]
pub enum SecretsError {
    #[error("the keys in {0} cannot be read or made: {1}")]
    Io(PathBuf, std::io::Error),
    #[error("{0} can be read by others; run `chmod 600` on it")]
    Exposed(PathBuf),
    #[error("{0} is not a file of keys: {1}")]
    Malformed(PathBuf, &'static str),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    root: String,
    token_keys: Vec<FileKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileKey {
    kid: String,
    secret: String,
}

const PREFACE: &str = "\
# The server's keys, made on the first start. Keep this file with the database, and secret.
# The first token key signs access tokens; the others are still accepted. To change keys put a new one first
# (32 random bytes as base64url without padding, and a kid of its own), restart, and remove the old one a day later.
";

impl Secrets {
    /// Reads `folder/secrets.toml`, and makes it if it is absent. The folder must exist.
    pub fn open(folder: &Path, ids: Ids) -> Result<Self, SecretsError> {
        let path = folder.join("secrets.toml");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Self::make(&path, ids),
            Err(e) => return Err(SecretsError::Io(path, e)),
        };
        let mode = fs::metadata(&path).map_err(|e| SecretsError::Io(path.clone(), e))?.mode();
        if mode & 0o077 != 0 {
            return Err(SecretsError::Exposed(path));
        }
        Self::parse(&text).map_err(|why| SecretsError::Malformed(path, why))
    }

    fn make(path: &Path, ids: Ids) -> Result<Self, SecretsError> {
        let secrets = Self {
            token_keys: vec![TokenKey {
                kid: URL_SAFE_NO_PAD.encode(ids.random_bytes::<6>()),
                secret: draw(ids),
            }],
            root: draw(ids),
        };
        // Written under another name and then renamed: a crash leaves either no file or a whole one.
        let draft = path.with_extension("new");
        let write = || {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            // A draft that a crash has left behind would keep its mode.
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
            file.write_all(secrets.to_text().as_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, path)
        };
        write().map_err(|e| SecretsError::Io(path.to_owned(), e))?;
        Ok(secrets)
    }

    fn to_text(&self) -> String {
        let encode = |secret: &Secret| URL_SAFE_NO_PAD.encode(secret.bytes());
        let keys = self.token_keys.iter().map(|key| {
            format!("\n[[token_keys]]\nkid = \"{}\"\nsecret = \"{}\"\n", key.kid, encode(&key.secret))
        });
        format!("{PREFACE}root = \"{}\"\n{}", encode(&self.root), keys.collect::<String>())
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        // The parser's own message would quote the line, and with it the key.
        let file: File = toml::from_str(text)
            .map_err(|_| "it wants `root` and `[[token_keys]]` with `kid` and `secret`")?;
        if file.token_keys.is_empty() || file.token_keys.len() > MAX_TOKEN_KEYS {
            return Err("it wants one to three token keys");
        }
        let mut token_keys: Vec<TokenKey> = Vec::new();
        for key in file.token_keys {
            if key.kid.is_empty() || key.kid.len() > 64 || token_keys.iter().any(|other| other.kid == key.kid)
            {
                return Err("each token key wants a kid of its own, up to 64 characters");
            }
            token_keys.push(TokenKey { kid: key.kid, secret: decode(&key.secret)? });
        }
        Ok(Self { token_keys, root: decode(&file.root)? })
    }
}

fn draw(ids: Ids) -> Secret {
    Secret(ids.random_bytes())
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
    fn keys_are_made_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let made = Secrets::open(folder.path(), Ids::SYSTEM).unwrap();
        let read = Secrets::open(folder.path(), Ids::SYSTEM).unwrap();
        assert_eq!(made.root, read.root);
        assert_eq!(made.token_keys[0].kid, read.token_keys[0].kid);
        let file = fs::metadata(folder.path().join("secrets.toml")).unwrap();
        assert_eq!(file.mode() & 0o777, 0o600);
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
