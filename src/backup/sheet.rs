//! The recovery sheet: the one place where the recovery key stands, for the terminal and to print.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use qrcode::QrCode;
use qrcode::render::svg;
use qrcode::render::unicode::Dense1x2;
use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::backup::error::Error;
use crate::backup::keys;
use crate::base::recovery::RecoveryKey;
use crate::base::time::Timestamp;

/// One page of A4 in black and white.
const STYLE: &str = "@page{size:A4;margin:18mm}body{font:12pt sans-serif;color:#000;background:#fff;max-width:174mm}\
h1{font-size:20pt;margin:0 0 4mm}svg{width:60mm;height:60mm;float:right;margin:0 0 4mm 6mm}\
pre{font:bold 15pt monospace;line-height:1.6;margin:4mm 0;white-space:pre-wrap}li{margin-bottom:2mm}";
/// Side of the QR code in its own units; it scales without loss.
const QR_SIDE: u32 = 240;
/// Letters of one group, as people read and type them.
const GROUP: usize = 5;

/// A sheet.
pub struct Sheet {
    key: RecoveryKey,
    fingerprint: String,
    box_id: String,
    made_at: Timestamp,
}

impl Sheet {
    /// Makes a recovery key and its sheet. The key is nowhere else.
    ///
    /// # Errors
    /// [`Error::HasRecoveryKey`] unless it is to be replaced, [`Error::Io`].
    pub fn make(app: &App, replace: bool) -> Result<Self, Error> {
        let made_at = app.clock.now();
        let key = keys::make_recovery(&app.config.data_dir, made_at, replace)?;
        let fingerprint = keys::fingerprint(&keys::signer(&app.secrets.master).public());
        Ok(Self { key, fingerprint, box_id: app.box_id.to_string(), made_at })
    }

    /// The key itself.
    #[must_use]
    pub fn key(&self) -> &str {
        self.key.expose()
    }

    /// What the box's signature is called.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn groups(&self) -> String {
        let letters: Vec<char> = self.key.expose().chars().collect();
        let groups: Vec<String> = letters.chunks(GROUP).map(|group| group.iter().collect()).collect();
        groups.chunks(5).map(|line| line.join(" ") + "\n").collect()
    }

    fn day(&self) -> String {
        self.made_at.to_string().split('T').next().unwrap_or_default().to_owned()
    }

    /// For the terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        if let Ok(code) = QrCode::new(self.key.expose()) {
            let picture = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
            out.push_str(&picture);
        }
        let (groups, fingerprint, box_id, day) = (self.groups(), &self.fingerprint, &self.box_id, self.day());
        out += &format!(
            "\nRecovery key of this box\n\n{groups}\nSignature {fingerprint} · box {box_id} · {day}\n\n\
             It opens every backup of this box that is made from now on, and it is shown this once: the box does not keep it.\n\
             Write it down or print it, keep it away from the box, and tell nobody.\n"
        );
        out
    }

    /// To print: one page that needs nothing else.
    #[must_use]
    pub fn html(&self) -> String {
        let picture = QrCode::new(self.key.expose())
            .map(|code| code.render::<svg::Color<'_>>().min_dimensions(QR_SIDE, QR_SIDE).build())
            .unwrap_or_default();
        // The XML declaration has no place within HTML.
        let picture = picture.split_once("?>").map_or(picture.as_str(), |(_, svg)| svg);
        let (groups, fingerprint, box_id, day) = (self.groups(), &self.fingerprint, &self.box_id, self.day());
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Recovery sheet</title><style>{STYLE}</style>\
             <h1>Recovery sheet</h1>{picture}<p>This key opens every backup of the box that is made from {day} on. The \
             box does not keep it: without this sheet no backup can be restored.</p><pre>{groups}</pre>\
             <p>Signature <b>{fingerprint}</b><br>Box {box_id}</p>\
             <p>Keep it away from the box. Whoever has it and a backup can read every message that is in the backup.</p>\
             <h2>To restore on an empty machine</h2><ol><li>Install whotbox there, and copy the newest backup to it \
             (whotbox-….age).</li><li>Write the key into a file: spaces and line breaks do not matter.</li><li>Run \
             <b>whotbox backup restore FILE --recovery-key-file KEYFILE --adopt</b></li><li>Compare the signature it \
             names with the one above.</li><li>Run <b>whotbox</b>.</li></ol></html>\n"
        )
    }

    /// The content security policy that lets in the page's one style alone.
    #[must_use]
    pub fn policy() -> String {
        format!("default-src 'none'; style-src 'sha256-{}'", STANDARD.encode(Sha256::digest(STYLE)))
    }
}
