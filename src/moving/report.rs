//! The reconciliation report: what became of every source row, as text, JSON and HTML.
//!
//! "Every source row is accounted for" stands there only where the sums say so. Temporary passwords are in it, so it is a
//! secret until they are changed. Must not know where it is written.

use serde_json::{Value, json};

use crate::moving::desk::{Account, TableAccount};

/// The line that the owner looks for.
const WHOLE: &str = "Every source row is accounted for.";
/// Notes of one table that a screen shows; a report in a file has all.
pub const ON_SCREEN: usize = 50;

impl TableAccount {
    fn dropped_sum(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Whether the rows were compared, and are what they were.
    fn is_same(&self) -> bool {
        self.differing == 0 && self.source_digest == self.box_digest
    }
}

impl Account {
    /// Whether every row of every table is accounted for.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.tables.is_empty() && self.tables.iter().all(|table| table.whole)
    }

    /// Whether what was compared is the same on both sides.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.tables.iter().all(TableAccount::is_same)
    }

    fn verdict(&self) -> String {
        let open: Vec<&str> =
            self.tables.iter().filter(|table| !table.whole).map(|table| table.table.as_str()).collect();
        match open.as_slice() {
            [] if self.tables.is_empty() => "Nothing was imported.".to_owned(),
            [] => WHOLE.to_owned(),
            open => format!("NOT every source row is accounted for: {}. Run the import again.", open.join(", ")),
        }
    }

    /// As JSON, whole.
    #[must_use]
    pub fn json(&self) -> Value {
        let notes = |table: &TableAccount| -> Vec<Value> {
            table.notes.iter().map(|(id, what, why)| json!({"id": id, "what": what, "detail": why})).collect()
        };
        let tables: Vec<Value> = self
            .tables
            .iter()
            .map(|table| {
                json!({
                    "table": table.table,
                    "source_rows": table.total,
                    "read": table.read,
                    "written": table.written,
                    "already_here": table.known,
                    "merged": table.merged,
                    "not_kept": table.dropped,
                    "refused": table.refused,
                    "accounted_for": table.whole,
                    "compared": table.compared,
                    "differing": table.differing,
                    "source_digest": table.source_digest,
                    "box_digest": table.box_digest,
                    "notes": notes(table),
                })
            })
            .collect();
        let passwords: Vec<Value> = self
            .passwords
            .iter()
            .map(|(name, password)| json!({"username": name, "temporary_password": password}))
            .collect();
        json!({
            "box_id": self.box_id,
            "accounted_for": self.is_whole(),
            "verdict": self.verdict(),
            "same": self.is_same(),
            "expiry_may_run": self.closed,
            "tables": tables,
            "temporary_passwords": passwords,
        })
    }

    /// As text for people, with at most so many notes of each table.
    #[must_use]
    pub fn text(&self, notes: usize) -> String {
        let mut out = String::new();
        let mut say = |line: std::fmt::Arguments<'_>| {
            out.push_str(&line.to_string());
            out.push('\n');
        };
        say(format_args!("Import into box {}", self.box_id));
        say(format_args!(""));
        say(format_args!(
            "{:<32}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}  compared",
            "table", "in source", "read", "written", "here", "merged", "not kept", "refused"
        ));
        for table in &self.tables {
            let compared = match (table.compared, table.is_same()) {
                (0, true) => "-".to_owned(),
                (rows, true) => format!("{rows} the same"),
                (rows, false) => format!("{} of {rows} DIFFER", table.differing),
            };
            say(format_args!(
                "{:<32}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}  {compared}",
                table.table,
                table.total,
                table.read,
                table.written,
                table.known,
                table.merged,
                table.dropped_sum(),
                table.refused
            ));
        }
        for table in &self.tables {
            for (reason, count) in &table.dropped {
                say(format_args!("{}: {count} not kept: {reason}", table.table));
            }
            for (id, what, why) in table.notes.iter().take(notes) {
                say(format_args!("{} {id}: {what}: {why}", table.table));
            }
            if table.notes.len() > notes {
                say(format_args!("{}: and {} more; --report has them all", table.table, table.notes.len() - notes));
            }
        }
        for table in self.tables.iter().filter(|table| table.compared > 0) {
            say(format_args!("{}: digest in the source {}", table.table, table.source_digest));
            say(format_args!("{}: digest in the box    {}", table.table, table.box_digest));
        }
        if !self.passwords.is_empty() {
            say(format_args!(""));
            say(format_args!("Temporary passwords, to be handed over and changed at the first sign-in:"));
            for (name, password) in &self.passwords {
                say(format_args!("  {name}  {password}"));
            }
        }
        say(format_args!(""));
        say(format_args!("{}", self.verdict()));
        if !self.closed {
            say(format_args!("The import is still open: nothing expires until it is whole, or abandoned."));
        }
        out
    }

    /// As one HTML page without anything from elsewhere.
    #[must_use]
    pub fn html(&self) -> String {
        let mut rows = String::new();
        let mut notes = String::new();
        for table in &self.tables {
            let cells =
                [table.total, table.read, table.written, table.known, table.merged, table.dropped_sum(), table.refused];
            let numbers: String = cells.iter().map(|number| format!("<td>{number}</td>")).collect();
            let verdict = if table.whole { "yes" } else { "NO" };
            let same = if table.is_same() { "the same" } else { "DIFFERENT" };
            rows.push_str(&format!(
                "<tr><th scope=\"row\">{}</th>{numbers}<td>{verdict}</td><td>{} {same}<br><code>{}</code><br><code>{}</code></td></tr>\n",
                escaped(&table.table),
                table.compared,
                table.source_digest,
                table.box_digest
            ));
            for (reason, count) in &table.dropped {
                notes.push_str(&note(&table.table, "", "not kept", &format!("{count}: {reason}")));
            }
            for (id, what, why) in &table.notes {
                notes.push_str(&note(&table.table, id, what, why));
            }
        }
        let passwords: String = self
            .passwords
            .iter()
            .map(|(name, password)| {
                format!("<tr><td>{}</td><td><code>{}</code></td></tr>\n", escaped(name), escaped(password))
            })
            .collect();
        format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Import into box {box_id}</title>\n\
             <style>body{{font:16px/1.4 sans-serif;margin:2em}}table{{border-collapse:collapse;margin:1em 0}}\
             td,th{{border:1px solid #999;padding:.3em .6em;text-align:left}}</style>\n\
             <h1>Import into box {box_id}</h1>\n<p><strong>{verdict}</strong></p>\n\
             <table><tr><th>Table<th>In the source<th>Read<th>Written<th>Already here<th>Merged<th>Not kept<th>Refused\
             <th>Accounted for<th>Compared, digest of the source, digest of the box</tr>\n{rows}</table>\n\
             <h2>Rows with a story</h2>\n<table><tr><th>Table<th>Id<th>What<th>Why</tr>\n{notes}</table>\n\
             <h2>Temporary passwords</h2>\n<table><tr><th>Name<th>Password</tr>\n{passwords}</table>\n</html>\n",
            box_id = escaped(&self.box_id),
            verdict = escaped(&self.verdict()),
        )
    }
}

