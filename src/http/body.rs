//! Bodies and queries become types here, and what does not fit is named by its field.
//!
//! The words for a person are ours: no text of a parser and no Rust type name reaches a client.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::http::problem::{Code, Problem};

/// Refuses a body that is not labelled as JSON.
///
/// # Errors
/// `unsupported_media_type` for anything but `application/json` or `application/…+json`, in UTF-8.
pub fn require_json(content_type: Option<&str>) -> Result<(), Problem> {
    let mut parts = content_type.unwrap_or("").split(';').map(|part| part.trim().to_ascii_lowercase());
    let essence = parts.next().unwrap_or_default();
    let json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    let utf8 = parts.filter_map(|p| p.strip_prefix("charset=").map(|c| c.trim_matches('"') == "utf-8")).all(|ok| ok);
    if json && utf8 { Ok(()) } else { Err(Problem::new(Code::UnsupportedMediaType)) }
}

/// Parses JSON into a type.
///
/// # Errors
/// `malformed_json`, or 422 that names the field.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    from_value(serde_json::from_slice(bytes).map_err(|_| Problem::new(Code::MalformedJson))?)
}

/// Makes a type of JSON that was parsed before.
///
/// # Errors
/// 422 that names the field.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    if !value.is_object() {
        // serde would take a list for a structure, its items in the order of the fields.
        return Err(Problem::field("", "The body is not an object."));
    }
    if let Some(path) = find_nul(&value) {
        return Err(Problem::field(path, "Text holds no NUL character."));
    }
    serde_path_to_error::deserialize(value).map_err(|e| misfit(&e.path().to_string(), &e.inner().to_string()))
}

/// Parses a query into a type.
///
/// # Errors
/// 422 that names the parameter.
pub fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    if let Some((name, _)) = pairs.clone().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
        return Err(Problem::field(name.replace('\0', ""), "Text holds no NUL character."));
    }
    let pairs = serde_urlencoded::Deserializer::new(pairs);
    serde_path_to_error::deserialize(pairs).map_err(|e| misfit(&e.path().to_string(), &e.inner().to_string()))
}

/// Where a NUL is, if anywhere: PostgreSQL cannot hold one, so it must not get into the store either.
fn find_nul(value: &Value) -> Option<String> {
    let within = |name: String, inner: &Value| {
        find_nul(inner).map(|rest| if rest.is_empty() { name.clone() } else { format!("{name}.{rest}") })
    };
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => items.iter().enumerate().find_map(|(at, item)| within(format!("[{at}]"), item)),
        Value::Object(members) => members.iter().find_map(|(name, item)| {
            if name.contains('\0') { Some(name.replace('\0', "")) } else { within(name.clone(), item) }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The 422 for a parser's complaint. serde's own complaints are put into our words; others are those of our text
/// types, which are written for a person.
fn misfit(path: &str, complaint: &str) -> Problem {
    let path = if path == "." { "" } else { path };
    let quoted = complaint.split('`').nth(1).unwrap_or("");
    let inside = |name: &str| match path {
        "" => name.to_owned(),
        path if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        path => format!("{path}.{name}"),
    };
    if complaint.starts_with("missing field") {
        return Problem::field(inside(quoted), "This field is missing.");
    }
    if complaint.starts_with("unknown field") {
        return Problem::field(inside(quoted), "This field is not known here.");
    }
    if complaint.starts_with("duplicate field") {
        return Problem::field(inside(quoted), "This field is given twice.");
    }
    if complaint.starts_with("unknown variant") {
        let known = complaint.split_once("expected ").map_or("", |(_, known)| known);
        let known = known.trim_start_matches("one of ").replace('`', "\"");
        return Problem::field(path, format!("This value is not one of {known}."));
    }
    let wrong = ["invalid type", "invalid value", "invalid length", "data did not match", "invalid digit"];
    let wrong = wrong.iter().any(|start| complaint.starts_with(start));
    let ours = complaint.ends_with('.') && !wrong;
    Problem::field(path, if ours { complaint } else { "This value does not fit." })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::Username;

    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only parsed")]
    struct Body {
        username: Username,
        options: Option<Options>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Options {
        hand_size: u8,
        kind: Option<Kind>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Best,
        First,
    }

    #[track_caller]
    fn fault(json: &str) -> (String, String) {
        let problem = parse::<Body>(json.as_bytes()).unwrap_err();
        assert_eq!(problem.code, Code::Invalid, "{json}");
        let error = problem.errors.into_iter().next().unwrap();
        (error.field, error.message)
    }

    #[test]
    fn the_field_that_does_not_fit_is_named() {
        let cases = [
            ("{}", "username", "This field is missing."),
            (r#"{"username": 5}"#, "username", "This value does not fit."),
            (r#"{"username": "ab"}"#, "username", "A username has 3 to 32 of the characters a-z, 0-9, _, . and -."),
            (r#"{"username": "a\u0000bc"}"#, "username", "Text holds no NUL character."),
            (r#"{"username": "abc", "options": {}}"#, "options.hand_size", "This field is missing."),
            (r#"{"username": "abc", "options": {"hand_size": -1}}"#, "options.hand_size", "This value does not fit."),
            (
                r#"{"username": "abc", "options": {"hand_size": 5, "x": 1}}"#,
                "options.x",
                "This field is not known here.",
            ),
            (
                r#"{"username": "abc", "options": {"hand_size": 5, "kind": "of"}}"#,
                "options.kind",
                "This value is not one of \"best\" or \"first\".",
            ),
            (r#"["abc"]"#, "", "The body is not an object."),
        ];
        for (json, field, message) in cases {
            assert_eq!(fault(json), (field.to_owned(), message.to_owned()), "{json}");
        }
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        for json in ["", "{", "{} {}", "\u{feff}{}", &"[".repeat(1000)] {
            assert_eq!(parse::<Body>(json.as_bytes()).unwrap_err().code, Code::MalformedJson, "{json}");
        }
    }

    #[test]
    fn only_json_in_utf_8_is_json() {
        for good in ["application/json", "Application/JSON; charset=\"UTF-8\"", "application/merge-patch+json"] {
            assert!(require_json(Some(good)).is_ok(), "{good}");
        }
        for bad in ["", "text/plain", "application/json; charset=latin1", "application/x-www-form-urlencoded"] {
            assert!(require_json(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_parameter_that_does_not_fit_is_named() {
        #[derive(Debug, serde::Deserialize)]
        #[expect(dead_code, reason = "only parsed")]
        struct Query {
            after: Option<u64>,
        }
        assert_eq!(parse_query::<Query>("after=x").unwrap_err().errors[0].field, "after");
        assert_eq!(parse_query::<Query>("after=%00").unwrap_err().errors[0].field, "after");
        assert!(parse_query::<Query>("after=7&other=x").is_ok());
    }
}
