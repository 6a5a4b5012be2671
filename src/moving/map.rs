//! Which table and column of a source is which of ours: by name, by known other names, and by the owner's word.
//!
//! ```text
//!   catalogue of the source ─┐
//!   known names              ├─▶ resolve ─▶ plan (table, columns, order) · or every exact column that is missing
//!   map file (TOML)          ┘         └──▶ draft of a map file
//! ```
//! Decides as data; nothing is read here. Must not know what kind of database the source is.

use serde::Deserialize;
use std::collections::BTreeMap;

use crate::moving::tables::{Field, Service, TABLES, Table};

/// A table of a source, as its catalogue has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceTable {
    /// Its schema, where the source has them.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// Name and type of each column, in their order.
    pub columns: Vec<(String, String)>,
    /// The columns of its primary key.
    pub key: Vec<String>,
}

impl SourceTable {
    /// The name with the schema, where there is one.
    #[must_use]
    pub fn full_name(&self) -> String {
        self.schema.as_ref().map_or_else(|| self.name.clone(), |schema| format!("{schema}.{}", self.name))
    }
}

/// What the owner says about a source.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ServiceMap {
    /// Times that name no zone are local to this: `+01:00`.
    pub utc_offset: Option<String>,
    /// How messages are sealed: `auto`, `fernet`, `aes-gcm`, `xchacha20` or `plain`.
    pub cipher: Option<String>,
    /// By table: `table = "…"`, `field = "column"`; an empty column is one that the source does not have.
    #[serde(flatten)]
    pub tables: BTreeMap<String, BTreeMap<String, String>>,
}

/// A map file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Map {
    /// Of the identity service.
    #[serde(default)]
    pub identity: ServiceMap,
    /// Of the customer service.
    #[serde(default)]
    pub customer: ServiceMap,
    /// Of the game service.
    #[serde(default)]
    pub game: ServiceMap,
    /// Of the chat service.
    #[serde(default)]
    pub chat: ServiceMap,
}

/// A table of a source that will be read.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What it is here.
    pub table: &'static Table,
    /// What it is there.
    pub source: SourceTable,
    /// The column of each field, in the order of the fields.
    pub columns: Vec<Option<String>>,
    /// Columns that no field names.
    pub rest: Vec<String>,
}

/// Why a source cannot be read as it is: every reason at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n  "))]
pub struct Unmapped(pub Vec<String>);

impl Map {
    /// Reads a map file.
    ///
    /// # Errors
    /// [`Unmapped`] with the place of the mistake, or the name that is not known.
    pub fn parse(text: &str) -> Result<Self, Unmapped> {
        let map: Self = toml::from_str(text).map_err(|error| Unmapped(vec![error.to_string()]))?;
        let mut wrong = Vec::new();
        for service in Service::ALL {
            for (name, fields) in &map.of(service).tables {
                let Some(table) = TABLES.iter().find(|table| table.service == service && table.name() == name) else {
                    wrong.push(format!("The map names {}.{name}, and there is no such table here.", service.name()));
                    continue;
                };
                for field in fields.keys().filter(|field| *field != "table") {
                    if !table.fields.iter().any(|known| known.name == field) {
                        wrong.push(format!("The map names {}.{field}, and there is no such field here.", table.key));
                    }
                }
            }
        }
        if wrong.is_empty() { Ok(map) } else { Err(Unmapped(wrong)) }
    }

    /// What it says about a service.
    #[must_use]
    pub const fn of(&self, service: Service) -> &ServiceMap {
        match service {
            Service::Identity => &self.identity,
            Service::Customer => &self.customer,
            Service::Game => &self.game,
            Service::Chat => &self.chat,
        }
    }
}

impl ServiceMap {
    /// Minutes east of UTC of times that name no zone.
    ///
    /// # Errors
    /// [`Unmapped`] for what is no `+01:00`.
    pub fn offset(&self) -> Result<i32, Unmapped> {
        let Some(text) = self.utc_offset.as_deref().filter(|text| *text != "Z") else { return Ok(0) };
        let parsed = || {
            let sign = match text.chars().next()? {
                '+' => 1,
                '-' => -1,
                _ => return None,
            };
            let (hours, minutes) = text.get(1..)?.split_once(':')?;
            let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
            (hours <= 18 && minutes < 60).then_some(sign * (hours * 60 + minutes))
        };
        parsed().ok_or_else(|| Unmapped(vec![format!("utc_offset {text:?} is no offset: write it as \"+01:00\".")]))
    }
}

/// A name without what installations vary in: capitals and separators.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn same(a: &str, b: &str) -> bool {
    plain(a) == plain(b)
}

