//! `whotbox serve`: a whole box, from its data folder to its sockets, and its clean end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::cli::banner::{self, Banner};
use crate::cli::control::Failure;
use crate::cli::{logs, open, socket, users};
use crate::config::{Config, Tls as TlsSetting};
use crate::http::edge::Edge;
use crate::http::metrics::Metrics;
use crate::http::serve::{Listen, Server, start};
use crate::http::settings::Settings;
use crate::http::tls::{Source, Tls};
use crate::http::{self};
use crate::jobs::backup::Backup;
use crate::jobs::bots::Bots;
use crate::jobs::codes::Codes;
use crate::jobs::compaction::Compaction;
use crate::jobs::custody::Custodian;
use crate::jobs::erasure::Erasure;
use crate::jobs::games::Games;
use crate::jobs::housekeeping::Housekeeping;
use crate::jobs::replication::Replication;
use crate::jobs::retention::Retention;
use crate::jobs::verify::Verify;
use crate::jobs::{self, Job, Next, naming};
use crate::live::power::Ending;
use crate::mdns::{Known, Ports};
use crate::system;
use crate::upstream::Link;

/// The name of the first admin of a box that was started without `init`.
const FIRST_ADMIN: &str = "admin";

/// The exit code of a box that is to stay down (`RestartPreventExitStatus=` in systemd/whotbox.service).
const SHUT_DOWN: u8 = 6;

/// How soon another address of the box is in its certificate.
const CERTIFICATE_EVERY: Duration = Duration::from_secs(60);

/// Runs the box until it is told to stop.
///
/// # Errors
/// [`Failure`] in words for a person, where it cannot start.
pub async fn serve(config: Config) -> Result<(), Failure> {
    logs::start(&config.log_level, config.log_format);
    let (mut terminate, mut interrupt) = (listen_for(SignalKind::terminate())?, listen_for(SignalKind::interrupt())?);
    let mut hangup = listen_for(SignalKind::hangup())?;
    let running = Running::start(open(config)?).await?;
    running.say();
    let app = Arc::clone(&running.app);
    let ending = loop {
        // Waiting for a signal holds nothing, so dropping the others loses none.
        tokio::select! {
            _ = terminate.recv() => break None,
            _ = interrupt.recv() => break None,
            _ = hangup.recv() => running.reload(),
            ending = app.power.asked() => break Some(ending),
        }
    };
    running.stop().await;
    match ending {
        None => Ok(()),
        Some(Ending::Restart) => again(),
        Some(Ending::ShutDown) => Err(down().await),
    }
}

/// Starts again: systemd does that by itself, a box that was started by hand becomes a new process of the same id.
fn again() -> Result<(), Failure> {
    use std::os::unix::process::CommandExt as _;
    if system::is_service() {
        return Ok(());
    }
    let mut words = std::env::args_os();
    let called = words.next().unwrap_or_default();
    // The file may have been replaced by a newer version; its name is the same.
    let program = std::env::current_exe().ok().filter(|path| path.exists()).unwrap_or_else(|| called.into());
    let error = std::process::Command::new(program).args(words).exec();
    Err(Failure::failed(format!("The box cannot start again: {error}."), "Start it by hand: whotbox."))
}

/// Stays down; the machine is turned off where that is allowed. The exit code keeps systemd from starting the box again.
async fn down() -> Failure {
    let hint = if system::power_off().await {
        "The machine turns itself off."
    } else {
        "The plug may be pulled now. To start the box again: whotbox, or systemctl start whotbox."
    };
    Failure { exit: SHUT_DOWN, message: "The box was shut down from its screen.".into(), hint: hint.into() }
}

fn listen_for(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::failed(error, "The system takes no more signal handlers: report this."))
}

/// A box that serves.
struct Running {
    app: Arc<App>,
    server: Server,
    tls: Option<Tls>,
    first_password: Option<String>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    async fn start(app: Arc<App>) -> Result<Self, Failure> {
        let first_password = users::first_admin(&app, FIRST_ADMIN, None).await?;
        let link = Arc::new(Link::default());
        let stop = CancellationToken::new();
        let tls = tls(&app)?;
        let server = listen(&app, &link, tls.as_ref()).await?;
        socket::listen(Arc::clone(&app), Arc::clone(&link), stop.clone()).map_err(|error| {
            Failure::failed(
                format!("The admin socket cannot be made: {error}."),
                "Look at the data folder's owner and mode.",
            )
        })?;
        let hint = "Mend what is named and start again.";
        let codes = Codes::new(Arc::clone(&app)).map_err(|error| Failure::failed(error, hint))?;
        let running = Self { app, server, tls, first_password, stop, tasks: TaskTracker::new() };
        let app = &running.app;
        running.begin(Verify::new(Arc::clone(app), Arc::clone(&link)));
        running.begin(Replication::new(Arc::clone(app), Arc::clone(&link)));
        running.begin(Custodian::new(Arc::clone(app), Arc::clone(&link)));
        running.begin(Housekeeping { store: app.store.clone(), log_retention: app.config.log_retention });
        running.begin(Games::new(Arc::clone(app)));
        running.begin(Bots::new(Arc::clone(app)));
        running.begin(codes);
        running.begin(Erasure::new(Arc::clone(app)));
        running.begin(Retention { app: Arc::clone(app), link });
        running.begin(Backup { app: Arc::clone(app), started: false });
        running.begin(Compaction { app: Arc::clone(app), looked: None });
        running.name();
        running.begin(Watchdog { app: Arc::clone(app) });
        if let Some(tls) = running.tls.clone() {
            running.begin(Certificate { app: Arc::clone(app), tls });
        }
        Ok(running)
    }

