//! One port that speaks TLS and plain HTTP: players may use either, whoever rules over others only the first.

use serde_json::{Value, json};

use crate::support::http::{Answer, Http};
use crate::support::whotbox::{Whotbox, own_password};

/// A phone on the Wi-Fi, as a proxy on the box's own machine names it.
const PHONE: &str = "192.168.4.20";

/// A call from the phone, which the proxy had by plain HTTP.
async fn exposed(http: &Http, method: &str, path: &str, token: Option<&str>, body: &Value) -> Answer {
    let mut call = http.call(method, path).header("X-Forwarded-For", PHONE);
    if let Some(token) = token {
        call = call.bearer(token);
    }
    if !body.is_null() {
        call = call.json(body);
    }
    call.send().await
}

fn credentials() -> Value {
    json!({"username": "admin", "password": own_password("admin")})
}

async fn admins_token(whotbox: &Whotbox) -> String {
    whotbox.sign_in("admin", whotbox.password.as_ref().unwrap()).await.token
}

fn started(folder: &std::path::Path, settings: &str, arguments: &[&str]) -> Whotbox {
    let settings = format!("proxies = [\"127.0.0.1\"]\nopen_registration = true\n{settings}");
    std::fs::write(folder.join("whotbox.toml"), settings).unwrap();
    Whotbox::start(folder, arguments)
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_are_refused_on_plain_http_where_tls_is_offered_and_players_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let whotbox = started(folder.path(), "", &["--tls", "self-signed"]);
    let http = &whotbox.http;
    // Given an admin who has signed in on the box's own machine, which no network saw.
    let admin = admins_token(&whotbox).await;

    // When a phone comes by plain HTTP, then pages that are not a player's are sent on to HTTPS, and the API refuses.
    for page in ["/box", "/box/settings", "/staff/audit?x=1"] {
        let sent_on = exposed(http, "GET", page, None, &Value::Null).await;
        let to = format!("https://{}{page}", http.address);
        assert_eq!((sent_on.status, sent_on.header("location")), (307, Some(&*to)));
    }
    let required = (403, "https_required".to_owned());
    for (method, path) in [("GET", "/api/v1/admin/users"), ("GET", "/api/v1/users/me"), ("POST", "/api/v1/box/power")] {
        assert_eq!(exposed(http, method, path, Some(&admin), &Value::Null).await.refusal(), required, "{path}");
    }
    let path = "/api/v1/auth/login";
    let refused = exposed(http, "POST", path, None, &credentials()).await;
    assert_eq!(refused.refusal(), required);
    assert!(!refused.text().contains("access_token"));

    // And a player is served.
    assert_eq!(exposed(http, "GET", "/", None, &Value::Null).await.status, 200);
    let applicant = json!({"username": "ngozi", "password": "harmattan at dawn"});
    let joined = exposed(http, "POST", "/api/v1/auth/register", None, &applicant).await;
    assert_eq!(joined.status, 201, "{}", joined.text());
    let token = joined.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(exposed(http, "GET", "/api/v1/users/me", Some(&token), &Value::Null).await.status, 200);

    // And by TLS, ours or the proxy's, the admin signs in.
    let secured = http.post(path).header("X-Forwarded-For", PHONE).header("X-Forwarded-Proto", "https");
    assert_eq!(secured.json(&credentials()).send().await.status, 200);
    let pem = std::fs::read(folder.path().join("data/ca.pem")).unwrap();
    let tls = Http::trusting(http.address, &pem);
    assert_eq!(exposed(&tls, "POST", path, None, &credentials()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_can_be_switched_off_and_is_all_there_is_without_tls() {
    // Given a box that takes no plain HTTP from anyone but its own machine.
    let folder = tempfile::tempdir().unwrap();
    let whotbox = started(folder.path(), "plain_http = false", &["--tls", "self-signed"]);
    let sent_on = exposed(&whotbox.http, "GET", "/join", None, &Value::Null).await;
    assert_eq!(sent_on.status, 307);
    let refused = exposed(&whotbox.http, "POST", "/api/v1/auth/login", None, &credentials()).await;
    assert_eq!(refused.refusal(), (403, "https_required".to_owned()));
    assert_eq!(exposed(&whotbox.http, "GET", "/healthz", None, &Value::Null).await.status, 200);

    // And one without TLS, which has nothing else to offer.
    let folder = tempfile::tempdir().unwrap();
    let whotbox = started(folder.path(), "", &[]);
    admins_token(&whotbox).await;
    assert_eq!(exposed(&whotbox.http, "GET", "/box", None, &Value::Null).await.status, 200);
    assert_eq!(exposed(&whotbox.http, "POST", "/api/v1/auth/login", None, &credentials()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_gets_the_authority_by_plain_http_with_a_fingerprint_that_the_owner_can_compare() {
    // Given a box that takes no plain HTTP from anyone.
    let folder = tempfile::tempdir().unwrap();
    let whotbox = started(folder.path(), "plain_http = false", &["--tls", "self-signed"]);
    let page = exposed(&whotbox.http, "GET", "/trust", None, &Value::Null).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let given = exposed(&whotbox.http, "GET", "/trust/whot-box.crt", None, &Value::Null).await;
    assert_eq!((given.status, given.header("content-type")), (200, Some("application/x-x509-ca-cert")));
    // Then page, console and the owner's list name the certificate that was given.
    let print = whotbox::base::certificate::fingerprint(&given.body);
    assert!(page.text().contains(&print) && page.text().contains("lang=\"pcm\""), "{}", page.text());
    let status: Value = serde_json::from_slice(&whotbox.command(&["status", "--json"]).stdout).unwrap();
    assert_eq!(status["certificate"]["authority_sha256"], *print);
    let doctor = whotbox.command(&["doctor"]);
    assert!(String::from_utf8_lossy(&doctor.stdout).contains(&print));
    // And the certificate that the box shows is signed by it.
    let der = whotbox::base::certificate::first(&folder.path().join("data/ca.pem")).unwrap();
    assert_eq!(&given.body[..], &der[..]);

    // And a box without one says that there is nothing to install.
    let folder = tempfile::tempdir().unwrap();
    let whotbox = started(folder.path(), "", &[]);
    assert!(whotbox.http.get("/trust").send().await.text().contains("nothing to install"));
    assert_eq!(whotbox.http.get("/trust/whot-box.crt").send().await.status, 404);
}
