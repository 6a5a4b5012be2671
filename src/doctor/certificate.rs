//! When a certificate ends: read off its DER, which is all that is needed of it.

use std::fs;
use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::base::time::Timestamp;

/// Tags of DER that matter here.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// When the first certificate of a PEM file ends; `None` for a file that holds none.
#[must_use]
pub(in crate::doctor) fn ends(path: &Path) -> Option<Timestamp> {
    let pem = fs::read(path).ok()?;
    let first = CertificateDer::pem_slice_iter(&pem).next()?.ok()?;
    not_after(&first)
}

/// `Certificate ::= { { [0] version, serial, algorithm, issuer, { notBefore, notAfter }, … } … }` (RFC 5280, section 4.1).
fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = inside(der, SEQUENCE)?;
    let (mut body, _) = inside(certificate, SEQUENCE)?;
    if body.first() == Some(&VERSION) {
        body = after(body)?;
    }
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        body = after(body)?;
    }
    let (validity, _) = inside(body, SEQUENCE)?;
    time(after(validity)?)
}

fn time(der: &[u8]) -> Option<Timestamp> {
    let (tag, text, _) = element(der)?;
    let text = std::str::from_utf8(text).ok()?;
    let digits = match tag {
        // RFC 5280, section 4.1.2.5.1: from 1950 to 2049.
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| digits.get(from..to);
    let (day, hour) = (format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?), part(8, 10)?);
    format!("{day}T{hour}:{}:{}Z", part(10, 12)?, part(12, 14)?).parse().ok()
}

fn inside(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(der)?;
    (tag == wanted).then_some((content, rest))
}

fn after(der: &[u8]) -> Option<&[u8]> {
    element(der).map(|(_, _, rest)| rest)
}

/// The first element: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
            (bytes.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_read_and_garbage_has_none() {
        let key = rcgen::KeyPair::generate().unwrap();
        for (year, month, day) in [(2031, 4, 17), (2060, 1, 2)] {
            let mut params = rcgen::CertificateParams::new(vec!["box".into()]).unwrap();
            params.not_after = rcgen::date_time_ymd(year, month, day);
            let der = params.self_signed(&key).unwrap().der().to_vec();
            assert_eq!(not_after(&der), format!("{year}-{month:02}-{day:02}T00:00:00Z").parse().ok());
            for cut in 0..60 {
                assert_eq!(not_after(&der[..cut]), None);
            }
        }
    }
}
