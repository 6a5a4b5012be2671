//! One connection to PostgreSQL: opened with verification, its statements prepared once, many of them sent before the first is answered.
//!
//! Must not know the batch protocol.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, Statement};

use crate::encode::Param;
use crate::error::{Error, Moment, sort};
use crate::settings::{Settings, Tls};

/// An open connection. Dropping it closes the socket, whatever is in flight.
pub(crate) struct Session {
    pub(crate) client: Client,
    /// Central's schema version, once it has said it.
    pub(crate) central: i64,
    statements: Mutex<HashMap<String, Statement>>,
    driver: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A statement with its parameters, or a plain command; what [`Session::run`] sends.
pub(crate) enum Step<'a> {
    /// BEGIN, COMMIT, SAVEPOINT and the like.
    Command(&'a str),
    /// A prepared statement.
    Call(Statement, Vec<Param<'a>>),
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send + 'a>>;

impl Session {
    /// Connects and logs in.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, Error> {
        let late = Error::Unreachable { reason: format!("no connection within {:?}", settings.limits.connect) };
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
            Ok(Self { client, central: 0, statements: Mutex::default(), driver })
        };
        match timeout(settings.limits.connect, opening).await {
            Ok(opened) => opened.map_err(|error| sort(&error, Moment::Before)),
            Err(_elapsed) => Err(late),
        }
    }

    /// The prepared form of each text, all missing ones prepared in one round trip.
    pub(crate) async fn prepare(&self, texts: &[String]) -> Result<Vec<Statement>, tokio_postgres::Error> {
        let missing: Vec<&String> = {
            let known = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
            let mut missing: Vec<&String> = texts.iter().filter(|text| !known.contains_key(*text)).collect();
            missing.sort_unstable();
            missing.dedup();
            missing
        };
        let preparing = missing
            .iter()
            .map(|text| -> Pin<Box<dyn Future<Output = _> + Send + '_>> { Box::pin(self.client.prepare(text)) });
        let prepared = together(preparing.collect()).await;
        let mut known = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        for (text, statement) in missing.into_iter().zip(prepared) {
            known.insert(text.clone(), statement?);
        }
        Ok(texts.iter().filter_map(|text| known.get(text).cloned()).collect())
    }

    /// Sends all steps at once and waits for all answers, which come in the same order.
    pub(crate) async fn run(&self, steps: Vec<Step<'_>>) -> Vec<Result<(), tokio_postgres::Error>> {
        together(steps.into_iter().map(|step| self.send(step)).collect()).await
    }

    fn send<'a>(&'a self, step: Step<'a>) -> Answer<'a> {
        match step {
            Step::Command(text) => Box::pin(self.client.batch_execute(text)),
            Step::Call(statement, params) => {
                Box::pin(async move { self.client.execute(&statement, &references(&params)).await.map(|_rows| ()) })
            }
        }
    }

    /// One statement that answers with one row.
    pub(crate) async fn row(&self, text: &str, params: &[Param<'_>]) -> Result<Row, tokio_postgres::Error> {
        let statements = self.prepare(&[text.to_owned()]).await?;
        match statements.first() {
            Some(statement) => self.client.query_one(statement, &references(params)).await,
            None => self.client.query_one(text, &references(params)).await,
        }
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

fn references<'a>(params: &'a [Param<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|param| -> &(dyn ToSql + Sync) { &**param }).collect()
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
