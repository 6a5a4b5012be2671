//! The service: the customer domain's key, and identity's service beside it.

use std::sync::Arc;

use crate::base::keys::{MasterKey, Purpose};
use crate::customer::redeem::Turns;
use crate::customer::secrets::Secrets;
use crate::identity::service::Service as Identity;

/// The customer domain's key and lines.
pub struct Service {
    pub(in crate::customer) secrets: Secrets,
    pub(in crate::customer) turns: Turns,
    pub(in crate::customer) identity: Arc<Identity>,
}

impl Service {
    /// The service of a box.
    #[must_use]
    pub fn new(master: &MasterKey, identity: Arc<Identity>) -> Self {
        Self { secrets: Secrets(master.derive(Purpose::Invite)), turns: Turns::default(), identity }
    }
}