    fn begin(&self, job: impl Job + 'static) {
        self.tasks.spawn(jobs::run(job, self.app.store.watch(), self.stop.clone()));
    }

    /// Answers for the box's name on its network.
    fn name(&self) {
        let (app, listened) = (Arc::clone(&self.app), self.server.addresses().to_vec());
        let port = listened.iter().find(|address| !address.ip().is_loopback()).map(SocketAddr::port);
        // Where the box itself has made the certificate, players may stay on plain HTTP.
        let plain = self.tls.is_none() || app.config.plain_http;
        let ports = Ports { http: port.filter(|_| plain), https: port.filter(|_| self.tls.is_some()) };
        app.mdns.note(Known { ports, ..app.mdns.known() });
        self.tasks.spawn(naming::run(app, ports, listened, self.stop.clone()));
    }

    /// Tells the terminal and systemd that the box is up.
    fn say(&self) {
        let config = &self.app.config;
        let addresses: &[SocketAddr] = self.server.addresses();
        let admin = self.first_password.as_deref().map(|password| (FIRST_ADMIN, password));
        let (tls, public_url) = (self.tls.is_some(), config.public_url.as_deref());
        let named = self.app.mdns.known().coming_url();
        let banner = Banner { addresses, tls, public_url, named: named.as_deref(), admin };
        if let Err(error) = banner::write(&mut std::io::stdout().lock(), &banner) {
            // The box serves all the same: whoever started it no longer listens.
            tracing::warn!(%error, "the address could not be shown");
        }
        let (version, data_dir) = (env!("CARGO_PKG_VERSION"), config.data_dir.display());
        tracing::info!(version, box_id = %self.app.box_id, ?addresses, tls, %data_dir, "the box is up");
        notify(&[NotifyState::Ready, NotifyState::Status("serving")]);
    }

    /// Reads the certificate again.
    fn reload(&self) {
        let Some(tls) = &self.tls else { return };
        match tls.reload(&self.app.names(), self.app.clock.wall()) {
            Ok(_) => tracing::info!("the certificate was read again"),
            Err(error) => tracing::error!(%error, "the certificate cannot be read; the old one stays"),
        }
    }

    /// Answers what is under way, closes sockets, stops the jobs, and closes the store.
    async fn stop(self) {
        tracing::info!("the box stops");
        notify(&[NotifyState::Stopping]);
        let whole = self.server.drain().await;
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.app.store.close();
        tracing::info!(whole, "the box has stopped");
    }
}

fn notify(states: &[NotifyState<'_>]) {
    // Without systemd there is nobody to tell.
    drop(sd_notify::notify(states));
}

fn tls(app: &App) -> Result<Option<Tls>, Failure> {
    let source = match &app.config.tls {
        TlsSetting::Off => return Ok(None),
        TlsSetting::Files { cert, key } => Source::Files { cert: cert.clone(), key: key.clone() },
        TlsSetting::SelfSigned => Source::SelfSigned(app.config.data_dir.clone()),
    };
    let hint = "Give a PEM certificate chain and its key, or use --tls self-signed. What is damaged in the data folder: move it away, and the box makes another.";
    let made = Tls::open(source, &app.names(), app.clock.wall());
    made.map(Some).map_err(|error| Failure::failed(error, hint))
}

async fn listen(app: &Arc<App>, link: &Arc<Link>, tls: Option<&Tls>) -> Result<Server, Failure> {
    let metrics = Arc::new(Metrics::of(app));
    let resources = http::resources::all(app, link, &metrics);
    let (proxies, origins) = (app.config.proxies.clone(), app.config.origins.clone());
    let settings = Settings {
        proxies,
        origins,
        plain_http: app.config.plain_http,
        locked: Arc::clone(&app.locked),
        ..Settings::default()
    };
    let (clock, entropy) = (Arc::clone(&app.clock), Arc::clone(&app.entropy));
    let edge = Edge::new(resources, settings, clock, entropy, move |served| metrics.served(served));
    let config = tls.map(|tls| Arc::clone(&tls.config));
    let addresses = app.config.listen.iter();
    let listens: Vec<Listen> = addresses.map(|address| Listen { address: *address, tls: config.clone() }).collect();
    start(&listens, &edge).await.map_err(|error| {
        Failure::unreachable(error, "Choose another address with --listen, or stop what uses this one.")
    })
}

/// Keeps the certificate in order: one that nears its end, an address that the network gave anew, a file that the owner
/// has put in its place.
struct Certificate {
    app: Arc<App>,
    tls: Tls,
}

impl Job for Certificate {
    async fn step(&mut self) -> Next {
        match self.tls.reload(&self.app.names(), self.app.clock.wall()) {
            Ok(true) => tracing::info!("another certificate is in use"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the certificate cannot be read; the old one stays"),
        }
        Next::After(CERTIFICATE_EVERY)
    }
}

/// Tells systemd that the box lives, as long as its store can be read.
struct Watchdog {
    app: Arc<App>,
}

impl Job for Watchdog {
    async fn step(&mut self) -> Next {
        let Some(limit) = sd_notify::watchdog_enabled() else { return Next::After(Duration::from_secs(3600)) };
        if self.app.store.read().is_ok() {
            notify(&[NotifyState::Watchdog]);
        }
        Next::After(limit / 3)
    }
}
