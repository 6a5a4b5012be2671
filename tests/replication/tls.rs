//! A server must prove who it is, and a stranger gets nothing.

use std::path::Path;

use replication::error::Error;
use replication::postgres::Postgres;
use replication::row::Lane;
use replication::settings::Settings;
use replication::upstream::Upstream;

use super::fixture::{Enrolled, PASSWORD};

/// The box's login with another host, options and CA.
async fn reach(central: &Enrolled, host: &str, options: &str, ca: Option<&Path>) -> Result<(), Error> {
    let (role, port, name) = (&central.login.role, central.database.port(), &central.database.name);
    let url = format!("postgres://{role}:{PASSWORD}@{host}:{port}/{name}?{options}");
    Postgres::new(Settings::parse(&url, ca)?).cursor(Lane::Bulk).await.map(|_cursor| ())
}

/// The certificate of a CA that signed nothing here.
fn stranger(folder: &Path) -> std::path::PathBuf {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let path = folder.join("stranger.pem");
    std::fs::write(&path, ca.self_signed(&key).unwrap().pem()).unwrap();
    path
}

#[tokio::test]
async fn name_and_ca_must_fit() {
    let central = Enrolled::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (right, wrong) = (central.database.ca_file(), stranger(folder.path()));

    reach(&central, "127.0.0.1", "sslmode=verify-full", Some(&right)).await.unwrap();
    let ca = reach(&central, "127.0.0.1", "sslmode=verify-full", Some(&wrong)).await.unwrap_err();
    // The same address under a name that its certificate does not carry.
    let name = reach(&central, "db.example", "hostaddr=127.0.0.1", Some(&right)).await.unwrap_err();

    assert!(matches!(&ca, Error::Untrusted { reason } if reason.contains("UnknownIssuer")), "{ca:?}");
    assert!(matches!(&name, Error::Untrusted { reason } if reason.contains("not valid for name")), "{name:?}");
}

#[tokio::test]
async fn the_ca_is_believed_even_where_tls_could_be_left_out() {
    let central = Enrolled::new().await;
    let folder = tempfile::tempdir().unwrap();
    let wrong = stranger(folder.path());

    // On this machine, without sslmode: TLS because a CA is given, verified because it is TLS.
    let error = reach(&central, "127.0.0.1", "", Some(&wrong)).await.unwrap_err();
    assert!(matches!(error, Error::Untrusted { .. }), "{error:?}");
    // Without a CA, or with TLS turned off here: plain.
    reach(&central, "127.0.0.1", "", None).await.unwrap();
    reach(&central, "127.0.0.1", "sslmode=disable", Some(&wrong)).await.unwrap();
}

#[tokio::test]
async fn an_enrolled_box_insists_on_channel_binding() {
    let central = Enrolled::new().await;

    assert!(central.login.url.ends_with("channel_binding=require"), "{:?}", central.login);

    // Without TLS there is nothing to bind to, so even here it will not log in.
    let error = reach(&central, "127.0.0.1", "sslmode=disable&channel_binding=require", None).await.unwrap_err();
    assert!(matches!(error, Error::Untrusted { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_will_not_do_tls_is_refused() {
    let central = Enrolled::new().await;
    // A server that answers "no TLS" to whoever asks.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.read_exact(&mut [0; 8]).await.unwrap();
        socket.write_all(b"N").await.unwrap();
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).await.unwrap();
        rest
    });
    let url = format!("postgres://u:secret@127.0.0.1:{port}/d?sslmode=require");
    let settings = Settings::parse(&url, Some(&central.database.ca_file())).unwrap();

    let error = Postgres::new(settings).cursor(Lane::Bulk).await.unwrap_err();

    assert!(matches!(error, Error::Untrusted { .. }), "{error:?}");
    assert!(server.await.unwrap().is_empty(), "something was sent in the clear");
}
