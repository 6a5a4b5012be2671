//! JSON as `jsonb` prints it: the one form in which two sides can compare a JSON column byte by byte.
//!
//! Must not know what any field means. What PostgreSQL would refuse has no such form.

use std::iter::Peekable;
use std::str::Chars;

/// Deeper nesting has no form here: nothing of ours nests, and the reader calls itself.
const MAX_DEPTH: usize = 64;
/// More digits than this has no number of ours; it bounds what an exponent can ask for.
const MAX_DIGITS: usize = 1000;

/// The text that `jsonb` gives back: keys by length and then bytes, the last of equal ones, numbers written out.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let mut reader = Reader { left: text.chars().peekable() };
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    reader.value(&mut out, 0)?;
    reader.space();
    reader.left.next().is_none().then_some(out)
}

struct Reader<'a> {
    left: Peekable<Chars<'a>>,
}

impl Reader<'_> {
    fn space(&mut self) {
        while self.left.next_if(|c| matches!(c, ' ' | '\t' | '\n' | '\r')).is_some() {}
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        self.space();
        self.left.next_if_eq(&wanted).map(drop)
    }

    fn value(&mut self, out: &mut String, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.space();
        match self.left.peek()? {
            '{' => self.object(out, depth),
            '[' => self.array(out, depth),
            '"' => {
                let text = self.string()?;
                quote(&text, out);
                Some(())
            }
            't' => self.word("true", out),
            'f' => self.word("false", out),
            'n' => self.word("null", out),
            _ => self.number(out),
        }
    }

    fn word(&mut self, word: &str, out: &mut String) -> Option<()> {
        word.chars().try_for_each(|c| self.left.next_if_eq(&c).map(drop))?;
        out.push_str(word);
        Some(())
    }

    fn array(&mut self, out: &mut String, depth: usize) -> Option<()> {
        self.take('[')?;
        out.push('[');
        if self.take(']').is_none() {
            loop {
                self.value(out, depth + 1)?;
                if self.take(',').is_none() {
                    break;
                }
                out.push_str(", ");
            }
            self.take(']')?;
        }
        out.push(']');
        Some(())
    }

    fn object(&mut self, out: &mut String, depth: usize) -> Option<()> {
        self.take('{')?;
        let mut fields: Vec<(String, String)> = Vec::new();
        if self.take('}').is_none() {
            loop {
                self.space();
                let name = self.string()?;
                self.take(':')?;
                let mut value = String::new();
                self.value(&mut value, depth + 1)?;
                fields.push((name, value));
                if self.take(',').is_none() {
                    break;
                }
            }
            self.take('}')?;
        }
        // A stable sort from the last to the first, so that of equal names the last is kept.
        fields.reverse();
        fields.sort_by(|(a, _), (b, _)| (a.len(), a.as_bytes()).cmp(&(b.len(), b.as_bytes())));
        fields.dedup_by(|later, kept| later.0 == kept.0);
        out.push('{');
        for (index, (name, value)) in fields.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            quote(name, out);
            out.push_str(": ");
            out.push_str(value);
        }
        out.push('}');
        Some(())
    }

    fn string(&mut self) -> Option<String> {
        self.left.next_if_eq(&'"')?;
        let mut text = String::new();
        loop {
            match self.left.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escaped()?),
                c if c < ' ' => return None,
                c => text.push(c),
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        Some(match self.left.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            c @ ('"' | '\\' | '/') => c,
            'u' => {
                let high = self.hex()?;
                let code = if (0xd800..0xdc00).contains(&high) {
                    self.left.next_if_eq(&'\\')?;
                    self.left.next_if_eq(&'u')?;
                    let low = self.hex()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                    0x1_0000 + ((high - 0xd800) << 10) + low
                } else {
                    high
                };
                // PostgreSQL cannot hold a NUL.
                char::from_u32(code).filter(|c| *c != '\0')?
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |code, _| Some(code * 16 + self.left.next()?.to_digit(16)?))
    }

    fn digits(&mut self) -> String {
        std::iter::from_fn(|| self.left.next_if(char::is_ascii_digit)).collect()
    }

    /// As `numeric` prints it: no exponent, every digit behind the point that was given.
    fn number(&mut self, out: &mut String) -> Option<()> {
        let negative = self.left.next_if_eq(&'-').is_some();
        let mut digits = self.digits();
        if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
            return None;
        }
        let mut scale = 0_i64;
        if self.left.next_if_eq(&'.').is_some() {
            let fraction = self.digits();
            scale = i64::try_from(fraction.len()).ok().filter(|scale| *scale > 0)?;
            digits.push_str(&fraction);
        }
        if self.left.next_if(|c| matches!(c, 'e' | 'E')).is_some() {
            let sign = self.left.next_if(|c| matches!(c, '+' | '-'));
            let exponent: i64 = self.digits().parse().ok()?;
            scale = if sign == Some('-') { scale.checked_add(exponent)? } else { scale.checked_sub(exponent)? };
        }
        let shift = usize::try_from(scale.unsigned_abs()).ok()?;
        if digits.len() > MAX_DIGITS || shift > MAX_DIGITS {
            return None;
        }
        let behind = if scale < 0 {
            digits.extend(std::iter::repeat_n('0', shift));
            0
        } else {
            shift
        };
        let padded = format!("{}{digits}", "0".repeat((behind + 1).saturating_sub(digits.len())));
        let (whole, fraction) = padded.split_at_checked(padded.len() - behind)?;
        if negative && padded.bytes().any(|digit| digit != b'0') {
            out.push('-');
        }
        let whole = whole.trim_start_matches('0');
        out.push_str(if whole.is_empty() { "0" } else { whole });
        if !fraction.is_empty() {
            out.push('.');
            out.push_str(fraction);
        }
        Some(())
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use crate::json::canonical;

    #[test]
    fn what_postgresql_refuses_has_no_form() {
        for text in ["", "{", "[1,]", "01", "1.", "1e", "tru", "\"\\u0000\"", "\"\\ud800\"", "\"\n\"", "{} x", "1e9999"]
        {
            assert_eq!(canonical(text), None, "{text}");
        }
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert_eq!(canonical(&deep), None);
    }

    #[test]
    fn names_are_by_length_then_bytes_and_the_last_of_equal_ones_stays() {
        assert_eq!(canonical(r#"{"bb":1,"c":2,"a":3,"c":4}"#).unwrap(), r#"{"a": 3, "c": 4, "bb": 1}"#);
    }
}
