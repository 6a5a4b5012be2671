//! The networks of the machine, and a socket on each that speaks multicast DNS.
//!
//! A socket is bound to its network, so that what comes in is known to be from there; the port is shared with whatever else
//! on the machine speaks the protocol. Must not know what is said.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// The group that hears every message.
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// Its port.
pub const PORT: u16 = 5353;
/// More networks than these are bridges of containers and the like.
const MOST: usize = 8;
/// Where Linux lists the networks and the IPv6 addresses of each; both are there under `ProcSubset=pid` too.
const DEVICES: &str = "/proc/self/net/dev";
const ADDRESSES_6: &str = "/proc/self/net/if_inet6";

/// A network that can be spoken on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// The box's addresses there, the IPv4 one first.
    pub addresses: Vec<IpAddr>,
}

/// The networks that have an IPv4 address, without loopback.
#[must_use]
pub fn networks() -> Vec<Network> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let (devices, six) = (read(DEVICES), read(ADDRESSES_6));
    let names = devices.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).filter(|name| *name != "lo");
    let each = names.filter_map(|name| {
        let four = own_address(name).ok()?;
        let mut addresses = vec![IpAddr::V4(four)];
        addresses.extend(six_of(&six, name).map(IpAddr::V6));
        Some(Network { name: name.to_owned(), addresses })
    });
    each.take(MOST).collect()
}

/// The address that the kernel would send from on a network.
fn own_address(device: &str) -> io::Result<Ipv4Addr> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind_device(Some(device.as_bytes()))?;
    socket.connect(&SocketAddr::from((GROUP, PORT)).into())?;
    let own = socket.local_addr()?.as_socket_ipv4().map(|address| *address.ip());
    own.filter(|ip| !ip.is_unspecified() && !ip.is_loopback()).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

/// The lasting addresses of a network: 32 digits, number, prefix, scope, flags, name. Of a link alone or not yet sure of
/// themselves they help nobody.
fn six_of<'a>(table: &'a str, device: &'a str) -> impl Iterator<Item = Ipv6Addr> {
    table.lines().filter_map(move |line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [digits, _, _, scope, flags, name] = words.as_slice() else { return None };
        // IFA_F_TEMPORARY, IFA_F_DEPRECATED, IFA_F_TENTATIVE of the kernel's if_addr.h.
        let passing = u8::from_str_radix(flags, 16).ok()? & (0x01 | 0x20 | 0x40) != 0;
        let fits = *name == device && *scope == "00" && !passing;
        fits.then(|| u128::from_str_radix(digits, 16).ok().map(Ipv6Addr::from_bits)).flatten()
    })
}

/// The socket of a network.
///
/// # Errors
/// What the operating system says.
pub fn open(network: &Network) -> io::Result<Arc<UdpSocket>> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(network.name.as_bytes()))?;
    socket.set_multicast_ttl_v4(255)?;
    socket.set_ttl_v4(255)?;
    let four = network.addresses.iter().find_map(|ip| if let IpAddr::V4(ip) = ip { Some(*ip) } else { None });
    let four = four.ok_or(io::ErrorKind::AddrNotAvailable)?;
    socket.join_multicast_v4_n(&GROUP, &InterfaceIndexOrAddress::Address(four))?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)).into())?;
    Ok(Arc::new(UdpSocket::from_std(socket.into())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_ipv6_addresses_the_lasting_ones_are_taken() {
        let line = |digits: &str, scope: &str, flags: &str, name: &str| format!("{digits} 02 40 {scope} {flags} {name}\n");
        let own = "fd000000000000000000000000000007";
        let table = [
            line(own, "00", "80", "wlan0"),
            line("fd000000000000000000000000000008", "00", "01", "wlan0"),
            line("fe800000000000000000000000000009", "20", "80", "wlan0"),
            line("fd00000000000000000000000000000a", "00", "80", "eth0"),
            "broken\n".to_owned(),
        ];
        assert_eq!(six_of(&table.concat(), "wlan0").collect::<Vec<_>>(), ["fd00::7".parse::<Ipv6Addr>().unwrap()]);
    }
}