/// Finds the tables of a service in a source.
///
/// # Errors
/// [`Unmapped`] naming each required table and column that is missing.
pub fn resolve(service: Service, catalogue: &[SourceTable], map: &ServiceMap) -> Result<Vec<Plan>, Unmapped> {
    let (mut plans, mut missing) = (Vec::new(), Vec::new());
    for table in TABLES.iter().filter(|table| table.service == service) {
        let said = map.tables.get(table.name());
        let Some(source) = find_table(table, catalogue, said.and_then(|said| said.get("table")), &mut missing) else {
            continue;
        };
        plans.push(plan(table, source, said, &mut missing));
    }
    if missing.is_empty() { Ok(plans) } else { Err(Unmapped(missing)) }
}

fn find_table<'a>(
    table: &'static Table,
    catalogue: &'a [SourceTable],
    said: Option<&String>,
    missing: &mut Vec<String>,
) -> Option<&'a SourceTable> {
    if let Some(said) = said {
        let found = catalogue.iter().find(|source| source.name == *said || source.full_name() == *said);
        if found.is_none() && !said.is_empty() {
            missing.push(format!("{}: the source has no table {said:?}, which the map names.", table.key));
        }
        return found;
    }
    let names = || std::iter::once(table.name()).chain(table.synonyms.iter().copied());
    let found = names().find_map(|name| catalogue.iter().find(|source| same(&source.name, name)));
    if found.is_none() && table.required {
        let there: Vec<&str> = catalogue.iter().map(|source| source.name.as_str()).collect();
        missing.push(format!(
            "{}: no table of this name is in the source, which has: {}.",
            table.key,
            there.join(", ")
        ));
    }
    found
}

fn plan(
    table: &'static Table,
    source: &SourceTable,
    said: Option<&BTreeMap<String, String>>,
    missing: &mut Vec<String>,
) -> Plan {
    let mut taken: Vec<&str> = Vec::new();
    let mut columns: Vec<Option<String>> = vec![None; table.fields.len()];
    // What the owner says comes first.
    for (place, field) in columns.iter_mut().zip(table.fields) {
        let Some(column) = said.and_then(|said| said.get(field.name)).filter(|column| !column.is_empty()) else {
            continue;
        };
        match source.columns.iter().find(|(name, _)| name == column) {
            Some((name, _)) => {
                *place = Some(name.clone());
                taken.push(name);
            }
            None => {
                missing.push(format!("{}: the source's {} has no column {column:?}.", table.key, source.full_name()))
            }
        }
    }
    let open = |field: &Field| said.is_none_or(|said| !said.contains_key(field.name));
    // Exact names, then other names, then the id: it may be another field too, as a relationship's is its customer's
    // where there is no other, and it must not take that field's column.
    for pass in 0..3 {
        for (place, field) in columns.iter_mut().zip(table.fields) {
            let is_id = field.name == "id";
            if place.is_some() || !open(field) || (pass == 1 && is_id) || (pass == 2 && !is_id) {
                continue;
            }
            let names: &[&str] = if pass == 0 { &[field.name] } else { field.synonyms };
            let free = |name: &str| is_id || !taken.contains(&name);
            let find = |wanted: &&str| source.columns.iter().find(|(name, _)| same(name, wanted) && free(name));
            if let Some((name, _)) = names.iter().find_map(find) {
                *place = Some(name.clone());
                taken.push(name);
            }
        }
    }
    for (place, field) in columns.iter().zip(table.fields) {
        if place.is_none() && field.required {
            missing.push(format!(
                "{}: no column for the required field {:?} in the source's {}; name it in the map: [{}] {} = \"…\"",
                table.key,
                field.name,
                source.full_name(),
                table.key,
                field.name,
            ));
        }
    }
    let rest = source.columns.iter().map(|(name, _)| name).filter(|name| !taken.contains(&name.as_str()));
    let rest = rest.cloned().collect();
    Plan { table, source: source.clone(), columns, rest }
}

