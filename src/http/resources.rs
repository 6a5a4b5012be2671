//! Every resource of the box in one list.

use std::sync::Arc;

use crate::app::App;
use crate::http::meta::with_meta;
use crate::http::metrics::Metrics;
use crate::http::operations::{self, Operations};
use crate::http::route::Resource;
use crate::upstream::Link;

/// All resources, with the document that describes them.
#[must_use]
pub fn all(app: &Arc<App>, link: &Arc<Link>, metrics: &Arc<Metrics>) -> Vec<Resource> {
    let operations = Operations { app: Arc::clone(app), link: Arc::clone(link), metrics: Arc::clone(metrics) };
    with_meta(vec![operations::resource(&operations)])
}
