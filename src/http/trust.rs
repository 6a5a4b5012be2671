//! `/trust`: how a phone or a computer comes to trust this box, and the certificate of the box's own authority for it.
//!
//! Over plain HTTP too, since a device that has not got the certificate yet cannot ask in another way. So somebody in
//! between could hand out a certificate of his own: the page says where the right fingerprint stands, on the owner's
//! screen. Must not know how the certificate is made.

use std::sync::Arc;

use hyper::StatusCode;
use rustls_pki_types::CertificateDer;

use crate::app::App;
use crate::base::certificate::fingerprint;
use crate::doctor::authority;
use crate::http::page;
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, get};

/// What Android, iOS and browsers take for a certificate to install.
const CERTIFICATE: &str = "application/x-x509-ca-cert";

/// What to do on one kind of device, in English and in Pidgin. HTML, with nothing in it that comes from outside.
struct Steps {
    device: &'static str,
    english: &'static str,
    pidgin: &'static str,
}

const STEPS: &[Steps] = &[
    Steps {
        device: "Android",
        english: "Download the certificate. Open Settings, then Security, More security settings, Encryption and credentials, \
                  Install a certificate, CA certificate. Tap Install anyway and choose the file whot-box.crt. \
                  (Names differ a little from phone to phone: search the settings for “CA certificate”.)",
        pidgin: "Download the certificate. Open Settings, then Security, More security settings, Encryption and credentials, \
                 Install a certificate, CA certificate. Tap Install anyway, then choose the file whot-box.crt. \
                 (The name fit different small for your phone: search “CA certificate” for the settings.)",
    },
    Steps {
        device: "iPhone, iPad",
        english: "Open this page in Safari and download the certificate: tap Allow. Open Settings, General, VPN and Device Management, \
                  tap the profile and Install. Then Settings, General, About, Certificate Trust Settings, and switch the box on.",
        pidgin: "Open this page with Safari, download the certificate, tap Allow. Open Settings, General, VPN and Device Management, \
                 tap the profile, then Install. After that Settings, General, About, Certificate Trust Settings, on the box there.",
    },
    Steps {
        device: "Windows",
        english: "Download the certificate and open it. Install Certificate, Current User, “Place all certificates in the following \
                  store”, Browse, Trusted Root Certification Authorities, OK, Next, Finish, Yes. Start the browser again. \
                  To compare: <code>certutil -hashfile whot-box.crt SHA256</code>",
        pidgin: "Download the certificate, open am. Install Certificate, Current User, “Place all certificates in the following \
                 store”, Browse, Trusted Root Certification Authorities, OK, Next, Finish, Yes. Start the browser again. \
                 To compare: <code>certutil -hashfile whot-box.crt SHA256</code>",
    },
    Steps {
        device: "Mac",
        english: "Download the certificate and open it: it goes into Keychain Access. Double-click it there, open Trust, and choose \
                  Always Trust. To compare: <code>shasum -a 256 whot-box.crt</code>",
        pidgin: "Download the certificate, open am: e go enter Keychain Access. Double-click am there, open Trust, choose \
                 Always Trust. To compare: <code>shasum -a 256 whot-box.crt</code>",
    },
    Steps {
        device: "Linux",
        english: "Debian and Ubuntu: <code>openssl x509 -inform der -in whot-box.crt | sudo tee \
                  /usr/local/share/ca-certificates/whot-box.crt</code>, then <code>sudo update-ca-certificates</code>. \
                  To compare: <code>sha256sum whot-box.crt</code>",
        pidgin: "For Debian and Ubuntu: <code>openssl x509 -inform der -in whot-box.crt | sudo tee \
                 /usr/local/share/ca-certificates/whot-box.crt</code>, then <code>sudo update-ca-certificates</code>. \
                 To check say na the same: <code>sha256sum whot-box.crt</code>",
    },
    Steps {
        device: "Firefox, on any computer",
        english: "Settings, Privacy and Security, View Certificates, Authorities, Import: choose whot-box.crt and tick \
                  “Trust this CA to identify websites”.",
        pidgin: "Settings, Privacy and Security, View Certificates, Authorities, Import: choose whot-box.crt, then tick \
                 “Trust this CA to identify websites”.",
    },
];

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    Resource::new(
        "trust",
        vec![
            get("/trust", "How a device comes to trust the box's certificate.")
                .public()
                .gives("text/html")
                .to(app, explain),
            get("/trust/whot-box.crt", "The certificate of the box's own authority, to install on a device.")
                .public()
                .gives(CERTIFICATE)
                .to(app, download),
        ],
    )
}

