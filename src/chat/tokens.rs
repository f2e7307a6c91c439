//! Access and refresh tokens: how they are made and verified. Does not know whether the session of a token is still live.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::ids::{Ids, SessionId, UserId};
use crate::domain::network::NetworkTag;

/// The server makes no longer token, so longer ones are refused unread.
const MAX_TOKEN_BYTES: usize = 4 * 1024;
/// Issuer and audience of every token. That a token is for this server alone is ensured by its keys.
const PARTY: &str = "parlor";
/// How far the clock of the node that has signed a token may be ahead.
const AHEAD: Duration = Duration::from_secs(5);
const TOKEN_TYPE: &str = "at+jwt";

/// A key that signs access tokens: its name in their header, and its 32 secret bytes.
pub struct SigningKey<'a> {
    pub kid: &'a str,
    pub secret: &'a [u8],
}

/// What a valid access token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessToken {
    pub user: UserId,
    pub session: SessionId,
    /// The count of the refresh that it was issued with. All tokens of one refresh have the same.
    pub generation: i64,
    pub expires_at: Timestamp,
}

/// What a valid refresh token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    pub session: SessionId,
    pub generation: i64,
}

/// The claims of an access token (RFC 9068). No roles: rights are read from the store.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    jti: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// The only header that is accepted. A header with any other field, such as `crit`, `jku`, `x5u`, `jwk` or `zip`, is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictHeader {
    #[serde(rename = "alg")]
    _alg: Algorithm,
    typ: String,
    kid: String,
}

struct Key {
    kid: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// Makes and verifies tokens.
pub struct Tokens {
    /// The first key signs. Tokens of all keys are accepted.
    keys: Vec<Key>,
    root: Vec<u8>,
    validation: Validation,
    ids: Ids,
}

impl Tokens {
    /// `keys` must not be empty.
    pub fn new(keys: &[SigningKey<'_>], root: &[u8], ids: Ids) -> Self {
        assert!(!keys.is_empty(), "there is always a key that signs");
        let mut validation = Validation::new(Algorithm::HS256);
        // The library would ask the system for the time: `read_access` is told it.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.set_issuer(&[PARTY]);
        validation.set_audience(&[PARTY]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        let key = |key: &SigningKey<'_>| Key {
            kid: key.kid.to_owned(),
            encoding: EncodingKey::from_secret(key.secret),
            decoding: DecodingKey::from_secret(key.secret),
        };
        Self { keys: keys.iter().map(key).collect(), root: root.to_vec(), validation, ids }
    }

    /// Signs an access token that is valid from `at` until `expires_at`, in whole seconds.
    pub fn access(&self, token: AccessToken, at: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
        let key = &self.keys[0];
        let header = Header {
            typ: Some(TOKEN_TYPE.into()),
            kid: Some(key.kid.clone()),
            ..Header::new(Algorithm::HS256)
        };
        let random = URL_SAFE_NO_PAD.encode(self.ids.random_bytes::<12>());
        let claims = Claims {
            iss: PARTY.into(),
            aud: PARTY.into(),
            sub: token.user.to_string(),
            sid: token.session.to_string(),
            jti: format!("{}.{random}", token.generation),
            iat: at.seconds(),
            nbf: at.seconds(),
            exp: token.expires_at.seconds(),
        };
        jsonwebtoken::encode(&header, &claims, &key.encoding)
    }

    /// What an access token says. None unless one of the keys signed it, it has our form, and `at` is within its time.
    pub fn read_access(&self, token: &str, at: Timestamp) -> Option<AccessToken> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
        let header: StrictHeader = serde_json::from_slice(&header).ok()?;
        if header.typ != TOKEN_TYPE {
            return None;
        }
        let key = self.keys.iter().find(|key| key.kid == header.kid)?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &self.validation).ok()?.claims;
        let expires_at = Timestamp::from_micros(claims.exp.checked_mul(1_000_000)?);
        // In the second of `exp` it is no longer valid (RFC 7519).
        if expires_at <= at || claims.nbf > at.plus(AHEAD).seconds() {
            return None;
        }
        Some(AccessToken {
            user: UserId::parse(&claims.sub)?,
            session: SessionId::parse(&claims.sid)?,
            generation: claims.jti.split_once('.')?.0.parse().ok()?,
            expires_at,
        })
    }

