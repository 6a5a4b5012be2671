//! What the box says on its networks: it asks whether its name is free, announces it, answers for it, and takes another
//! where somebody else has it.
//!
//! Pure: time comes in as what has passed since the start, messages come in and go out as bytes. Must not know sockets.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::mdns::net::PORT;
use crate::mdns::wire::{self, A, AAAA, ANY, Message, NSEC, PTR, Question, Record, SRV, TXT};
use crate::mdns::{Ports, State};

/// Of records that hang on a host's address (RFC 6762, section 10), and of all others.
const TTL: u32 = 120;
const LONG_TTL: u32 = 4500;
/// Who asks in the old way may keep it for so long (section 6.7).
const OLD_TTL: u32 = 10;
/// Questions before the name is taken, and the time between them (section 8.1).
const PROBES: u8 = 3;
const BETWEEN_PROBES: Duration = Duration::from_millis(250);
/// Announcements, and the time between them (section 8.3).
const ANNOUNCEMENTS: u8 = 2;
const BETWEEN_ANNOUNCEMENTS: Duration = Duration::from_secs(1);
/// Who has lost against another who asks at the same time asks again after this (section 8.2).
const AFTER_LOSS: Duration = Duration::from_secs(1);
/// The last number that is tried, and how long the box waits when that has another too.
const LAST_NUMBER: u32 = 9;
const AFTER_ALL: Duration = Duration::from_secs(60);
/// Nothing is due.
const LONG: Duration = Duration::from_secs(3600);
/// Answers to a network in one second: many phones may ask, and nobody can make the box flood it.
const ANSWERS: u32 = 10;
const SECOND: Duration = Duration::from_secs(1);
/// Longest label (RFC 1035, section 2.3.4), without room for a number.
const MAX_LABEL: usize = 60;
/// Lists the kinds of service (RFC 6763, section 9).
const KINDS: &str = "_services._dns-sd._udp.local";

/// What the box is to say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The name that is wanted, without `.local`.
    pub label: String,
    /// The addresses on each network.
    pub networks: BTreeMap<String, Vec<IpAddr>>,
    /// What is served.
    pub ports: Ports,
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// Everybody on the network.
    Group,
    /// Who asked in the old way.
    One(SocketAddr),
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// On which network.
    pub network: String,
    /// To whom.
    pub to: To,
    /// It.
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Probing(u8),
    Announcing(u8),
    Held,
    Taken,
}

/// The one who answers.
#[derive(Debug)]
pub struct Responder {
    facts: Facts,
    number: u32,
    phase: Phase,
    due: Duration,
    /// Answers of each network: since when they are counted, and how many there were.
    answered: BTreeMap<String, (Duration, u32)>,
}

impl Responder {
    /// One who begins to ask for its name.
    #[must_use]
    pub const fn new(now: Duration, facts: Facts) -> Self {
        Self { facts, number: 1, phase: Phase::Probing(0), due: now, answered: BTreeMap::new() }
    }

    /// The name as it stands, without `.local`.
    #[must_use]
    pub fn label(&self) -> String {
        let wanted: String = self.facts.label.chars().take(MAX_LABEL).collect();
        if self.number == 1 { wanted } else { format!("{wanted}-{}", self.number) }
    }

    /// The name that is wanted.
    #[must_use]
    pub fn wanted(&self) -> &str {
        &self.facts.label
    }

    /// How far it has come.
    #[must_use]
    pub fn state(&self) -> State {
        match self.phase {
            _ if self.facts.networks.is_empty() => State::NoNetwork,
            Phase::Probing(_) => State::Claiming,
            Phase::Announcing(_) | Phase::Held => State::Held,
            Phase::Taken => State::Taken,
        }
    }

    /// When [`Self::tick`] is to be called.
    #[must_use]
    pub const fn due(&self) -> Duration {
        self.due
    }

    /// Takes new facts; what was said before is taken back where it is no longer so.
    pub fn set(&mut self, now: Duration, facts: Facts) -> Vec<Outgoing> {
        if facts == self.facts {
            return Vec::new();
        }
        let farewell = self.farewell();
        if facts.label != self.facts.label {
            self.number = 1;
        }
        (self.facts, self.phase, self.due) = (facts, Phase::Probing(0), now);
        farewell
    }

