//! Access tokens: one that was changed, has another form, is of another server or another time is refused, and no answer says
//! why.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use parlor::domain::clock::Clock;
use serde_json::{Value, json};

use crate::support::{Client, Person, Server};

/// Signs forged tokens by the server's own key, so that each forgery is wrong in one thing only.
struct Forger {
    kid: String,
    secret: Vec<u8>,
    /// The claims of a good token.
    claims: Value,
}

impl Forger {
    fn of(server: &Server, person: &Person) -> Self {
        let keys = std::fs::read_to_string(server.data().join("secrets.toml")).unwrap();
        let value = |name: &str| {
            let line = keys.lines().find(|line| line.starts_with(name)).unwrap();
            line.split('"').nth(1).unwrap().to_owned()
        };
        let claims = URL_SAFE_NO_PAD.decode(person.token().split('.').nth(1).unwrap()).unwrap();
        Self {
            kid: value("kid"),
            secret: URL_SAFE_NO_PAD.decode(value("secret")).unwrap(),
            claims: serde_json::from_slice(&claims).unwrap(),
        }
    }

    fn header(&self) -> Value {
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": self.kid })
    }

    /// Signed by the server's key, whatever the header says.
    fn signs(&self, header: &Value, claims: &Value) -> String {
        self.signs_by(Algorithm::HS256, header, claims)
    }

    fn signs_by(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let key = EncodingKey::from_secret(&self.secret);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
        format!("{message}.{signature}")
    }

    /// A good token with one field of its header changed, or removed by null.
    fn with_header(&self, name: &str, value: Value) -> String {
        self.signs(&changed(self.header(), name, value), &self.claims)
    }

    /// A good token with one claim changed, or removed by null.
    fn with_claim(&self, name: &str, value: Value) -> String {
        self.signs(&self.header(), &changed(self.claims.clone(), name, value))
    }
}

fn changed(mut object: Value, name: &str, value: Value) -> Value {
    let fields = object.as_object_mut().unwrap();
    if value.is_null() {
        fields.remove(name);
    } else {
        fields.insert(name.to_owned(), value);
    }
    object
}

fn now() -> i64 {
    Clock::SYSTEM.now().seconds()
}

/// The answer to a text that is no token at all.
async fn the_refusal(client: &Client) -> (u16, Vec<(String, String)>, String) {
    let answer = client.bearing("garbage").get("/v1/users/me").await;
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    let refusal = answer.but_for_its_id();
    answer.problem(401, "unauthenticated");
    refusal
}

