//! Chat and moderation through the real program, as the contract's section 5 and 6 have them.

mod aead;
mod away;
mod messages;
mod moderation;
mod old_store;
mod sockets;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::story::evening::{Cast, gather};
use crate::support::whotbox::{Person, Whotbox};

/// A box on which a distributor and a customer have a conversation, and one more customer is about.
struct Stage {
    whotbox: Whotbox,
    cast: Cast,
    /// The conversation of the owner and Chidi, as a path.
    path: String,
    id: String,
    folder: TempDir,
}

async fn stage() -> Stage {
    stage_in(tempfile::tempdir().unwrap()).await
}

async fn stage_in(folder: TempDir) -> Stage {
    let whotbox = Whotbox::start(folder.path(), &[]);
    let cast = gather(&whotbox).await;
    let made = cast.chidi.done("/api/v1/conversations", &json!({"participant_id": cast.owner.id})).await;
    let id = made["id"].as_str().unwrap().to_owned();
    Stage { whotbox, cast, path: format!("/api/v1/conversations/{id}"), id, folder }
}

impl Stage {
    async fn says(&self, who: &Person, body: &str) -> Value {
        who.done(&format!("{}/messages", self.path), &json!({ "body": body })).await
    }

    /// The texts that somebody sees.
    async fn sees(&self, who: &Person) -> Vec<String> {
        let list = who.see(&format!("{}/messages", self.path)).await;
        bodies(&list["items"])
    }

    async fn moderator(&self) -> Person {
        self.moderator_named("mod-one").await
    }

    async fn moderator_named(&self, name: &str) -> Person {
        let made = self.cast.admin.done("/api/v1/admin/moderators", &json!({ "username": name })).await;
        self.whotbox.sign_in(name, made["temporary_password"].as_str().unwrap()).await
    }
}

fn bodies(messages: &Value) -> Vec<String> {
    let messages = messages.as_array().unwrap();
    messages.iter().map(|message| message["body"].as_str().unwrap_or("(none)").to_owned()).collect()
}
