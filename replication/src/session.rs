//! One connection to PostgreSQL: opened with verification, each statement one round trip, many of them sent before the first is answered.
//!
//! Must not know the batch protocol.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, Row};

use crate::encode::Param;
use crate::error::{Error, Moment, SILENT, sort};
use crate::settings::{Settings, Tls};
use crate::work::Call;

/// An open connection. Dropping it closes the socket, whatever is in flight.
pub(crate) struct Session {
    pub(crate) client: Client,
    /// Central's schema version, once it has said it.
    pub(crate) central: i64,
    /// How many statements were answered.
    answered: watch::Sender<u64>,
    driver: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What [`Session::run`] sends.
pub(crate) enum Step<'a> {
    /// BEGIN, COMMIT, SAVEPOINT and the like.
    Command(&'a str),
    /// A statement with parameters.
    Call(Call<'a>),
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send + 'a>>;

impl Session {
    /// Connects and logs in.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, Error> {
        let late = Error::Unreachable { reason: format!("{SILENT} {:?}", settings.limits.connect) };
        let opening = async {
            let (client, driver) = match &settings.tls {
                Tls::Off => {
                    let (client, connection) = settings.config.connect(NoTls).await?;
                    (client, tokio::spawn(finish(connection)))
                }
                Tls::IfOffered(tls) | Tls::Always(tls) => {
                    let (client, connection) = settings.config.connect(tls.clone()).await?;
                    (client, tokio::spawn(finish(connection)))
                }
            };
            Ok(Self { client, central: 0, answered: watch::Sender::new(0), driver })
        };
        match timeout(settings.limits.connect, opening).await {
            Ok(opened) => opened.map_err(|error| sort(&error, Moment::Before)),
            Err(_elapsed) => Err(late),
        }
    }

    /// Sends all steps at once and waits for all answers, which come in the same order.
    pub(crate) async fn run(&self, steps: Vec<Step<'_>>) -> Vec<Result<(), tokio_postgres::Error>> {
        together(steps.into_iter().map(|step| self.send(step)).collect()).await
    }

    fn send<'a>(&'a self, step: Step<'a>) -> Answer<'a> {
        Box::pin(async move {
            let answer = match step {
                Step::Command(text) => self.client.batch_execute(text).await,
                Step::Call((text, params)) => self.client.execute_typed(&text, &typed(&params)).await.map(|_rows| ()),
            };
            self.answered.send_modify(|answered| *answered += 1);
            answer
        })
    }

    /// Waits for an answer; nothing if no statement at all was answered for so long. A slow line with much on it is no stall.
    pub(crate) async fn unless_silent<T>(&self, limit: Duration, answer: impl Future<Output = T>) -> Option<T> {
        let mut answered = self.answered.subscribe();
        let mut answer = std::pin::pin!(answer);
        loop {
            let either = async {
                tokio::select! {
                    biased;
                    answer = &mut answer => Some(answer),
                    _ = answered.changed() => None,
                }
            };
            if let Some(answer) = timeout(limit, either).await.ok()? {
                return Some(answer);
            }
        }
    }

    /// One statement that answers with one row.
    pub(crate) async fn row(&self, text: &str, params: &[Param<'_>]) -> Result<Row, tokio_postgres::Error> {
        let row = self.client.query_typed_one(text, &typed(params)).await;
        self.answered.send_modify(|answered| *answered += 1);
        row
    }
}

async fn finish<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    // Its error reaches whoever waits for an answer as a closed connection; there is nobody else to tell.
    drop(connection.await);
}

fn typed<'a>(params: &'a [Param<'_>]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    params.iter().map(|param| (param.value(), param.ty())).collect()
}

/// Polls futures in their order until all are done. The driver sends a request at the first poll of its future, so the requests go out in
/// this order too, which is what makes a pipeline of dependent statements right.
async fn together<T>(futures: Vec<Pin<Box<dyn Future<Output = T> + Send + '_>>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| (Some(future), None)).collect();
    poll_fn(|context| {
        let mut open = false;
        for (future, result) in &mut waiting {
            if let Some(running) = future {
                match running.as_mut().poll(context) {
                    Poll::Ready(done) => {
                        *result = Some(done);
                        *future = None;
                    }
                    Poll::Pending => open = true,
                }
            }
        }
        if open { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    waiting.into_iter().filter_map(|(_future, result)| result).collect()
}
