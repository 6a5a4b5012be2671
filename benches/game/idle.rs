//! What an idle socket of a match costs: the program's memory with 5,000 of them open, against that before.
//!
//! Every socket is the real thing: authenticated, seated, its snapshot taken, told of presence, watched by the clocks.

use std::net::SocketAddr;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::folk::{self, Person};
use crate::moves::Match;

/// Sockets, and what one may cost.
const SOCKETS: usize = 5_000;
const MOST_KIB: f64 = 15.0;
/// Matches of a pair: a user may have sixteen connections, and two are left for requests.
const EACH: usize = 14;

/// Pairs whose matches are made at the same time.
const AT_ONCE: usize = 8;

/// Open files that this program and the box need each.
const FILES: u64 = SOCKETS as u64 + 1_000;

pub(crate) async fn run(folder: &std::path::Path) {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    if files.split_whitespace().next().and_then(|soft| soft.parse::<u64>().ok()).is_some_and(|soft| soft < FILES) {
        println!("idle sockets: not measured, since the limit of open files (ulimit -n) is below {FILES}");
        return;
    }
    std::fs::create_dir_all(folder).unwrap();
    let pairs = SOCKETS / 2 / EACH + 1;
    let (served, people) = folk::serve(folder, 2 * pairs).await;
    let mut games: Vec<(String, &Person)> = Vec::new();
    let pairs: Vec<&[Person]> = people.chunks_exact(2).collect();
    for some in pairs.chunks(AT_ONCE) {
        let made = some.iter().map(|pair| async {
            let mut games = Vec::new();
            for _ in 0..EACH {
                games.push(Match::make(served.address, [&pair[0], &pair[1]], 1).await);
            }
            games
        });
        for (pair, made) in some.iter().zip(join_all(made).await) {
            games.extend(made.iter().flat_map(|game| pair.iter().map(move |person| (game.clone(), person))));
        }
    }
    eprintln!("{} matches are made", games.len() / 2);
    games.truncate(SOCKETS);
    // One and its end first: what the first socket of a process costs is not an idle one's.
    drop(open(served.address, &games[0]).await);
    settle().await;
    let before = resident(served.pid());
    let mut sockets = Vec::new();
    for game in &games {
        sockets.push(open(served.address, game).await);
    }
    settle().await;
    let after = resident(served.pid());
    let each = (after - before) / sockets.len() as f64;
    let verdict = if each <= MOST_KIB { "met" } else { "MISSED" };
    println!(
        "idle sockets of matches open: {}; resident {before:.0} KiB before, {after:.0} KiB with them",
        sockets.len()
    );
    println!("{:<58} {each:>8.2} KiB  at most {MOST_KIB}  {verdict}", "an idle socket of a match");
}

async fn open(address: SocketAddr, (game, person): &(String, &Person)) -> WebSocketStream<TcpStream> {
    let url = format!("ws://{address}/api/v1/games/{game}/ws");
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("Authorization", format!("Bearer {}", person.token).parse().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    // The snapshot and the presence.
    for _ in 0..2 {
        socket.next().await.unwrap().unwrap();
    }
    socket
}

/// Lets what is being dropped be dropped.
async fn settle() {
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
}

/// KiB of memory that a process holds.
fn resident(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
