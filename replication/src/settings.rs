//! How to reach central: a URL and perhaps a private CA, and the rule of when TLS may be missing (never, but on this machine).
//!
//! Must not open a connection. A password never leaves this file but into the driver.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{Error, chain};

const UNREADABLE: &str = "the upstream URL cannot be read; special characters of a password must be percent-encoded";

/// How long each step may take before the connection is given up; a stall is noticed within the longer of them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For name, TCP, TLS and login together.
    pub connect: Duration,
    /// For one answer: a whole batch, a cursor.
    pub answer: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), answer: Duration::from_secs(25) }
    }
}

/// Whether a connection is encrypted. Whenever it is, name and CA are verified.
#[derive(Clone)]
pub(crate) enum Tls {
    /// On this machine only.
    Off,
    /// On this machine only: used if the server offers it.
    IfOffered(MakeRustlsConnect),
    /// Everywhere else.
    Always(MakeRustlsConnect),
}

/// How to reach central.
#[derive(Clone)]
pub struct Settings {
    pub(crate) config: Config,
    pub(crate) tls: Tls,
    /// How long each step may take.
    pub limits: Limits,
    /// The URL without its user: hosts, database, and the options that are kept.
    place: Place,
}

#[derive(Clone)]
struct Place {
    hosts: String,
    database: String,
    options: Vec<String>,
}

/// Shows where to, never with which password.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = match self.tls {
            Tls::Off => "off",
            Tls::IfOffered(_) => "if offered",
            Tls::Always(_) => "verify-full",
        };
        write!(f, "Settings({}, user {:?}, tls {tls})", self.place(), self.config.get_user().unwrap_or(""))
    }
}

impl Settings {
    /// Reads `postgres://user:password@host:port/database?options`. `sslmode` may be given: anything that asks for TLS
    /// means `verify-full`, anything that does not is refused for a server that is not on this machine. `ca`, or `sslrootcert` in the URL,
    /// is a PEM file of the only CAs to trust; without it the system's are.
    ///
    /// # Errors
    /// [`Error::Settings`] with what is wrong, never with a part of the URL.
    pub fn parse(url: &str, ca: Option<&Path>) -> Result<Self, Error> {
        let parts = Parts::split(url)?;
        // The driver's own error may quote a piece of a password.
        let mut config: Config = parts.for_driver().parse().map_err(|_unprintable| refuse(UNREADABLE))?;
        if config.get_user().is_none() {
            return Err(refuse("the upstream URL names no user"));
        }
        let database = config.get_dbname().or(config.get_user()).unwrap_or_default().to_owned();
        let limits = Limits::default();
        let tls = choose_tls(&config, parts.sslmode.as_deref(), ca.or(parts.ca.as_deref().map(Path::new)))?;
        harden(&mut config, &tls, limits);
        let place = Place { hosts: parts.hosts, database, options: parts.options };
        Ok(Self { config, tls, limits, place })
    }

    /// The same server and database for another login, as a URL. `bind` pins channel binding, so that a later server cannot do without.
    #[must_use]
    pub(crate) fn url_for(&self, user: &str, password: &str, bind: bool) -> String {
        let mut options = self.place.options.clone();
        if bind && !options.iter().any(|option| option.starts_with("channel_binding=")) {
            options.push("channel_binding=require".to_owned());
        }
        let query = if options.is_empty() { String::new() } else { format!("?{}", options.join("&")) };
        let Place { hosts, database, .. } = &self.place;
        format!("postgres://{}:{}@{hosts}/{}{query}", encode(user), encode(password), encode(database))
    }

    /// Where it leads, fit for a message: hosts and database.
    #[must_use]
    pub fn place(&self) -> String {
        let sockets = self.config.get_hosts().iter().filter_map(|host| match host {
            Host::Unix(path) => Some(path.display().to_string()),
            Host::Tcp(_) => None,
        });
        let hosts =
            if self.place.hosts.is_empty() { sockets.collect::<Vec<_>>().join(",") } else { self.place.hosts.clone() };
        format!("{hosts}/{}", self.place.database)
    }

    /// Who logs in.
    #[must_use]
    pub fn user(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }

    /// The same server and database for another login.
    pub(crate) fn for_login(&self, user: &str, password: &str) -> Self {
        let mut other = self.clone();
        other.config.user(user).password(password).dbname(&self.place.database);
        other
    }

    /// The same settings, insisting on channel binding.
    pub(crate) fn bound(&self) -> Self {
        let mut bound = self.clone();
        bound.config.channel_binding(ChannelBinding::Require);
        bound
    }