async fn download(app: Arc<App>, _: Req) -> Result<Response, Problem> {
    let certificate = authority(&app.config).ok_or(Code::NotFound)?;
    Ok(reply::bytes_of(StatusCode::OK, CERTIFICATE, certificate.to_vec()))
}

async fn explain(app: Arc<App>, _: Req) -> Result<Response, Problem> {
    let named = app.mdns.known().https_url();
    let what = authority(&app.config).map_or_else(nothing, |certificate| steps(&certificate, named.as_deref()));
    Ok(page::of("Trust this box", &what))
}

/// Where the box has no authority of its own, or a certificate that the owner brought.
fn nothing() -> String {
    "<section><h2>English</h2><p>There is nothing to install: this box has no certificate of its own making.</p></section>\
     <section lang=\"pcm\"><h2>Pidgin</h2><p>You no need install anything: this box no make im own certificate.</p></section>"
        .to_owned()
}

fn steps(certificate: &CertificateDer<'_>, named: Option<&str>) -> String {
    let print = fingerprint(certificate);
    // Letters, digits and what stands between the parts of an address: nothing in it has to be escaped.
    let by_name = |before: &str, after: &str| -> String {
        named.map(|url| format!("<p>{before} <code>{url}</code>{after}</p>")).unwrap_or_default()
    };
    let list = |one: fn(&Steps) -> &'static str| -> String {
        STEPS.iter().map(|steps| format!("<h3>{}</h3><p>{}</p>", steps.device, one(steps))).collect()
    };
    format!(
        "<section><h2>English</h2><p>Players need none of this. Who runs the box and works for it does this once on each \
         device, and the browser’s warning is gone.</p><p>The certificate can vouch for local names and addresses only, \
         never for a site on the internet.</p><p><strong>Compare first.</strong> Its SHA-256 fingerprint must be the one that \
         the owner’s page shows under “Health”, and <code>whotbox status</code> on the box:</p><p><code>{print}</code></p>\
         <p>If it is another one, somebody stands between you and the box: do not install it.</p>\
         <p><a href=\"/trust/whot-box.crt\">Download the certificate (whot-box.crt)</a></p>{english}{by_name_english}</section>\
         <section lang=\"pcm\"><h2>Pidgin</h2><p>Player no need this one. Who dey run the box, and im staff, go do am once for \
         each phone or computer, and the browser warning go comot.</p><p>The certificate fit stand for local name and local \
         address only, e no fit stand for any site for internet.</p><p><strong>Compare first.</strong> The SHA-256 fingerprint \
         must be the same with the one for the owner page under “Health”, and <code>whotbox status</code> for the \
         box:</p><p><code>{print}</code></p><p>If e no be the same, person dey between you and the box: no install am.</p>\
         <p><a href=\"/trust/whot-box.crt\">Download the certificate (whot-box.crt)</a></p>{pidgin}{by_name_pidgin}</section>",
        english = list(|steps| steps.english),
        pidgin = list(|steps| steps.pidgin),
        by_name_english = by_name(
            "Then the box is at",
            ", by name, and at its number as before. Older Android phones know the number alone."
        ),
        by_name_pidgin =
            by_name("After that the box dey for", ", and the number still dey work. Old Android sabi only the number."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_is_explained_in_both_languages() {
        for steps in STEPS {
            assert!(!steps.english.is_empty() && steps.english != steps.pidgin, "{}", steps.device);
        }
    }
}