    /// A refresh token. It is made from the session and a count alone, so that the same one can be made again when the answer
    /// that carried it was lost.
    pub fn refresh(&self, token: RefreshToken) -> String {
        let mut bytes = Vec::with_capacity(16 + 8 + 32);
        bytes.extend_from_slice(token.session.uuid().as_bytes());
        bytes.extend_from_slice(&token.generation.to_be_bytes());
        let tag = self.mac("refresh token", &bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a refresh token says. None unless this server made it.
    pub fn read_refresh(&self, token: &str) -> Option<RefreshToken> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (said, tag) = bytes.split_at_checked(24)?;
        self.mac("refresh token", said).verify_slice(tag).ok()?;
        let (session, generation) = said.split_at(16);
        Some(RefreshToken {
            session: SessionId::from_uuid(Uuid::from_slice(session).ok()?),
            generation: i64::from_be_bytes(generation.try_into().ok()?),
        })
    }

    /// A keyed hash of what was sent under a client id. It tells whether a repeat has other content, without keeping what was
    /// said.
    pub fn content_hash(&self, content: &str) -> Vec<u8> {
        self.mac("repeated content", content.as_bytes()).finalize().into_bytes()[..16].to_vec()
    }

    /// The tag by which a network is remembered for an account. `account` is the name to sign in with, in lower case.
    pub fn network_tag(&self, account: &str, network: IpAddr) -> NetworkTag {
        let hash =
            self.mac("known network", format!("{account}\n{network}").as_bytes()).finalize().into_bytes();
        let mut tag = [0; 16];
        tag.copy_from_slice(&hash[..16]);
        NetworkTag::from_bytes(tag)
    }

    fn mac(&self, purpose: &str, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.root).expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(bytes);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Clock;

    const SECRET: [u8; 32] = [7; 32];

    fn mint(kids: &[&str]) -> Tokens {
        let keys: Vec<_> = kids.iter().map(|kid| SigningKey { kid, secret: &SECRET }).collect();
        Tokens::new(&keys, &SECRET, Ids::SYSTEM)
    }

    fn token(seconds: u64) -> AccessToken {
        let expires_at = Timestamp::from_micros((Clock::SYSTEM.now().seconds()) * 1_000_000)
            .plus(Duration::from_secs(seconds));
        AccessToken { user: Ids::SYSTEM.user(), session: Ids::SYSTEM.session(), generation: 3, expires_at }
    }

    #[test]
    fn a_token_of_the_older_key_is_still_read_after_a_rotation() {
        let token = token(60);
        let text = mint(&["old"]).access(token, Clock::SYSTEM.now()).unwrap();
        assert_eq!(mint(&["new", "old"]).read_access(&text, Clock::SYSTEM.now()), Some(token));
        assert_eq!(mint(&["new"]).read_access(&text, Clock::SYSTEM.now()), None);
    }

    #[test]
    fn tampered_foreign_and_expired_tokens_are_worth_nothing() {
        let mint = mint(&["k"]);
        let good = mint.access(token(60), Clock::SYSTEM.now()).unwrap();
        assert!(mint.read_access(&good, Clock::SYSTEM.now()).is_some());
        let expired = mint.access(token(0), Clock::SYSTEM.now().minus(Duration::from_secs(5))).unwrap();
        assert_eq!(mint.read_access(&expired, Clock::SYSTEM.now()), None);

        let (_, rest) = good.split_once('.').unwrap();
        for header in [
            r#"{"alg":"none","typ":"at+jwt","kid":"k"}"#,
            r#"{"alg":"HS512","typ":"at+jwt","kid":"k"}"#,
            r#"{"alg":"HS256","typ":"JWT","kid":"k"}"#,
            r#"{"alg":"HS256","typ":"at+jwt","kid":"k","crit":["x"]}"#,
            r#"{"alg":"HS256","typ":"at+jwt","kid":"../k"}"#,
        ] {
            let forged = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(mint.read_access(&forged, Clock::SYSTEM.now()), None, "{header}");
        }
        for (seconds, is_good) in [(4, true), (60, false)] {
            let ahead =
                mint.access(token(600), Clock::SYSTEM.now().plus(Duration::from_secs(seconds))).unwrap();
            assert_eq!(mint.read_access(&ahead, Clock::SYSTEM.now()).is_some(), is_good, "{seconds} s ahead");
        }
        let (claims, _) = rest.split_once('.').unwrap();
        let unsigned = format!("{}.{claims}.", good.split('.').next().unwrap());
        assert_eq!(mint.read_access(&unsigned, Clock::SYSTEM.now()), None);
    }

    #[test]
    fn a_refresh_token_is_the_same_each_time_and_cannot_be_forged() {
        let mint = mint(&["k"]);
        let token = RefreshToken { session: Ids::SYSTEM.session(), generation: 2 };
        let text = mint.refresh(token);
        assert_eq!(text, mint.refresh(token));
        assert_eq!(mint.read_refresh(&text), Some(token));
        let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        bytes[23] += 1;
        assert_eq!(mint.read_refresh(&URL_SAFE_NO_PAD.encode(bytes)), None);
        assert_eq!(mint.read_refresh("x"), None);
    }
}
