//! Forged, mutated and mistyped access tokens: each is refused on a route and on the upgrade to a socket.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use whotbox::base::digest::hmac_sha256;
use whotbox::identity::users::Role;

use super::fixture::{JWT, start};
use crate::support::ws::Ws;

/// A good token, taken apart, and what is needed to sign another.
struct Forge {
    good: String,
    header: Value,
    claims: Value,
}

fn key() -> [u8; 32] {
    hmac_sha256(b"whotbox/jwt", JWT.as_bytes())
}

fn part(token: &str, at: usize) -> Value {
    let part = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn sign_text(header: &str, claims: &str, key: &[u8]) -> String {
    let front = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(hmac_sha256(key, front.as_bytes()));
    format!("{front}.{signature}")
}

impl Forge {
    fn new(good: &str) -> Self {
        Self { good: good.to_owned(), header: part(good, 0), claims: part(good, 1) }
    }

    /// The header's very text, so that only what the test changes is changed.
    fn header_text(&self) -> String {
        String::from_utf8(URL_SAFE_NO_PAD.decode(self.good.split('.').next().unwrap()).unwrap()).unwrap()
    }

    fn claims_text(&self) -> String {
        String::from_utf8(URL_SAFE_NO_PAD.decode(self.good.split('.').nth(1).unwrap()).unwrap()).unwrap()
    }

    /// The token with one claim changed, signed with the right key.
    fn claiming(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[name] = value;
        sign_text(&self.header_text(), &claims.to_string(), &key())
    }

    fn without(&self, name: &str) -> String {
        let mut claims = self.claims.clone();
        claims.as_object_mut().unwrap().remove(name).unwrap();
        sign_text(&self.header_text(), &claims.to_string(), &key())
    }

    /// The token with one member of the header changed, signed with the right key.
    fn heading(&self, name: &str, value: Value) -> String {
        let mut header = self.header.clone();
        header[name] = value;
        sign_text(&header.to_string(), &self.claims_text(), &key())
    }

    fn headers(&self) -> Vec<(String, String)> {
        let mut out = Vec::new();
        for alg in [
            "none", "None", "NONE", "nOnE", "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA", "hs256", "", "HS256 ",
        ] {
            out.push((format!("alg {alg:?}"), self.heading("alg", json!(alg))));
        }
        let unsigned = self.heading("alg", json!("none"));
        out.push(("unsigned".into(), format!("{}.", unsigned.rsplit_once('.').unwrap().0)));
        for (name, value) in [
            ("alg", json!(null)),
            ("alg", json!(["HS256"])),
            ("typ", json!("at+jwt")),
            ("typ", json!("jwt")),
            ("typ", json!(null)),
            ("kid", json!("other")),
            ("kid", json!("../../../dev/null")),
            ("kid", json!("' or 1=1 --")),
            ("kid", json!(null)),
            ("crit", json!(["exp"])),
            ("jku", json!("http://10.0.0.66/keys")),
            ("jwk", json!({"kty": "oct", "k": "AAAA"})),
            ("x5u", json!("http://10.0.0.66/cert")),
            ("x5c", json!(["AAAA"])),
            ("zip", json!("DEF")),
            ("cty", json!("JWT")),
            ("b64", json!(false)),
        ] {
            out.push((format!("header {name} {value}"), self.heading(name, value)));
        }
        let (header, claims) = (self.header_text(), self.claims_text());
        for (name, header) in [
            ("a blank", header.replace(',', ", ")),
            ("an array", format!("[{header}]")),
            ("no JSON", "header".to_owned()),
            ("two algorithms", header.replace("\"HS256\"", "\"HS256\",\"alg\":\"none\"")),
        ] {
            out.push((format!("header with {name}"), sign_text(&header, &claims, &key())));
        }
        out
    }

    fn claims(&self) -> Vec<(String, String)> {
        let (now, exp) = (self.claims["iat"].as_i64().unwrap(), self.claims["exp"].as_i64().unwrap());
        let mut out = Vec::new();
        for (name, value) in self.claims.as_object().unwrap() {
            out.push((format!("without {name}"), self.without(name)));
            let wrong = if value.is_string() || value.is_null() { json!(7) } else { json!("7") };
            out.push((format!("{name} of another type"), self.claiming(name, wrong)));
        }
        for (name, value) in [
            ("exp", json!(now)),
            ("exp", json!(now - 1)),
            ("exp", json!(exp + 1)),
            ("exp", json!(exp as f64 + 0.5)),
            ("exp", json!(i64::MAX)),
            ("exp", json!(-1)),
            ("iat", json!(now + 61)),
            ("iat", json!(now - 3600)),
            ("iss", json!("another")),
            ("iss", json!(["whotbox"])),
            ("aud", json!("019ab3c0-0000-7000-8000-000000000001")),
            ("aud", json!([self.claims["aud"]])),
            ("aud", json!("")),
            ("sub", json!("019ab3c0-0000-7000-8000-00000000dead")),
            ("sub", json!("")),
            ("sid", json!("019ab3c0-0000-7000-8000-00000000dead")),
            ("sid", json!("not an id")),
            ("role", json!("king")),
            ("account_type", json!("king")),
            ("jti", json!("not a uuid")),
        ] {
            out.push((format!("{name} {value}"), self.claiming(name, value)));
        }
        let (header, claims) = (self.header_text(), self.claims_text());
        for (name, claims) in [
            ("an array", format!("[{claims}]")),
            ("no JSON", "claims".to_owned()),
            ("two ends", claims.replacen('{', &format!("{{\"exp\":{},", exp), 1)),
        ] {
            out.push((format!("claims with {name}"), sign_text(&header, &claims, &key())));
        }
        out
    }

    fn signatures(&self) -> Vec<(String, String)> {
        let (front, signature) = self.good.rsplit_once('.').unwrap();
        let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let mut out = Vec::new();
        for byte in [0, 7, 15, 31] {
            let mut bent = raw.clone();
            bent[byte] ^= 1;
            out.push((format!("signature bent at {byte}"), format!("{front}.{}", URL_SAFE_NO_PAD.encode(bent))));
        }
        let (header, claims) = (self.header_text(), self.claims_text());
        for (name, key) in [
            ("no key", &b""[..]),
            ("the text of the setting", JWT.as_bytes()),
            ("a guess", b"secret"),
            ("zeros", &[0; 32]),
        ] {
            out.push((format!("signed with {name}"), sign_text(&header, &claims, key)));
        }
        let last = signature.chars().last().unwrap();
        let next = char::from_u32(u32::from(last) + 1).unwrap();
        for (name, token) in [
            ("no signature", format!("{front}.")),
            ("half a signature", format!("{front}.{}", URL_SAFE_NO_PAD.encode(&raw[..16]))),
            ("a longer signature", format!("{front}.{}", URL_SAFE_NO_PAD.encode([&raw[..], &[0]].concat()))),
            ("a padded signature", format!("{front}.{}", URL_SAFE.encode(&raw))),
            ("a signature of another alphabet", format!("{front}.+/{}", STANDARD_NO_PAD.encode(&raw[..30]))),
            ("a signature with spare bits", format!("{front}.{}{next}", &signature[..signature.len() - 1])),
            ("two parts", front.to_owned()),
            ("four parts", format!("{}.{signature}", self.good)),
            ("five parts", format!("{front}.{front}.{signature}")),
            ("nothing", String::new()),
            ("dots", "..".to_owned()),
            ("a blank within", self.good.replacen('.', ". ", 1)),
            ("a tail", format!("{}x", self.good)),
            ("a great length", format!("{}.{}.{signature}", front, "A".repeat(4000))),
            ("a scheme within", format!("Bearer{}", self.good)),
        ] {
            out.push((name.to_owned(), token));
        }
        out
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_forged_mutated_and_mistyped_token_is_refused() {
    let whole = start().await;
    let (ada, eze) = (whole.person(Role::Distributor, "ada").await, whole.person(Role::Distributor, "eze").await);
    let forge = Forge::new(&ada.token);
    let mut table = [forge.headers(), forge.claims(), forge.signatures()].concat();
    table.push(("another's session".into(), forge.claiming("sid", part(&eze.token, 1)["sid"].clone())));
    table.push(("another's name".into(), forge.claiming("sub", json!(eze.id))));
    table.push(("a refresh token".into(), ada.refresh.clone()));
    assert!(table.len() >= 60, "{}", table.len());

    let socket = "/api/v1/games/019ab3c0-0000-7000-8000-000000000001/ws";
    let mut let_in = Vec::new();
    for (name, token) in &table {
        let route = whole.http.get("/api/v1/users/me").bearer(token).send().await.status;
        let upgrade = Ws::open(whole.http.address, socket, token).await.err();
        if (route, upgrade) != (401, Some(401)) {
            let_in.push(format!("{name}: {route}, {upgrade:?}"));
        }
    }
    assert_eq!(let_in, Vec::<String>::new());

    // The negative controls: the good token, and the same signed anew by this file, are let in.
    for token in [&ada.token, &sign_text(&forge.header_text(), &forge.claims_text(), &key())] {
        assert_eq!(whole.http.get("/api/v1/users/me").bearer(token).send().await.status, 200);
        assert_eq!(Ws::open(whole.http.address, socket, token).await.err(), Some(404));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_token_says_of_rights_is_not_believed() {
    let whole = start().await;
    let ada = whole.person(Role::Distributor, "ada").await;
    let forge = Forge::new(&ada.token);
    let mut claims = forge.claims.clone();
    claims["role"] = json!("admin");
    claims["account_type"] = json!("staff");
    let token = sign_text(&forge.header_text(), &claims.to_string(), &key());
    let answer = whole.http.get("/api/v1/admin/users").bearer(&token).send().await;
    assert_eq!(answer.refusal(), (403, "forbidden".into()));
}
