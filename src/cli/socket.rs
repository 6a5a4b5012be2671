//! The admin socket: how a command reaches the running box, since the store has one opener.
//!
//! A Unix socket in the data folder, for the box's own user and root alone: the folder's mode keeps others out,
//! and the peer's user id is checked besides. One JSON line asks, one answers.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::base::secret::Secret;
use crate::cli::control::{Failure, Request, perform};
use crate::upstream::Link;

/// The socket's name within the data folder.
pub const SOCKET_FILE: &str = "admin.sock";
/// Bytes of a request, at most: a batch of an import, whose bytes may be spelled as numbers.
const MAX_REQUEST: u64 = 32 * 1024 * 1024;
/// Bytes of an answer, at most: a list of accounts.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;
/// How long a caller may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves the socket until told to stop.
///
/// # Errors
/// What the operating system says where it cannot be bound.
pub fn listen(app: Arc<App>, link: Arc<Link>, stop: CancellationToken) -> std::io::Result<()> {
    let path = app.config.data_dir.join(SOCKET_FILE);
    // One that is there was left behind by a box that was killed: this process holds the store.
    if let Err(error) = std::fs::remove_file(&path)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error);
    }
    let listener = UnixListener::bind(&path)?;
    let owner = std::fs::metadata(&app.config.data_dir)?.uid();
    tokio::spawn(async move {
        loop {
            // Accepting is safe to drop: a connection that was not taken waits in the kernel.
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else { continue };
            if stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == owner) {
                tokio::spawn(answer(Arc::clone(&app), Arc::clone(&link), stream));
            } else {
                tracing::warn!("somebody else knocked at the admin socket");
            }
        }
        drop(std::fs::remove_file(&path));
    });
    Ok(())
}

async fn answer(app: Arc<App>, link: Arc<Link>, mut stream: UnixStream) {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    let mut reader = BufReader::new(read.take(MAX_REQUEST));
    if !matches!(tokio::time::timeout(PATIENCE, reader.read_line(&mut line)).await, Ok(Ok(1..))) {
        return;
    }
    // It may hold a password.
    let line = Secret::new(line);
    let result = match serde_json::from_str::<Request>(line.expose()) {
        Ok(request) => perform(&app, &link, request).await,
        Err(_) => {
            Err(Failure::usage("The running box does not know this command.", "Use the box's own version of whotbox."))
        }
    };
    let mut answer = serde_json::to_vec(&result).unwrap_or_default();
    answer.push(b'\n');
    drop(write.write_all(&answer).await);
}

/// Asks the running box of a data folder; `None` where none runs.
///
/// # Errors
/// [`Failure`]: the box's own, or that it did not answer.
pub async fn ask(data_dir: &Path, request: &Request) -> Option<Result<Value, Failure>> {
    let path = data_dir.join(SOCKET_FILE);
    let mut stream = match UnixStream::connect(&path).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let hint = "Run it as root or as the box's own user.";
            return Some(Err(Failure::failed(format!("{} may not be opened.", path.display()), hint)));
        }
        Err(_) => return None,
    };
    let exchange = async {
        let mut line = serde_json::to_vec(request).map_err(std::io::Error::other)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        let mut answer = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
        serde_json::from_slice::<Result<Value, Failure>>(&answer).map_err(std::io::Error::other)
    };
    Some(exchange.await.unwrap_or_else(|error| {
        Err(Failure::unreachable(
            format!("The running box did not answer: {error}."),
            "Look at its log, or restart it.",
        ))
    }))
}
