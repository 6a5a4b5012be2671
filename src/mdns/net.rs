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
/// Where Linux lists the networks, the ways that lead into each, and its IPv6 addresses; they are there under
/// `ProcSubset=pid` too.
const DEVICES: &str = "/proc/self/net/dev";
const WAYS: &str = "/proc/self/net/route";
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
    let (devices, ways, six) = (read(DEVICES), read(WAYS), read(ADDRESSES_6));
    let names = devices.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).filter(|name| *name != "lo");
    let each = names.filter_map(|name| {
        let four = own_address(name).ok().filter(|four| leads(&ways, name, *four))?;
        let mut addresses = vec![IpAddr::V4(four)];
        addresses.extend(six_of(&six, name).map(IpAddr::V6));
        Some(Network { name: name.to_owned(), addresses })
    });
    each.take(MOST).collect()
}

/// The address that the kernel would send from on a network. For one without an address it is that of another.
fn own_address(device: &str) -> io::Result<Ipv4Addr> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind_device(Some(device.as_bytes()))?;
    socket.connect(&SocketAddr::from((GROUP, PORT)).into())?;
    let own = socket.local_addr()?.as_socket_ipv4().map(|address| *address.ip());
    own.filter(|ip| !ip.is_unspecified() && !ip.is_loopback()).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

/// Whether an address is of a network: whether a way leads to it there that is not the way to everywhere. A line is name,
/// destination, gateway, flags, three counts, mask; the numbers as the kernel has them in memory.
fn leads(table: &str, device: &str, ip: Ipv4Addr) -> bool {
    let number = |word: &str| u32::from_str_radix(word, 16).ok();
    table.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, destination, _, _, _, _, _, mask, ..] = words.as_slice() else { return false };
        let (Some(destination), Some(mask)) = (number(destination), number(mask)) else { return false };
        *name == device && mask != 0 && u32::from_ne_bytes(ip.octets()) & mask == destination
    })
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
    fn an_address_is_of_the_network_that_leads_to_it() {
        let number = |ip: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(ip));
        let line = |name: &str, to: [u8; 4], mask: [u8; 4]| {
            format!("{name}\t{}\t00000000\t0001\t0\t0\t0\t{}\t0\t0\t0\n", number(to), number(mask))
        };
        let table = [
            "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n".to_owned(),
            line("eth0", [0, 0, 0, 0], [0, 0, 0, 0]),
            line("wlan0", [192, 168, 4, 0], [255, 255, 255, 0]),
        ];
        let leads = |name: &str, ip: [u8; 4]| leads(&table.concat(), name, ip.into());
        assert!(leads("wlan0", [192, 168, 4, 1]));
        // What goes anywhere says nothing about where the address is from.
        assert!(
            !leads("eth0", [192, 168, 4, 1]) && !leads("wlan0", [192, 168, 5, 1]) && !leads("lo", [192, 168, 4, 1])
        );
    }

    #[test]
    fn of_the_ipv6_addresses_the_lasting_ones_are_taken() {
        let line =
            |digits: &str, scope: &str, flags: &str, name: &str| format!("{digits} 02 40 {scope} {flags} {name}\n");
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
