//! The AEAD against Wycheproof's vectors: what must open opens, and what must not does not.

use whotbox::base::aead;
use whotbox::base::secret::Secret;

const VECTORS: &str = include_str!("../vectors/wycheproof-xchacha20poly1305.txt");

fn hex(text: &str) -> Vec<u8> {
    let digits = if text == "-" { "" } else { text };
    digits.as_bytes().chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

#[test]
fn every_wycheproof_vector_is_judged_as_it_should_be() {
    let mut judged = [0, 0];
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(' ').collect();
        let [verdict, key, nonce, associated, text, sealed] = fields[..] else { panic!("{line}") };
        let key = Secret::new(hex(key).try_into().unwrap());
        let opened = aead::open(&key, &hex(associated), &[hex(nonce), hex(sealed)].concat());
        match verdict {
            "ok" => assert_eq!(opened.unwrap(), hex(text), "{line}"),
            _ => assert!(opened.is_err(), "{line}"),
        }
        judged[usize::from(verdict == "ok")] += 1;
    }
    assert_eq!(judged, [60, 220]);
}
