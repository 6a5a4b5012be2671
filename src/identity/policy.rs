//! What may be a password: long enough, not the name, not one of those that everybody tries first.
//!
//! Must not know how passwords are stored.

use crate::base::text::{BadText, Username};

/// Fewest and most characters (contract, section 2).
const LENGTH: std::ops::RangeInclusive<usize> = 8..=256;

/// The commonest passwords of at least eight characters, as every published count of leaked passwords has them at
/// its head. Capitals make no difference. Runs like `12345678` and repetitions like `abcabcabc` are found by rule.
const COMMON: &str = include_str!("common-passwords.txt");

/// Checks a password that somebody chose.
///
/// # Errors
/// One sentence for that person.
pub fn check(username: &Username, password: &str) -> Result<(), BadText> {
    if !LENGTH.contains(&password.chars().count()) {
        return Err(BadText("A password has 8 to 256 characters."));
    }
    let lower = password.to_lowercase();
    let name = username.as_str();
    if lower == name || lower.chars().rev().eq(name.chars()) {
        return Err(BadText("A password is not the name."));
    }
    let known = COMMON.lines().any(|common| common == lower);
    if known || is_run(&lower) || is_repetition(&lower) {
        return Err(BadText("This password is one of those that everybody tries first. Choose another."));
    }
    Ok(())
}

/// `12345678`, `hgfedcba`, `aaaaaaaa`: each character is a fixed step of -1, 0 or 1 from the one before.
fn is_run(text: &str) -> bool {
    let codes: Vec<i64> = text.chars().map(|c| i64::from(u32::from(c))).collect();
    let mut steps = codes.windows(2).map(|pair| match pair {
        // 0 follows 9 on the keyboard.
        [57, 48] => 1,
        [48, 57] => -1,
        [a, b] => b - a,
        _ => 0,
    });
    let first = steps.next().unwrap_or(0);
    (-1..=1).contains(&first) && steps.all(|step| step == first)
}

/// `abcabcabc`, `12121212`: a piece of at most four characters, over and over.
fn is_repetition(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    (1..=4).any(|piece| chars.iter().zip(chars.iter().skip(piece)).all(|(a, b)| a == b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn accepted(password: &str) -> bool {
        check(&"chidinma".parse().unwrap(), password).is_ok()
    }

    #[test]
    fn what_everybody_tries_first_is_refused() {
        for bad in [
            "short",
            "1234567",
            "12345678",
            "1234567890",
            "87654321",
            "aaaaaaaa",
            "abcdefgh",
            "password",
            "Password123",
            "PASSW0RD",
            "qwertyuiop",
            "iloveyou",
            "chidinma",
            "Chidinma",
            "amnidihc",
            "12121212",
            "abcabcabc",
            "football",
            "jesusislord",
            &"x1".repeat(129),
        ] {
            assert!(!accepted(bad), "{bad}");
        }
    }

    #[test]
    fn what_a_person_chose_is_accepted() {
        for good in
            ["correct horse battery", "s3cret-pass", "Lagos-by-night", "chidinma-2026", "zobo & suya", "ọmọ-ìyá-mi"]
        {
            assert!(accepted(good), "{good}");
        }
    }

    #[test]
    fn the_list_is_what_the_rules_do_not_find() {
        let lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.len() >= 300, "{}", lines.len());
        for line in &lines {
            assert!(line.chars().count() >= 8 && *line == line.to_lowercase(), "{line}");
        }
        let distinct: std::collections::BTreeSet<_> = lines.iter().collect();
        assert_eq!(distinct.len(), lines.len());
    }
}