    /// Takes back what was said.
    #[must_use]
    pub fn farewell(&self) -> Vec<Outgoing> {
        if self.state() != State::Held {
            return Vec::new();
        }
        self.everywhere(|own| {
            let gone = own.into_iter().map(|record| Record { ttl: 0, ..record }).collect();
            Message { response: true, answers: gone, ..Message::default() }
        })
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Duration) -> Vec<Outgoing> {
        if now < self.due {
            return Vec::new();
        }
        match self.phase {
            Phase::Probing(asked) if asked < PROBES => {
                (self.phase, self.due) = (Phase::Probing(asked + 1), now + BETWEEN_PROBES);
                self.everywhere(|own| self.probe(own))
            }
            Phase::Probing(_) => self.announce(now, 0),
            Phase::Announcing(told) => self.announce(now, told),
            Phase::Held => {
                self.due = now + LONG;
                Vec::new()
            }
            Phase::Taken => {
                (self.number, self.phase, self.due) = (1, Phase::Probing(0), now);
                Vec::new()
            }
        }
    }

    fn announce(&mut self, now: Duration, told: u8) -> Vec<Outgoing> {
        let last = told + 1 >= ANNOUNCEMENTS;
        self.phase = if last { Phase::Held } else { Phase::Announcing(told + 1) };
        self.due = now + if last { LONG } else { BETWEEN_ANNOUNCEMENTS };
        self.everywhere(|own| Message { response: true, answers: own, ..Message::default() })
    }

    fn probe(&self, own: Vec<Record>) -> Message {
        let names = std::iter::once(self.host()).chain(self.services().map(|(kind, _)| self.instance(kind)));
        let claims = own.into_iter().filter(claimed).collect();
        let questions = names.map(|name| Question { name, kind: ANY }).collect();
        Message { questions, claims, ..Message::default() }
    }

    /// Hears a message from a network.
    pub fn heard(&mut self, now: Duration, network: &str, from: SocketAddr, bytes: &[u8]) -> Vec<Outgoing> {
        if !self.facts.networks.contains_key(network) {
            return Vec::new();
        }
        let Some(message) = Message::parse(bytes) else { return Vec::new() };
        if message.response {
            // Only who speaks the protocol itself answers from its port (section 6).
            if from.port() == PORT
                && message.answers.iter().chain(&message.additional).any(|record| self.foreign(record))
            {
                self.conflict(now);
            }
            return Vec::new();
        }
        if matches!(self.phase, Phase::Probing(_)) {
            self.compare(now, network, &message);
            return Vec::new();
        }
        self.answer(now, network, from, message)
    }

    /// Another host says something else of the name.
    fn foreign(&self, record: &Record) -> bool {
        if record.ttl == 0 {
            return false;
        }
        match record.kind {
            A | AAAA if record.name == self.host() => {
                let own = self.facts.networks.values().flatten().map(|ip| wire::address(*ip));
                !own.into_iter().any(|own| own == (record.kind, record.data.clone()))
            }
            SRV => self
                .services()
                .any(|(kind, port)| record.name == self.instance(kind) && record.data != self.place(port)),
            _ => false,
        }
    }

    fn conflict(&mut self, now: Duration) {
        match self.phase {
            // Perhaps it is a mistake of the other's: ask again, and go only if the name is defended.
            Phase::Announcing(_) | Phase::Held => (self.phase, self.due) = (Phase::Probing(0), now),
            Phase::Probing(0) | Phase::Taken => {}
            Phase::Probing(_) if self.number >= LAST_NUMBER => {
                (self.phase, self.due) = (Phase::Taken, now + AFTER_ALL);
            }
            Phase::Probing(_) => {
                self.number += 1;
                (self.phase, self.due) = (Phase::Probing(0), now);
            }
        }
    }

