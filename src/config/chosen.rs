//! Settings that the owner may choose on the screen: they hold where neither flag, environment nor file says anything.
//!
//! Must not know where choices are kept.

use crate::config::sources::Origin;
use crate::config::{Config, ConfigError, Given, keys};

/// The settings that can be chosen.
pub const CHANGEABLE: [&str; 5] =
    ["open_registration", "code_sender", "archive_days", "hold_grace_hours", "backup_keep"];

/// The settings in which one alone is said.
///
/// # Errors
/// [`ConfigError::Setting`] with what would do.
pub fn read(name: &str, value: &str) -> Result<Config, ConfigError> {
    let key = keys::find(name).filter(|key| CHANGEABLE.contains(&key.name));
    let refuse = |reason: String| ConfigError::Setting { setting: key.map_or("setting", |key| key.name), reason };
    let wants = key.map_or("one of the settings that can be chosen", |key| key.wants);
    let given: Option<Given> = key.and_then(|key| key.of_text(value));
    given.ok_or_else(|| refuse(format!("It wants {wants}.")))?.complete()
}

impl Config {
    /// These settings, with a choice where nothing says otherwise. What does not fit any more is left out.
    #[must_use]
    pub fn with_chosen(mut self, name: &str, value: &str) -> Self {
        let Some(key) = keys::find(name) else { return self };
        let Ok(one) = read(name, value) else { return self };
        if self.said.contains_key(key.name) {
            return self;
        }
        match key.name {
            "open_registration" => self.open_registration = one.open_registration,
            "code_sender" => self.code_sender = one.code_sender,
            "archive_days" => self.archive = one.archive,
            "hold_grace_hours" => self.hold_grace = one.hold_grace,
            "backup_keep" => self.backup_keep = one.backup_keep,
            _ => return self,
        }
        self.said.insert(key.name, Origin::Screen);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sources::Layer;

    #[test]
    fn a_choice_holds_where_nothing_else_is_said() {
        let flags = Layer::of_flags(Given { backup_keep: Some(3), ..Given::default() }).complete().unwrap();
        let config = flags.with_chosen("archive_days", "30").with_chosen("backup_keep", "9");
        assert_eq!((config.archive.as_secs() / 86_400, config.backup_keep), (30, 3));
        assert_eq!(config.said["archive_days"], Origin::Screen);
        // A choice of an older program that no longer fits changes nothing.
        let config = config.with_chosen("hold_grace_hours", "-1").with_chosen("zebra", "1");
        assert!(!config.said.contains_key("hold_grace_hours"));
    }

    #[test]
    fn every_changeable_setting_can_be_chosen_and_nothing_else() {
        for (name, value) in CHANGEABLE.iter().zip(["true", "off", "30", "1", "2"]) {
            let config = Given::default().complete().unwrap().with_chosen(name, value);
            assert_eq!(config.said.get(name), Some(&Origin::Screen), "{name}");
        }
        for (name, value) in
            [("listen", "0.0.0.0:1"), ("archive_days", "0"), ("code_sender", "webhook"), ("tls", "off")]
        {
            assert!(read(name, value).is_err(), "{name}");
        }
    }
}
