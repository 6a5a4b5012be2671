//! The store under its own name: many writers, or one.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use whotbox::store::medium::FileMedium;
use whotbox::store::writer::Store;

use crate::WRITERS;
use crate::counted::Counted;
use crate::load::{Message, open};

/// A store that is written to.
pub(crate) struct Ours {
    store: Store,
    written: Arc<AtomicU64>,
    runtime: tokio::runtime::Runtime,
    /// Figures before the first command that counts.
    began: Figures,
}

#[derive(Clone, Copy, Default)]
struct Figures {
    commands: f64,
    commits: f64,
    payload: f64,
    written: f64,
}

impl Ours {
    pub(crate) fn new(path: &Path) -> Self {
        let medium = Counted { file: FileMedium { path: path.to_owned(), reserve: 0 }, written: Arc::default() };
        let written = medium.written.clone();
        let store = open(Arc::new(medium));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let mut ours = Self { store, written, runtime, began: Figures::default() };
        ours.began = ours.figures();
        ours
    }

    /// Commands of as many writers as a bench has, each of which waits for its own.
    pub(crate) fn concurrent(&mut self, commands: usize) {
        let writer = |_| {
            let store = self.store.clone();
            self.runtime.spawn(async move {
                for _ in 0..commands / WRITERS {
                    store.write(Message::new().post()).await.unwrap();
                }
            })
        };
        let writers: Vec<_> = (0..WRITERS).map(writer).collect();
        self.runtime.block_on(async {
            for writer in writers {
                writer.await.unwrap();
            }
        });
    }

    /// Commands one after another, each in a commit of its own.
    pub(crate) fn one_by_one(&mut self, commands: usize) {
        let store = self.store.clone();
        let writer = self.runtime.spawn(async move {
            for _ in 0..commands {
                store.write(Message::new().post()).await.unwrap();
            }
        });
        self.runtime.block_on(writer).unwrap();
    }

    fn figures(&self) -> Figures {
        let figures = self.store.figures();
        Figures {
            commands: figures.commands as f64 - self.began.commands,
            commits: figures.commits as f64 - self.began.commits,
            payload: figures.payload_bytes as f64 - self.began.payload,
            written: self.written.load(Ordering::Relaxed) as f64 - self.began.written,
        }
    }

    pub(crate) fn per_commit(&self) -> f64 {
        self.figures().commands / self.figures().commits
    }

    pub(crate) fn payload_per_command(&self) -> f64 {
        self.figures().payload / self.figures().commands
    }

    /// Bytes handed to the kernel per byte of payload.
    pub(crate) fn amplification(&self) -> f64 {
        self.figures().written / self.figures().payload
    }
}
