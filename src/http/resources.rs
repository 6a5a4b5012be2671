//! Every resource of the box in one list.

use std::sync::Arc;

use crate::app::App;
use crate::http::meta::with_meta;
use crate::http::metrics::Metrics;
use crate::http::operations::{self, Operations};
use crate::http::route::Resource;
use crate::http::{
    admin_users, backups, box_settings, clock, conversations, entitlements, games, games_running, holds, invites,
    messages, moderation, power, relationships, restore, sheet, sign_in, sync, trail, trust, users, web,
};
use crate::upstream::Link;

/// All resources, with the document that describes them.
#[must_use]
pub fn all(app: &Arc<App>, link: &Arc<Link>, metrics: &Arc<Metrics>) -> Vec<Resource> {
    let operations = Operations { app: Arc::clone(app), link: Arc::clone(link), metrics: Arc::clone(metrics) };
    with_meta(vec![
        sign_in::resource(app),
        users::resource(app),
        admin_users::resource(app),
        invites::resource(app),
        sheet::resource(app),
        relationships::resource(app),
        entitlements::resource(app),
        games::resource(app),
        games_running::resource(app),
        operations::resource(&operations),
        backups::resource(app),
        box_settings::resource(app),
        power::resource(app),
        restore::resource(app),
        sync::resource(&operations),
        conversations::resource(app),
        messages::resource(app),
        moderation::resource(app),
        holds::resource(app),
        trail::resource(app),
        clock::resource(app),
        trust::resource(app),
        web::resource(),
    ])
}