    /// Whether the connection is certain to be encrypted.
    pub(crate) fn always_tls(&self) -> bool {
        matches!(self.tls, Tls::Always(_))
    }

    /// Shorter or longer limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        harden(&mut self.config, &self.tls, limits);
        self
    }
}

/// The URL's pieces: the driver understands neither `sslrootcert` nor `sslmode=verify-full`, and the login of a box needs all but the user.
struct Parts {
    user: String,
    hosts: String,
    path: String,
    /// `user` and `password` of the query, which the driver shall see and a box's URL shall not.
    credentials: Vec<String>,
    options: Vec<String>,
    sslmode: Option<String>,
    ca: Option<String>,
}

impl Parts {
    fn split(url: &str) -> Result<Self, Error> {
        let rest = url
            .strip_prefix("postgres://")
            .or_else(|| url.strip_prefix("postgresql://"))
            .ok_or_else(|| refuse("the upstream URL must begin with postgres://"))?;
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = address.split_once('/').unwrap_or((address, ""));
        // A bare `@`, `/` or `?` in a password would make part of it a host name or an option.
        if rest.matches('@').count() > authority.matches('@').count().min(1) {
            return Err(refuse(UNREADABLE));
        }
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let mut parts = Self {
            user: user.to_owned(),
            hosts: hosts.to_owned(),
            path: path.to_owned(),
            credentials: Vec::new(),
            options: Vec::new(),
            sslmode: None,
            ca: None,
        };
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslmode", mode)) => parts.sslmode = Some(mode.to_owned()),
                Some(("sslrootcert", path)) => parts.ca = Some(decode(path)?),
                Some(("channel_binding", "require")) => parts.options.push(option.to_owned()),
                Some(("channel_binding", "prefer")) => {}
                Some(("channel_binding", _)) => return Err(refuse("channel binding cannot be turned off")),
                Some(("user" | "password", _)) => parts.credentials.push(option.to_owned()),
                Some(("dbname", _)) => return Err(refuse("name the database in the path of the upstream URL")),
                Some(_) => parts.options.push(option.to_owned()),
                None => return Err(refuse(UNREADABLE)),
            }
        }
        Ok(parts)
    }

    fn for_driver(&self) -> String {
        let query: Vec<&str> = self.options.iter().chain(&self.credentials).map(String::as_str).collect();
        let at = if self.user.is_empty() { "" } else { "@" };
        format!("postgres://{}{at}{}/{}?{}", self.user, self.hosts, self.path, query.join("&"))
    }
}

/// A loopback address or a local socket may be without TLS; nothing else may, whatever the URL asks for.
fn choose_tls(config: &Config, sslmode: Option<&str>, ca: Option<&Path>) -> Result<Tls, Error> {
    let here = stays_here(config);
    match sslmode {
        Some("require" | "verify-ca" | "verify-full") => Ok(Tls::Always(connector(ca)?)),
        Some("disable") if here => Ok(Tls::Off),
        Some("allow" | "prefer") | None if here => match ca {
            Some(ca) => Ok(Tls::IfOffered(connector(Some(ca))?)),
            None => Ok(Tls::Off),
        },
        None => Ok(Tls::Always(connector(ca)?)),
        Some("disable" | "allow" | "prefer") => Err(refuse("only a server on this machine may be without TLS")),
        Some(_) => Err(refuse("sslmode is none of disable, allow, prefer, require, verify-ca and verify-full")),
    }
}

/// Whether every address is a loopback one or a socket of this machine.
fn stays_here(config: &Config) -> bool {
    let loopback = |name: &str| name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    config.get_hostaddrs().iter().all(IpAddr::is_loopback)
        && config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => loopback(name),
            Host::Unix(_) => true,
        })
}

fn connector(ca: Option<&Path>) -> Result<MakeRustlsConnect, Error> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            let unreadable = |error: rustls_pki_types::pem::Error| refuse(&format!("the CA file: {}", chain(&error)));
            for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                let certificate = certificate.map_err(unreadable)?;
                roots.add(certificate).map_err(|error| refuse(&format!("the CA file: {}", chain(&error))))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(refuse("there is no CA to trust; give the file of central's"));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(&chain(&error)))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// What must hold whatever the URL says.
