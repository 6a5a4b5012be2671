//! What a starting box says to who stands before it: the address, its QR code, and the first password.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// An address that is never asked; the kernel only says which of ours would be used to reach it.
const ANYWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 255, 255, 255), 9);

/// What to say.
pub struct Banner<'a> {
    /// Where the box listens.
    pub addresses: &'a [SocketAddr],
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The address that was set by hand.
    pub public_url: Option<&'a str>,
    /// The address by name, which the box is about to ask its network for.
    pub named: Option<&'a str>,
    /// The first admin's name and one-time password, on the first start alone.
    pub admin: Option<(&'a str, &'a str)>,
}

/// The address under which phones reach the box. It carries the IP address, since older phones know no local names.
#[must_use]
pub fn url(addresses: &[SocketAddr], tls: bool, public_url: Option<&str>) -> String {
    if let Some(url) = public_url {
        return url.to_owned();
    }
    let (scheme, usual) = if tls { ("https", 443) } else { ("http", 80) };
    let Some(address) = addresses.first() else { return format!("{scheme}://127.0.0.1") };
    let ip = if address.ip().is_unspecified() { lan_address() } else { address.ip() };
    let host = match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    if address.port() == usual { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{}", address.port()) }
}

/// This machine's address on its network, without sending anything; loopback where it has none.
#[must_use]
pub fn lan_address() -> IpAddr {
    let find = || -> io::Result<IpAddr> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect(ANYWHERE)?;
        Ok(socket.local_addr()?.ip())
    };
    find().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// Says it.
///
/// # Errors
/// Where the terminal is gone.
pub fn write(out: &mut dyn Write, banner: &Banner<'_>) -> io::Result<()> {
    let url = url(banner.addresses, banner.tls, banner.public_url);
    if let Ok(code) = QrCode::new(&url) {
        let picture = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
        writeln!(out, "\n{picture}")?;
    }
    writeln!(out, "The box is at  {url}")?;
    if let Some(named) = banner.named {
        writeln!(out, "Or by name     {named}")?;
    }
    for address in banner.addresses {
        writeln!(out, "Listening on   {address}")?;
    }
    if let Some((username, password)) = banner.admin {
        writeln!(out, "\nFirst admin    {username}")?;
        writeln!(out, "Password       {password}")?;
        writeln!(out, "It is shown this once, and must be changed at the first sign-in.")?;
    }
    writeln!(out, "\nReady.")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_one_that_phones_reach() {
        let at = |text: &str| vec![text.parse().unwrap()];
        assert_eq!(url(&at("192.168.4.1:80"), false, None), "http://192.168.4.1");
        assert_eq!(url(&at("[fe80::1]:8443"), true, None), "https://[fe80::1]:8443");
        assert_eq!(url(&at("0.0.0.0:80"), false, Some("http://box.example")), "http://box.example");
        assert!(!url(&at("0.0.0.0:8080"), false, None).contains("0.0.0.0"));
    }

    #[test]
    fn the_password_stands_there_on_the_first_start_alone() {
        let say = |admin| {
            let mut out = Vec::new();
            let addresses = &["10.0.0.1:80".parse().unwrap()];
            let named = Some("http://whot-mama.local");
            let banner = Banner { addresses, tls: false, public_url: None, named, admin };
            write(&mut out, &banner).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert!(say(None).contains("http://10.0.0.1\nOr by name     http://whot-mama.local\n"));
        assert!(say(Some(("admin", "pass-word"))).contains("pass-word"));
        assert!(!say(None).contains("Password"));
    }
}
