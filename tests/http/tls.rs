//! TLS: the self-made certificate, and its exchange while the box runs.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use whotbox::base::time::{Clock as _, SystemClock};
use whotbox::http::serve::{self, Listen};
use whotbox::http::tls::{Source, Tls};

use crate::http::fixture::{edge, settings};
use crate::support::http::Http;

fn source(folder: &std::path::Path) -> Source {
    Source::SelfSigned { folder: folder.join("tls"), names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()] }
}

#[tokio::test]
async fn a_client_that_trusts_the_certificate_is_served_and_another_is_not() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let now = SystemClock::new().now();
    let tls = Tls::open(source(folder.path()), now).unwrap();
    let stranger = Tls::open(source(other.path()), now).unwrap();
    let (_, edge) = edge(settings(), Duration::from_secs(60));
    let address = "127.0.0.1:0".parse().unwrap();
    let listens = [Listen { address, tls: Some(tls.config.clone()) }, Listen { address, tls: None }];
    let server = serve::start(&listens, &edge).await.unwrap();
    let [secure, plain] = server.addresses() else { panic!("two addresses") };

    let pem = std::fs::read(tls.certificate()).unwrap();
    let answer = Http::trusting(*secure, &pem).get("/api/v1/auth/me").bearer("ada").send().await;
    assert_eq!(answer.json()["secure"], true);
    assert_eq!(Http::new(*plain).get("/api/v1/auth/me").bearer("ada").send().await.json()["secure"], false);
    let wrong = std::fs::read(stranger.certificate()).unwrap();
    assert!(Http::trusting(*secure, &wrong).connect().await.is_err());

    // A new certificate is shown from the next connection on.
    std::fs::remove_dir_all(folder.path().join("tls")).unwrap();
    tls.reload(now).unwrap();
    assert!(Http::trusting(*secure, &pem).connect().await.is_err());
    let fresh = std::fs::read(tls.certificate()).unwrap();
    assert!(Http::trusting(*secure, &fresh).connect().await.is_ok());
}

#[test]
fn a_kept_certificate_is_used_again_until_it_nears_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let now = SystemClock::new().now();
    let made = |tls: &Tls| std::fs::read(tls.certificate()).unwrap();
    let first = made(&Tls::open(source(folder.path()), now).unwrap());
    let mode =
        |name: &str| std::fs::metadata(folder.path().join("tls").join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("key.pem"), mode("cert.pem")), (0o600, 0o600));
    let day = Duration::from_hours(24);
    assert_eq!(made(&Tls::open(source(folder.path()), now.plus(day * 780)).unwrap()), first);
    assert_ne!(made(&Tls::open(source(folder.path()), now.plus(day * 800)).unwrap()), first);
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let tls = Tls::open(source(folder.path()), SystemClock::new().now()).unwrap();
    let mut settings = settings();
    settings.header_timeout = Duration::from_millis(200);
    let (_, edge) = edge(settings, Duration::from_secs(60));
    let listen = Listen { address: "127.0.0.1:0".parse().unwrap(), tls: Some(tls.config) };
    let server = serve::start(&[listen], &edge).await.unwrap();
    let silent = Http::new(server.addresses()[0]).connect().await.unwrap();
    assert_eq!(silent.rest().await, b"");
}

#[test]
fn files_that_are_no_pair_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("c"), folder.path().join("k"));
    let open = || Tls::open(Source::Files { cert: cert.clone(), key: key.clone() }, SystemClock::new().now());
    assert!(open().is_err(), "absent");
    std::fs::write(&cert, "").unwrap();
    std::fs::write(&key, "").unwrap();
    assert!(open().is_err(), "empty");
    let pair = |name: &str| {
        let path = folder.path().join(name);
        Tls::open(Source::SelfSigned { folder: path.clone(), names: vec!["a".to_owned()] }, SystemClock::new().now())
            .unwrap();
        path
    };
    let (a, b) = (pair("a"), pair("b"));
    std::fs::copy(a.join("cert.pem"), &cert).unwrap();
    std::fs::copy(b.join("key.pem"), &key).unwrap();
    assert!(open().is_err(), "of two pairs");
    std::fs::copy(a.join("key.pem"), &key).unwrap();
    assert!(open().is_ok(), "the negative control");
}