fn harden(config: &mut Config, tls: &Tls, limits: Limits) {
    config.ssl_mode(match tls {
        Tls::Off => SslMode::Disable,
        Tls::IfOffered(_) => SslMode::Prefer,
        Tls::Always(_) => SslMode::Require,
    });
    config.application_name("whotbox");
    // Less than for TLS and login with it: who takes the call and then says nothing is told from who cannot be reached.
    config.connect_timeout(limits.connect * 4 / 5);
    config.keepalives_idle(Duration::from_secs(10));
    config.keepalives_interval(Duration::from_secs(5));
    config.keepalives_retries(3);
    config.tcp_user_timeout(limits.answer);
    if config.get_hosts().len() > 1 {
        // Of several servers the one that takes writes.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    // What is acknowledged is durable, nothing runs or waits for ever, and central notices a half-open connection before a box comes back.
    // A plan made for one call's parameters would copy a whole batch several times into itself.
    let answer = limits.answer.as_millis();
    config.options(format!(
        "-c synchronous_commit=on -c plan_cache_mode=force_generic_plan -c statement_timeout={answer} -c lock_timeout={answer} -c idle_in_transaction_session_timeout={answer} \
         -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
    ));
}

fn refuse(reason: &str) -> Error {
    Error::Settings { reason: reason.to_owned() }
}

/// Percent-encodes everything but letters, digits and `-._~`.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn decode(text: &str) -> Result<String, Error> {
    let bad = || refuse("sslrootcert is not percent-encoded UTF-8");
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next().ok_or_else(bad)?, bytes.next().ok_or_else(bad)?];
            let digits = std::str::from_utf8(&digits).map_err(|_not_text| bad())?;
            out.push(u8::from_str_radix(digits, 16).map_err(|_not_hex| bad())?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).map_err(|_not_text| bad())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::error::Error;
    use crate::settings::{Limits, Settings, Tls};

    fn parse(url: &str) -> Result<Settings, Error> {
        Settings::parse(url, None)
    }

    #[test]
    fn whatever_falls_silent_is_noticed_within_half_a_minute() {
        let limits = Limits::default();
        assert!(limits.connect.max(limits.answer) < Duration::from_secs(30));
    }

    #[test]
    fn tls_may_be_missing_on_this_machine_only() {
        for url in [
            "postgres://u@127.0.0.1/d",
            "postgres://u@localhost/d",
            "postgres://u@[::1]:5433/d",
            "postgres:///d?host=/run/pg&user=u",
        ] {
            assert!(matches!(parse(url).unwrap().tls, Tls::Off), "{url}");
        }
        for url in [
            "postgres://u@10.0.0.1/d?sslmode=disable",
            "postgres://u@db.example/d?sslmode=prefer",
            "postgres://u@localhost/d?hostaddr=10.0.0.1&sslmode=disable",
        ] {
            assert!(matches!(parse(url), Err(Error::Settings { .. })), "{url}");
        }
        assert!(matches!(parse("postgres://u@db.example/d?channel_binding=disable"), Err(Error::Settings { .. })));
    }

    #[test]
    fn no_password_is_shown_nor_quoted() {
        let settings = parse("postgres://u:hunter2@127.0.0.1:5433/d").unwrap();
        assert_eq!(format!("{settings:?}"), "Settings(127.0.0.1:5433/d, user \"u\", tls off)");
        for bare in ["hunt?er2", "hunt/er2", "hunt@er2", "er2?er2=er2"] {
            let error = parse(&format!("postgres://u:{bare}@127.0.0.1/d")).unwrap_err();
            assert!(!error.to_string().contains("er2"), "{bare}: {error}");
        }
    }

    #[test]
    fn a_boxes_url_keeps_the_place_and_drops_the_admin() {
        let admin = parse(
            "postgresql://admin:a%40b@127.0.0.1:5433,[::1]:5434/central?sslmode=disable&load_balance_hosts=random",
        )
        .unwrap();
        assert_eq!(
            admin.url_for("box", "p/w", true),
            "postgres://box:p%2Fw@127.0.0.1:5433,[::1]:5434/central?load_balance_hosts=random&channel_binding=require"
        );
        let socket = parse("postgres:///central?host=%2Frun%2Fpg&user=admin&password=x").unwrap();
        assert_eq!(socket.url_for("box", "pw", false), "postgres://box:pw@/central?host=%2Frun%2Fpg");
        assert!(parse(&socket.url_for("box", "pw", false)).is_ok());
    }

    #[test]
    fn a_ca_file_that_is_none_is_an_error_and_not_a_fallback() {
        let error = parse("postgres://u@db.example/d?sslrootcert=%2Fno%20where").unwrap_err();
        assert!(matches!(error, Error::Settings { .. }), "{error}");
    }
}