    /// Two ask for a name at once: whose records are the greater has it, and the other asks again later (section 8.2).
    fn compare(&mut self, now: Duration, network: &str, message: &Message) {
        let sorted = |records: Vec<&Record>| {
            let mut all: Vec<_> = records.iter().map(|record| (record.kind, record.data.clone())).collect();
            all.sort();
            all
        };
        let own = self.records(network);
        let host = self.host();
        let names = std::iter::once(host).chain(self.services().map(|(kind, _)| self.instance(kind)));
        let lost = names.into_iter().any(|name| {
            let of = |records: &'_ [Record]| {
                sorted(records.iter().filter(|record| record.name == name && claimed(record)).collect())
            };
            let (theirs, ours) = (of(&message.claims), of(&own));
            !theirs.is_empty() && theirs > ours && message.claims.iter().any(|record| self.foreign(record))
        });
        if lost {
            (self.phase, self.due) = (Phase::Probing(0), now + AFTER_LOSS);
        }
    }

    fn answer(&mut self, now: Duration, network: &str, from: SocketAddr, message: Message) -> Vec<Outgoing> {
        let own = self.records(network);
        let asked = |record: &&Record| message.questions.iter().any(|question| self.answers(question, record));
        // Who asks and knows an answer for a good while still needs none (section 7.1).
        let known = |record: &&Record| {
            message.answers.iter().any(|known| {
                (&known.name, known.kind, &known.data) == (&record.name, record.kind, &record.data)
                    && known.ttl >= record.ttl / 2
            })
        };
        let old = from.port() != PORT;
        let mut answers: Vec<Record> =
            own.iter().filter(asked).filter(|record| old || !known(record)).cloned().collect();
        if answers.is_empty() || (old && !nearby(from.ip())) || !self.may_answer(now, network) {
            return Vec::new();
        }
        let services = answers.iter().any(|record| matches!(record.kind, PTR | SRV));
        let mut additional: Vec<Record> =
            own.iter().filter(|record| services && !answers.contains(record) && record.kind != PTR).cloned().collect();
        if old {
            for record in answers.iter_mut().chain(&mut additional) {
                (record.ttl, record.unique) = (OLD_TTL, false);
            }
            let reply = Message {
                id: message.id,
                response: true,
                questions: message.questions,
                answers,
                additional,
                ..Message::default()
            };
            return vec![Outgoing { network: network.to_owned(), to: To::One(from), bytes: reply.bytes() }];
        }
        let reply = Message { response: true, answers, additional, ..Message::default() };
        vec![Outgoing { network: network.to_owned(), to: To::Group, bytes: reply.bytes() }]
    }

    fn may_answer(&mut self, now: Duration, network: &str) -> bool {
        let (since, count) = self.answered.entry(network.to_owned()).or_insert((now, 0));
        if now.saturating_sub(*since) >= SECOND {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= ANSWERS
    }

    /// Whether a record answers a question. A host that is asked for an address that it has not says which it has.
    fn answers(&self, question: &Question, record: &Record) -> bool {
        if question.name != record.name {
            return false;
        }
        let of_host = record.kind == NSEC && matches!(question.kind, A | AAAA);
        question.kind == ANY || question.kind == record.kind || of_host
    }

    fn everywhere(&self, make: impl Fn(Vec<Record>) -> Message) -> Vec<Outgoing> {
        let each = self.facts.networks.keys().map(|network| Outgoing {
            network: network.clone(),
            to: To::Group,
            bytes: make(self.records(network)).bytes(),
        });
        each.collect()
    }

    fn host(&self) -> String {
        format!("{}.local", self.label())
    }

    fn services(&self) -> impl Iterator<Item = (&'static str, u16)> + use<> {
        let Ports { http, https } = self.facts.ports;
        let both = [("_http._tcp.local", http), ("_https._tcp.local", https)];
        both.into_iter().filter_map(|(kind, port)| Some((kind, port?)))
    }

    fn instance(&self, kind: &str) -> String {
        format!("{}.{kind}", self.label())
    }

    /// What a service's record says: no priority, no weight, port and host.
    fn place(&self, port: u16) -> Vec<u8> {
        [&[0, 0, 0, 0], port.to_be_bytes().as_slice(), &wire::encoded(&self.host())].concat()
    }

    /// Everything that there is to say on a network.
    fn records(&self, network: &str) -> Vec<Record> {
        let host = self.host();
        let unique = |name: &str, kind, ttl, data| Record { name: name.to_owned(), kind, ttl, unique: true, data };
        let shared = |name: &str, data| Record { name: name.to_owned(), kind: PTR, ttl: LONG_TTL, unique: false, data };
        let mut all = Vec::new();
        let addresses = self.facts.networks.get(network).into_iter().flatten().map(|ip| wire::address(*ip));
        for (kind, data) in addresses {
            all.push(unique(&host, kind, TTL, data));
        }
        let has = |kind: u16| all.iter().any(|record| record.kind == kind);
        all.push(unique(&host, NSEC, TTL, types(&host, has(A), has(AAAA))));
        for (kind, port) in self.services() {
            let instance = self.instance(kind);
            all.push(unique(&instance, SRV, TTL, self.place(port)));
            all.push(unique(&instance, TXT, LONG_TTL, b"\x06path=/".to_vec()));
            all.push(shared(kind, wire::encoded(&instance)));
            all.push(shared(KINDS, wire::encoded(kind)));
        }
        all
    }
}

/// A record that a name is claimed with.
const fn claimed(record: &Record) -> bool {
    matches!(record.kind, A | AAAA | SRV | TXT)
}

/// The list of a host's types: the name, the first window, four bytes, and the bits of A and AAAA.
fn types(host: &str, four: bool, six: bool) -> Vec<u8> {
    let (four, six) = (if four { 0x40 } else { 0 }, if six { 0x08 } else { 0 });
    [wire::encoded(host), vec![0, 4, four, 0, 0, six]].concat()
}

/// Whether an address can be on a network of the box: nobody else is answered directly.
const fn nearby(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
        IpAddr::V6(_) => false,
    }
}

#[cfg(test)]
mod tests;