fn note(table: &str, id: &str, what: &str, why: &str) -> String {
    let cells: String = [table, id, what, why].iter().map(|text| format!("<td>{}</td>", escaped(text))).collect();
    format!("<tr>{cells}</tr>\n")
}

/// Text as HTML shows it: ids and names come from elsewhere.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(refused: u64) -> Account {
        let table = TableAccount {
            table: "chat.messages".to_owned(),
            read: 10,
            total: 10,
            written: 9,
            refused,
            whole: refused == 1,
            compared: 9,
            notes: vec![("7".to_owned(), "refused".to_owned(), "<script>".to_owned())],
            ..TableAccount::default()
        };
        let passwords = vec![("chidi".to_owned(), "a<b".to_owned())];
        Account { box_id: "b".to_owned(), tables: vec![table], passwords, closed: refused == 1 }
    }

    #[test]
    fn the_line_stands_there_only_where_the_sums_say_so() {
        let (whole, short) = (account(1), account(0));
        for text in [whole.text(ON_SCREEN), whole.html(), whole.json().to_string()] {
            assert!(text.contains(WHOLE), "{text}");
        }
        for text in [short.text(ON_SCREEN), short.html(), short.json().to_string()] {
            assert!(!text.contains(WHOLE) && text.contains("NOT every"), "{text}");
        }
        assert!(short.text(ON_SCREEN).contains("still open"));
    }

    #[test]
    fn what_comes_from_elsewhere_is_escaped() {
        let html = account(1).html();
        assert!(!html.contains("<script>") && html.contains("&lt;script&gt;") && html.contains("a&lt;b"), "{html}");
    }
}