/// A map file that says what was found, to be corrected by hand.
#[must_use]
pub fn draft(service: Service, catalogue: &[SourceTable], map: &ServiceMap) -> String {
    let mut out = String::new();
    let offset = map.utc_offset.as_deref().unwrap_or("+00:00");
    let mut say = |line: std::fmt::Arguments<'_>| {
        out.push_str(&line.to_string());
        out.push('\n');
    };
    say(format_args!("[{}]", service.name()));
    say(format_args!("# Times that name no zone are local to this."));
    say(format_args!("utc_offset = {offset:?}"));
    if service == Service::Chat {
        say(format_args!("# auto, fernet, aes-gcm, xchacha20 or plain."));
        say(format_args!("cipher = {:?}", map.cipher.as_deref().unwrap_or("auto")));
    }
    for table in TABLES.iter().filter(|table| table.service == service) {
        let said = map.tables.get(table.name());
        let source = find_table(table, catalogue, said.and_then(|said| said.get("table")), &mut Vec::new());
        say(format_args!(""));
        let Some(source) = source else {
            say(format_args!("# [{}]  not in the source", table.key));
            continue;
        };
        let plan = plan(table, source, said, &mut Vec::new());
        say(format_args!("[{}]", table.key));
        say(format_args!("table = {:?}", source.full_name()));
        for (field, column) in table.fields.iter().zip(&plan.columns) {
            match column {
                Some(column) => say(format_args!("{} = {column:?}", field.name)),
                None if field.required => say(format_args!("{} = \"\"  # REQUIRED, and not found", field.name)),
                None => say(format_args!("# {} = \"\"", field.name)),
            }
        }
        if !plan.rest.is_empty() {
            let fate = if table.keeps_rest { "kept in extra" } else { "not imported" };
            say(format_args!("# {fate}: {}", plan.rest.join(", ")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, columns: &[&str]) -> SourceTable {
        let columns = columns.iter().map(|name| ((*name).to_owned(), "TEXT".to_owned())).collect();
        SourceTable { schema: None, name: name.to_owned(), columns, key: vec![] }
    }

    fn column(plans: &[Plan], table: &str, field: &str) -> Option<String> {
        let plan = plans.iter().find(|plan| plan.table.key == table).unwrap();
        let place = plan.table.fields.iter().position(|known| known.name == field).unwrap();
        plan.columns[place].clone()
    }

    fn chat() -> Vec<SourceTable> {
        vec![
            source("Threads", &["threadId", "DistributorID", "customer_id", "isHeld"]),
            source("chat_messages", &["msg_id", "thread_id", "from_user_id", "payload", "sent_at"]),
        ]
    }

    #[test]
    fn names_of_other_installations_are_known_and_the_owners_word_is_stronger() {
        let plans = resolve(Service::Chat, &chat(), &ServiceMap::default()).unwrap();
        assert_eq!(column(&plans, "chat.conversations", "id").as_deref(), Some("threadId"));
        assert_eq!(column(&plans, "chat.conversations", "hold").as_deref(), Some("isHeld"));
        assert_eq!(column(&plans, "chat.messages", "created_at").as_deref(), Some("sent_at"));
        let bonds = [source("bonds", &["cust_id", "dist_id"])];
        let plans = resolve(Service::Customer, &bonds, &ServiceMap::default()).unwrap();
        for field in ["id", "customer_id"] {
            assert_eq!(column(&plans, "customer.relationships", field).as_deref(), Some("cust_id"));
        }
        let map = Map::parse("[chat.messages]\nciphertext = \"msg_id\"\nread_by = \"\"").unwrap();
        let plans = resolve(Service::Chat, &chat(), &map.chat).unwrap();
        assert_eq!(column(&plans, "chat.messages", "ciphertext").as_deref(), Some("msg_id"));
        let draft = draft(Service::Chat, &chat(), &map.chat);
        assert!(Map::parse(&draft).is_ok(), "{draft}");
        assert!(draft.contains("sender_id = \"from_user_id\""), "{draft}");
    }

    #[test]
    fn a_missing_required_column_is_named_exactly_and_an_unknown_field_too() {
        let mut tables = chat();
        tables[1].columns.retain(|(name, _)| name != "payload");
        let missing = resolve(Service::Chat, &tables, &ServiceMap::default()).unwrap_err();
        assert_eq!(missing.0.len(), 1);
        assert!(missing.0[0].contains("\"ciphertext\"") && missing.0[0].contains("chat_messages"), "{missing}");
        assert!(
            resolve(Service::Identity, &tables, &ServiceMap::default()).unwrap_err().0[0].contains("identity.users")
        );
        assert!(Map::parse("[chat.messages]\ncolour = \"x\"").unwrap_err().0[0].contains("colour"));
        assert!(Map::parse("[chat.letters]\nid = \"x\"").unwrap_err().0[0].contains("letters"));
        assert_eq!(Map::parse("[game]\nutc_offset = \"-05:30\"").unwrap().game.offset(), Ok(-330));
        assert!(Map::parse("[game]\nutc_offset = \"Lagos\"").unwrap().game.offset().is_err());
    }
}