#[tokio::test]
async fn a_token_that_is_wrong_in_one_thing_gets_the_one_refusal() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let forger = Forger::of(&server, &ada);
    let genuine = forger.signs(&forger.header(), &forger.claims);
    ada.bearing(&genuine).get("/v1/users/me").await.ok(200);

    let (head, rest) = genuine.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let unsigned = changed(forger.header(), "alg", json!("none"));
    let unsigned = format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(unsigned.to_string()));
    let longest = forger.with_claim("padding", json!("x".repeat(4_096)));
    let foreign = Server::start().await.register("ada").await;
    let by_another_key =
        Forger { secret: vec![7; 32], kid: forger.kid.clone(), claims: forger.claims.clone() };
    let uuid = "0190a7c4-7b1e-7cc0-8000-000000000000";
    let other_hash = |algorithm, name: &str| {
        forger.signs_by(algorithm, &changed(forger.header(), "alg", json!(name)), &forger.claims)
    };

    let forgeries = [
        ("no signature, and says so", unsigned.clone()),
        ("no signature but says none", unsigned + signature),
        ("signature cut off", format!("{head}.{claims}.")),
        ("signature left out", format!("{head}.{claims}")),
        ("signature of other claims", format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode("{}"))),
        ("another end of the signature", format!("{head}.{claims}.{}", nudged(signature))),
        ("padded", format!("{genuine}=")),
        ("four parts", format!("{genuine}.{signature}")),
        ("HS384", other_hash(Algorithm::HS384, "HS384")),
        ("HS512", other_hash(Algorithm::HS512, "HS512")),
        ("says HS512", forger.with_header("alg", json!("HS512"))),
        ("says RS256", forger.with_header("alg", json!("RS256"))),
        ("says EdDSA", forger.with_header("alg", json!("EdDSA"))),
        ("no algorithm", forger.with_header("alg", Value::Null)),
        ("another kid", forger.with_header("kid", json!("../secrets"))),
        ("no kid", forger.with_header("kid", Value::Null)),
        ("another typ", forger.with_header("typ", json!("JWT"))),
        ("no typ", forger.with_header("typ", Value::Null)),
        ("crit", forger.with_header("crit", json!(["exp"]))),
        ("jku", forger.with_header("jku", json!("https://example.org/keys"))),
        ("jwk", forger.with_header("jwk", json!({ "kty": "oct", "k": "AAAA" }))),
        ("x5u", forger.with_header("x5u", json!("https://example.org/cert"))),
        ("zip", forger.with_header("zip", json!("DEF"))),
        ("an unknown part of the header", forger.with_header("more", json!(1))),
        ("expired", forger.with_claim("exp", json!(now() - 1))),
        ("expiring now", forger.with_claim("exp", json!(now()))),
        ("no expiry", forger.with_claim("exp", Value::Null)),
        ("an endless expiry", forger.with_claim("exp", json!(i64::MAX))),
        ("not yet valid", forger.with_claim("nbf", json!(now() + 60))),
        ("no beginning", forger.with_claim("nbf", Value::Null)),
        ("another issuer", forger.with_claim("iss", json!("someone"))),
        ("no issuer", forger.with_claim("iss", Value::Null)),
        ("another audience", forger.with_claim("aud", json!("someone"))),
        ("no audience", forger.with_claim("aud", Value::Null)),
        ("somebody else", forger.with_claim("sub", json!(bob.id))),
        ("nobody", forger.with_claim("sub", json!(uuid))),
        ("no subject", forger.with_claim("sub", Value::Null)),
        ("somebody else's session", forger.with_claim("sid", json!(bob.session))),
        ("no such session", forger.with_claim("sid", json!(uuid))),
        ("no session", forger.with_claim("sid", Value::Null)),
        ("no token id", forger.with_claim("jti", Value::Null)),
        ("longer than 4 KiB", longest),
        ("another key", by_another_key.signs(&by_another_key.header(), &by_another_key.claims)),
        ("another server's", foreign.token().to_owned()),
        ("a refresh token", ada.refresh_token.clone()),
        ("not a token", "a.b.c".to_owned()),
    ];
    let refusal = the_refusal(&ada).await;
    for (what, token) in forgeries {
        let answer = ada.bearing(&token).get("/v1/users/me").await;
        assert_eq!(answer.but_for_its_id(), refusal, "{what}");
    }
    ada.bearing(&genuine).get("/v1/users/me").await.ok(200);
}

/// Changes only bits beyond the end of the signature: a lenient decoder reads the same bytes.
fn nudged(signature: &str) -> String {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = signature.split_at(signature.len() - 1);
    let next = alphabet.find(last).unwrap() + 1;
    format!("{rest}{}", &alphabet[next..=next])
}

#[tokio::test]
async fn a_token_of_a_session_that_is_over_gets_the_one_refusal() {
    let server = Server::start().await;
    let (ada, other) = (server.register("ada").await, server.sign_in("ada").await);
    ada.get("/v1/users/me").await.ok(200);
    ada.post_nothing("/v1/logout").await.ok(204);
    let refusal = the_refusal(&other).await;
    assert_eq!(ada.get("/v1/users/me").await.but_for_its_id(), refusal);
    assert_eq!(
        server.anonymous().get("/v1/users/me").await.but_for_its_id(),
        refusal,
        "nor is there one for none"
    );
    for scheme in ["Basic YWRhOng=", "Bearer", "Bearer ", "bearer x y"] {
        let header = [("authorization", scheme)];
        let answer = server.anonymous().request(reqwest::Method::GET, "/v1/users/me", None, &header).await;
        assert_eq!(answer.but_for_its_id(), refusal, "{scheme}");
    }
}

#[tokio::test]
async fn no_refusal_and_no_log_repeats_a_token() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let forger = Forger::of(&server, &ada);
    let altered = forger.with_claim("sub", json!("0190a7c4-7b1e-7cc0-8000-000000000000"));
    let answer = ada.bearing(&altered).get("/v1/users/me").await;
    let signature = altered.rsplit('.').next().unwrap();
    assert!(!answer.text.contains(signature));
    answer.problem(401, "unauthenticated");
    let refresh = json!({ "refresh_token": format!("{}x", ada.refresh_token) });
    ada.post("/v1/refresh", refresh).await.problem(401, "invalid_refresh_token");
    let log = server.log();
    for secret in [signature, &ada.refresh_token, ada.token(), crate::support::PASSWORD] {
        assert!(!log.contains(secret));
    }
}
