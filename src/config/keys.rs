//! Every setting by its name: what may be said, and what somebody meant who said something else.
//!
//! Must not know where a setting was said.

use crate::config::Given;

/// How alike two names must be for one to be offered for the other; below it a suggestion only misleads.
const ALIKE: f64 = 0.8;
/// How alike they must be where a name may well be somebody else's.
const NEARLY_THE_SAME: f64 = 0.92;

/// What a setting's value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One word or line.
    Text,
    /// A whole number.
    Number,
    /// True or false.
    Switch,
    /// Several, with commas between them in the environment.
    List,
}

/// A setting.
#[derive(Debug)]
pub struct Key {
    /// Its name in `whotbox.toml`.
    pub name: &'static str,
    /// What its value looks like.
    pub form: Form,
    /// What it wants, in words.
    pub wants: &'static str,
}

const fn key(name: &'static str, form: Form, wants: &'static str) -> Key {
    Key { name, form, wants }
}

const A_FOLDER: &str = "a folder in quotation marks";
const A_FILE: &str = "a PEM file in quotation marks";
const A_NUMBER: &str = "a whole number, not below 0";
const A_SWITCH: &str = "true or false";

/// Every setting, in the order of the sample.
pub const ALL: &[Key] = &[
    key("data_dir", Form::Text, A_FOLDER),
    key("listen", Form::List, "a list of addresses with ports, as in [\"0.0.0.0:8080\"]"),
    key("tls", Form::Text, "\"off\", \"self-signed\" or \"files\""),
    key("tls_cert", Form::Text, A_FILE),
    key("tls_key", Form::Text, A_FILE),
    key("plain_http", Form::Switch, A_SWITCH),
    key("public_url", Form::Text, "an address, as in \"http://192.168.4.1:8080\""),
    key("mdns", Form::Switch, A_SWITCH),
    key("mdns_name", Form::Text, "a name without .local, as in \"whot-mama\""),
    key("open_registration", Form::Switch, A_SWITCH),
    key("origins", Form::List, "a list, as in [\"https://owner.example\"]"),
    key("proxies", Form::List, "a list of addresses, as in [\"127.0.0.1\"]"),
    key("code_sender", Form::Text, "\"owner\", \"webhook\" or \"off\""),
    key("code_webhook", Form::Text, "an address, as in \"https://sms.example/send\""),
    key("code_webhook_ca", Form::Text, A_FILE),
    key("archive_days", Form::Number, A_NUMBER),
    key("archive_recipient", Form::Text, "an age public key, as in \"age1…\""),
    key("shred_minutes", Form::Number, A_NUMBER),
    key("hold_grace_hours", Form::Number, A_NUMBER),
    key("hold_second_moderator", Form::Switch, A_SWITCH),
    key("hold_offline_days", Form::Number, A_NUMBER),
    key("log_days", Form::Number, A_NUMBER),
    key("verify_hours", Form::Number, A_NUMBER),
    key("backup_dir", Form::Text, A_FOLDER),
    key("backup_keep", Form::Number, A_NUMBER),
    key("upstream", Form::Text, "an address, as in \"postgres://box@db.example/central\""),
    key("upstream_ca", Form::Text, A_FILE),
    key("upstream_hours", Form::Text, "hours of the day, as in \"22:00-06:00 +01:00\""),
    key("upstream_kbit", Form::Number, A_NUMBER),
    key("courier_recipient", Form::Text, "an age public key, as in \"age1…\""),
    key("log_level", Form::Text, "error, warn, info, debug, or a filter in quotation marks"),
    key("log_format", Form::Text, "\"text\" or \"json\""),
    key("production", Form::Switch, A_SWITCH),
];

/// The setting of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    ALL.iter().find(|key| key.name == name)
}

/// The setting that was probably meant: `-` is read as `_`.
#[must_use]
pub fn meant(name: &str) -> Option<&'static Key> {
    nearest(name, ALIKE)
}

/// The setting that was surely meant.
#[must_use]
pub fn nearly(name: &str) -> Option<&'static Key> {
    nearest(name, NEARLY_THE_SAME)
}

fn nearest(name: &str, at_least: f64) -> Option<&'static Key> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let alike = ALL.iter().map(|key| (strsim::jaro_winkler(key.name, &name), key));
    let alike = alike.filter(|(likeness, _)| *likeness >= at_least);
    alike.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, key)| key)
}

impl Key {
    /// The variable that says it in the environment.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("WHOTBOX_{}", self.name.to_ascii_uppercase())
    }

    /// The setting as a value says it; `None` where it says something else than what is wanted.
    #[must_use]
    pub fn of(&self, value: toml::Value) -> Option<Given> {
        toml::Table::from_iter([(self.name.to_owned(), value)]).try_into().ok()
    }

    /// The setting as a variable says it.
    #[must_use]
    pub fn of_text(&self, text: &str) -> Option<Given> {
        let value = match self.form {
            Form::Text => toml::Value::String(text.to_owned()),
            Form::Number => toml::Value::Integer(text.trim().parse().ok()?),
            Form::Switch => toml::Value::Boolean(match text.trim() {
                "true" | "1" => true,
                "false" | "0" => false,
                _ => return None,
            }),
            Form::List => {
                toml::Value::Array(text.split(',').map(|item| toml::Value::String(item.trim().to_owned())).collect())
            }
        };
        self.of(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_that_of_the_settings() {
        // given: serde's own list of the fields
        let refusal = toml::from_str::<Given>("no_such = 1").unwrap_err().to_string();
        let fields: Vec<&str> = refusal.split('`').skip(1).step_by(2).filter(|name| *name != "no_such").collect();
        // then
        assert_eq!(fields, ALL.iter().map(|key| key.name).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_meant_is_offered_and_nothing_else() {
        for (said, wanted) in [
            ("listen_on", Some("listen")),
            ("archive-days", Some("archive_days")),
            ("Archiv_days", Some("archive_days")),
            ("backupdir", Some("backup_dir")),
            ("loglevel", Some("log_level")),
            ("prodcution", Some("production")),
            ("zebra", None),
            ("", None),
        ] {
            assert_eq!(meant(said).map(|key| key.name), wanted, "{said}");
        }
    }

    #[test]
    fn a_variable_is_read_by_the_form_of_its_setting() {
        let read = |name: &str, text: &str| find(name).unwrap().of_text(text);
        assert_eq!(read("archive_days", "30").unwrap().archive_days, Some(30));
        assert_eq!(read("production", "1").unwrap().production, Some(true));
        assert_eq!(read("proxies", "127.0.0.1, ::1").unwrap().proxies.unwrap().len(), 2);
        for (name, text) in [("archive_days", "-1"), ("archive_days", "9 days"), ("production", "yes"), ("tls", "on")] {
            assert!(read(name, text).is_none(), "{name}={text}");
        }
    }
}
