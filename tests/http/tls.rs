//! TLS: the box's own authority and what it signs, and the exchange of certificates while the box runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use whotbox::base::certificate::{Facts, first};
use whotbox::base::time::{Clock as _, SystemClock, Timestamp, WallTime};
use whotbox::http::serve::{self, Listen};
use whotbox::http::tls::{Source, Tls};

use crate::http::fixture::{edge, settings};
use crate::support::http::Http;

const DAY: Duration = Duration::from_hours(24);

fn names() -> Vec<String> {
    ["localhost", "127.0.0.1"].map(str::to_owned).to_vec()
}

fn right(now: Timestamp) -> WallTime {
    WallTime { now, trusted: true }
}

fn now() -> Timestamp {
    SystemClock::new().now()
}

fn open(folder: &Path, names: &[String], wall: WallTime) -> Tls {
    Tls::open(Source::SelfSigned(folder.to_owned()), names, wall).unwrap()
}

fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap()
}

fn shown(folder: &Path) -> Facts {
    Facts::of(&first(&folder.join("cert.pem")).unwrap()).unwrap()
}

#[tokio::test]
async fn a_client_that_trusts_the_authority_is_served_and_another_is_not() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tls = open(folder.path(), &names(), right(now()));
    open(other.path(), &names(), right(now()));
    let (_, edge) = edge(settings(), Duration::from_secs(60));
    let address = "127.0.0.1:0".parse().unwrap();
    let listens = [Listen { address, tls: Some(tls.config.clone()) }, Listen { address, tls: None }];
    let server = serve::start(&listens, &edge).await.unwrap();
    let [secure, plain] = server.addresses() else { panic!("two addresses") };

    let device = Http::trusting(*secure, &bytes(folder.path(), "ca.pem"));
    let answer = device.get("/api/v1/auth/me").bearer("ada").send().await;
    assert_eq!(answer.json()["secure"], true);
    assert_eq!(Http::new(*plain).get("/api/v1/auth/me").bearer("ada").send().await.json()["secure"], false);
    assert!(Http::trusting(*secure, &bytes(other.path(), "ca.pem")).connect().await.is_err());

    // When the box gets another address, the certificate is another one at once, and devices need not do anything.
    let mut open_before = device.connect().await.unwrap();
    let more = [names(), vec!["192.168.4.7".to_owned()]].concat();
    assert!(tls.reload(&more, right(now())).unwrap());
    assert!(!tls.reload(&more, right(now())).unwrap(), "the second look finds it in order");
    assert!(shown(folder.path()).is_for("192.168.4.7"));
    assert_eq!(device.get("/api/v1/auth/me").bearer("ada").send().await.status, 200);
    // And who was connected stays so.
    open_before.write(b"GET /api/v1/auth/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(open_before.rest().await.starts_with(b"HTTP/1.1 401"));
}

#[test]
fn the_certificate_is_renewed_at_two_thirds_and_the_authority_stays() {
    let folder = tempfile::tempdir().unwrap();
    let begun = now();
    let at = |days: u32| {
        open(folder.path(), &names(), right(begun.plus(DAY * days)));
        (bytes(folder.path(), "cert.pem"), bytes(folder.path(), "ca.pem"))
    };
    let first = at(0);
    for file in ["ca-key.pem", "ca.pem", "key.pem", "cert.pem"] {
        assert_eq!(fs::metadata(folder.path().join(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    assert_eq!(at(57), first);
    let renewed = at(61);
    assert_ne!(renewed.0, first.0);
    assert_eq!(renewed.1, first.1);
    // Ten years on the authority itself is another.
    assert_ne!(at(3640).1, first.1);
}

#[test]
fn a_clock_that_nobody_vouches_for_costs_no_trust() {
    let folder = tempfile::tempdir().unwrap();
    let begun = now();
    // Given a box whose battery is dead: what it makes holds for whoever lives two years later.
    open(folder.path(), &names(), WallTime { now: Timestamp::from_micros(0), trusted: false });
    let first = shown(folder.path());
    assert!(first.from < begun && first.until > begun.plus(DAY * 400), "{first:?}");
    let authority = bytes(folder.path(), "ca.pem");
    // When the clock is wrong by thirty years, then the authority stays.
    open(folder.path(), &names(), WallTime { now: begun.plus(DAY * 11_000), trusted: false });
    assert_eq!(bytes(folder.path(), "ca.pem"), authority);
    // And once the time is known, what was signed for the year 2056 is signed anew.
    open(folder.path(), &names(), right(begun));
    let mended = shown(folder.path());
    assert!(mended.from < begun && mended.until > begun, "{mended:?}");
    assert_eq!(bytes(folder.path(), "ca.pem"), authority);
    // The negative control: the same year, from a clock that is right.
    open(folder.path(), &names(), right(begun.plus(DAY * 11_000)));
    assert_ne!(bytes(folder.path(), "ca.pem"), authority);
}

/// Whether a device that trusts this authority believes a certificate, and those between, for a name.
fn believes(authority: &[u8], chain: &[&CertificateDer<'_>], name: &str) -> bool {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let between: Vec<_> = chain[1..].iter().map(|der| (*der).clone().into_owned()).collect();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now().seconds().try_into().unwrap()));
    verifier.verify_server_cert(chain[0], &between, &name, &[], now).is_ok()
}

#[test]
fn a_stolen_authority_vouches_for_nothing_on_the_internet() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path(), &names(), right(now()));
    let authority = bytes(folder.path(), "ca.pem");
    // Given a thief with the key, who signs what he likes under the authority's name.
    let stolen = KeyPair::from_pem(&String::from_utf8(bytes(folder.path(), "ca-key.pem")).unwrap()).unwrap();
    let id: String =
        whotbox::base::certificate::fingerprint(stolen.public_key_raw()).replace(':', "").chars().take(8).collect();
    let mut name = CertificateParams::default();
    name.distinguished_name = rcgen::DistinguishedName::new();
    name.distinguished_name.push(rcgen::DnType::CommonName, format!("Whot box {id}"));
    let issuer = Issuer::new(name, stolen);
    let key = KeyPair::generate().unwrap();
    let signs = |name: &str| CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    // The negative control: local names are what it is for.
    for local in ["whot-mama.local", "192.168.9.9", "shop.lan", "fd00::7"] {
        assert!(believes(&authority, &[signs(local).der()], local), "{local}");
    }
    for public in ["bank.example", "google.com", "8.8.8.8", "2001:4860::1"] {
        assert!(!believes(&authority, &[signs(public).der()], public), "{public}");
    }
    // Nor does another authority below it get him there. (Not every device looks at the length of a path; all look at names.)
    let mut below = CertificateParams::default();
    below.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let below_key = KeyPair::generate().unwrap();
    let between = below.signed_by(&below_key, &issuer).unwrap();
    let leaf = CertificateParams::new(vec!["bank.example".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::new(below, below_key)).unwrap();
    assert!(!believes(&authority, &[leaf.der(), between.der()], "bank.example"));
}

#[test]
fn a_name_that_the_authority_must_not_sign_for_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let asked = [names(), vec!["box.example".to_owned(), "8.8.8.8".to_owned()]].concat();
    let tls = open(folder.path(), &asked, right(now()));
    assert_eq!(shown(folder.path()).names, names());
    assert!(!tls.reload(&asked, right(now())).unwrap(), "and it is not made anew each minute for its sake");
}

#[test]
fn a_certificate_that_the_owner_puts_there_wins_and_one_of_earlier_boxes_is_replaced() {
    let (folder, real) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let wall = right(now());
    let tls = open(folder.path(), &names(), wall);
    let authority = bytes(folder.path(), "ca.pem");
    // Given a real certificate for the box.
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec!["box.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(real.path().join("key.pem"), key.serialize_pem()).unwrap();
    fs::write(real.path().join("cert.pem"), cert.pem()).unwrap();
    // When only half of the pair is in place, the old one stays in use; with both, it is taken.
    fs::copy(real.path().join("cert.pem"), folder.path().join("cert.pem")).unwrap();
    assert!(tls.reload(&names(), wall).is_err());
    fs::copy(real.path().join("key.pem"), folder.path().join("key.pem")).unwrap();
    assert!(tls.reload(&names(), wall).unwrap());
    assert_eq!(bytes(folder.path(), "cert.pem"), cert.pem().into_bytes());
    // When it is taken away again, the box's own is back, by the same authority.
    fs::remove_file(folder.path().join("cert.pem")).unwrap();
    assert!(tls.reload(&names(), wall).unwrap());
    assert_eq!((shown(folder.path()).names, bytes(folder.path(), "ca.pem")), (names(), authority));

    // Given what a box made before it had an authority, then it gives way to one that is signed.
    let earlier = tempfile::tempdir().unwrap();
    let note = "whotbox self-made certificate until 2099-01-01T00:00:00Z for localhost 127.0.0.1\n";
    fs::write(earlier.path().join("cert.pem"), format!("{note}{}", cert.pem())).unwrap();
    fs::write(earlier.path().join("key.pem"), key.serialize_pem()).unwrap();
    open(earlier.path(), &names(), wall);
    assert_eq!(shown(earlier.path()).names, names());
}

#[test]
fn a_damaged_authority_is_named_and_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path(), &names(), right(now()));
    for (file, content) in [("ca.pem", "garbage"), ("ca-key.pem", "garbage"), ("ca-key.pem", "")] {
        let whole = bytes(folder.path(), file);
        fs::write(folder.path().join(file), content).unwrap();
        let refused = Tls::open(Source::SelfSigned(folder.path().to_owned()), &names(), right(now())).unwrap_err();
        assert!(refused.to_string().contains(file), "{refused}");
        fs::write(folder.path().join(file), whole).unwrap();
    }
    open(folder.path(), &names(), right(now()));
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let tls = open(folder.path(), &names(), right(now()));
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
    let files = || Source::Files { cert: cert.clone(), key: key.clone() };
    let refused = || Tls::open(files(), &names(), right(now())).is_err();
    assert!(refused(), "absent");
    fs::write(&cert, "").unwrap();
    fs::write(&key, "").unwrap();
    assert!(refused(), "empty");
    let pair = |name: &str| {
        open(&folder.path().join(name), &names(), right(now()));
        folder.path().join(name)
    };
    let (a, b) = (pair("a"), pair("b"));
    fs::copy(a.join("cert.pem"), &cert).unwrap();
    fs::copy(b.join("key.pem"), &key).unwrap();
    assert!(refused(), "of two pairs");
    fs::copy(a.join("key.pem"), &key).unwrap();
    assert!(!refused(), "the negative control");
}
