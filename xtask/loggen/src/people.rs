//! Names and addresses: the accounts of the server, strangers who write to them, and attackers.
//!
//! Every address is from a range that no one on the internet has: attackers and foreign mail servers in 240.0.0.0/5, users at home
//! in 248.0.0.0/6, offices in 198.51.100.0/24, relays in 198.18.0.0/15, and 2001:db8::/32.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use crate::rng::Rng;
use crate::world::{Client, Service};

const FIRST: &[&str] = &[
    "anna", "bernd", "carla", "dario", "elena", "fabian", "greta", "henrik", "ines", "jonas", "katrin", "lukas",
    "maria", "niklas", "olga", "paul", "quentin", "rosa", "stefan", "tanja", "ulrich", "vera", "walter", "xenia",
    "yannick", "zoe", "amelie", "boris", "chiara", "dietmar", "esther", "felix", "gisela", "hannes", "irina", "jakob",
    "klara", "leon", "miriam", "nora",
];
const LAST: &[&str] = &[
    "albers", "becker", "conrad", "dietz", "engel", "fischer", "graf", "hartmann", "ilgner", "jansen", "keller",
    "lorenz", "maurer", "neumann", "ortlieb", "pohl", "quast", "richter", "sommer", "thiel", "ulmer", "vogel",
    "wagner", "ziegler", "arnold", "brandt", "cremer", "dahl", "ebert", "frank", "gruber", "heinze", "jung", "kraus",
    "lange", "moser", "nagel", "otto", "petersen", "roth",
];
const OURS: &[&str] = &["example.test", "firma.test", "schule.test", "verein.test", "praxis.test", "werkstatt.test"];
const FOREIGN: &[&str] = &[
    "acme.example",
    "bigmail.example",
    "cloudpost.example",
    "dynamo.example",
    "eastbank.example",
    "freemail.example",
    "gazette.example",
    "hosting.example",
    "insure.example",
    "jobs.example",
    "kiosk.example",
    "lists.example",
    "market.example",
    "newsroom.example",
    "onlineshop.example",
    "postbox.example",
    "quickpay.example",
    "railway.example",
    "social.example",
    "travel.example",
    "university.example",
    "videos.example",
    "weather.example",
    "xpress.example",
    "yearbook.example",
    "zoo.example",
    "city.example.org",
    "mail.example.com",
    "office.example.net",
    "alumni.example.edu",
];
const BULK: &[&str] =
    &["news", "noreply", "bounce", "info", "notification", "list", "billing", "service", "alerts", "hello"];
const DICTIONARY: &[&str] = &[
    "admin",
    "administrator",
    "info",
    "test",
    "office",
    "sales",
    "support",
    "webmaster",
    "contact",
    "scanner",
    "postmaster",
    "user",
    "mail",
    "noreply",
    "backup",
    "root",
    "guest",
    "hr",
    "billing",
    "accounting",
    "marketing",
    "service",
    "helpdesk",
    "printer",
    "fax",
    "copier",
    "shop",
    "order",
    "orders",
    "invoice",
    "nagios",
    "monitor",
    "demo",
    "student",
    "reception",
    "kontakt",
    "buchhaltung",
    "verwaltung",
    "rechnung",
    "bewerbung",
    "ftp",
    "www",
    "mysql",
    "oracle",
    "git",
    "jenkins",
    "spam",
    "abuse",
    "security",
    "manager",
    "director",
    "ceo",
    "finance",
    "team",
    "alerts",
    "smtp",
    "relay",
    "server",
];

/// Somebody with an account.
pub(crate) struct User {
    pub(crate) name: Rc<str>,
    pub(crate) service: Service,
    pub(crate) mechanism: &'static str,
    pub(crate) home: Rc<Client>,
    pub(crate) phone: Rc<Client>,
}

/// Everybody with an account.
pub(crate) struct People {
    users: Vec<User>,
}

impl People {
    /// `wrapped` is each host's name of port 465.
    pub(crate) fn new(count: usize, wrapped: &[Service], rng: &mut Rng) -> Self {
        let hosts = wrapped.len();
        let per_host = count / hosts / 125 + 1;
        let offices: Vec<Rc<Client>> = (0..per_host * hosts).map(|n| Rc::new(office(n))).collect();
        let users = (0..count.min(FIRST.len() * LAST.len() * OURS.len()))
            .map(|n| {
                let host = n % hosts;
                let on_465 = rng.chance(350);
                let service = match wrapped.get(host) {
                    Some(&service) if on_465 => service,
                    _ => Service::Submission,
                };
                let office = offices.get(n / hosts / 25 % per_host * hosts + host);
                let home = match office {
                    Some(office) if n % 5 == 0 => Rc::clone(office),
                    _ => Rc::new(home(rng)),
                };
                let mechanism = if rng.chance(700) { "PLAIN" } else { "LOGIN" };
                User { name: account(n).into(), service, mechanism, home, phone: Rc::new(phone(rng)) }
            })
            .collect();
        Self { users }
    }

    pub(crate) fn user(&self, number: usize) -> &User {
        self.users.get(number % self.users.len()).expect("there is always somebody with an account")
    }

    pub(crate) fn any(&self, rng: &mut Rng) -> usize {
        rng.below(self.users.len() as u64) as usize
    }

    /// Somebody whose host is this one.
    pub(crate) fn any_of(&self, host: usize, hosts: usize, rng: &mut Rng) -> usize {
        let number = self.any(rng) / hosts * hosts + host;
        if number < self.users.len() { number } else { host }
    }
}

/// The name of account `n`, all different.
fn account(n: usize) -> String {
    let first = FIRST.get(n % FIRST.len()).copied().unwrap_or("a");
    let last = LAST.get((n / FIRST.len() + n * 7) % LAST.len()).copied().unwrap_or("b");
    let domain = OURS.get(n / (FIRST.len() * LAST.len()) % OURS.len()).copied().unwrap_or("example.test");
    format!("{first}.{last}@{domain}")
}

/// A word from the lists that guessers use.
pub(crate) fn guessers_word(rng: &mut Rng) -> &'static str {
    rng.pick(DICTIONARY)
}

/// A name made of such a word; no account has such a name.
pub(crate) fn guess(rng: &mut Rng) -> String {
    let name = guessers_word(rng);
    if rng.chance(450) { name.to_owned() } else { format!("{name}@{}", rng.pick(OURS)) }
}

/// A recipient on our side that does not exist.
pub(crate) fn nobody(rng: &mut Rng) -> String {
    format!("{}{}@{}", rng.pick(FIRST), rng.range(10, 99), rng.pick(OURS))
}

/// A sender or recipient elsewhere.
pub(crate) fn stranger(rng: &mut Rng) -> String {
    let domain = rng.pick(FOREIGN);
    if rng.chance(400) {
        format!("{}@{domain}", rng.pick(BULK))
    } else if rng.chance(150) {
        format!("bounce+{:x}-{}={}@{domain}", rng.below(1 << 32), rng.pick(FIRST), rng.pick(OURS))
    } else {
        format!("{}.{}@{domain}", rng.pick(FIRST), rng.pick(LAST))
    }
}

/// A domain elsewhere.
pub(crate) fn domain(rng: &mut Rng) -> &'static str {
    rng.pick(FOREIGN)
}

/// An alias on our side.
pub(crate) fn alias(rng: &mut Rng) -> String {
    format!("{}@{}", rng.pick(BULK), rng.pick(OURS))
}

/// A number of its own for each domain, or nearly so.
pub(crate) fn number_of(domain: &str) -> u64 {
    u64::from(domain.bytes().fold(0u8, |sum, b| sum.wrapping_mul(31).wrapping_add(b)))
}

/// The mail server of a domain elsewhere, `name[addr]`.
pub(crate) fn exchanger(domain: &str, rng: &mut Rng) -> String {
    let number = rng.range(1, 4);
    format!("mx{number}.{domain}[{}]", Ipv4Addr::new(198, 18, number_of(domain) as u8, number as u8))
}

/// A foreign mail server that sends to us.
pub(crate) fn sender(rng: &mut Rng) -> Client {
    let domain = rng.pick(FOREIGN);
    let ip = if rng.chance(120) {
        Ipv6Addr::new(0x2001, 0xdb8, 0x5e, rng.below(512) as u16, 0, 0, 0, rng.range(1, 200) as u16).to_string()
    } else {
        Ipv4Addr::new(rng.range(240, 244) as u8, rng.below(256) as u8, rng.below(256) as u8, rng.range(1, 250) as u8)
            .to_string()
    };
    let name = format!("out{}.{domain}", rng.range(1, 60));
    if rng.chance(80) {
        return client("unknown", ip, name);
    }
    client(&name.clone(), ip, name)
}

/// A machine that wants in.
pub(crate) fn attacker(rng: &mut Rng) -> Client {
    if rng.chance(30) {
        let ip = Ipv6Addr::new(0x2001, 0xdb8, 0xbad, rng.below(4096) as u16, 0, 0, 0, rng.range(1, 9) as u16);
        return client("unknown", ip.to_string(), "User".to_owned());
    }
    let ip =
        Ipv4Addr::new(rng.range(244, 248) as u8, rng.below(256) as u8, rng.below(256) as u8, rng.range(1, 255) as u8);
    let helo = match rng.below(4) {
        0 => "User".to_owned(),
        1 => "ylmf-pc".to_owned(),
        2 => format!("[{ip}]"),
        _ => format!("WIN-{:08X}", rng.below(1 << 32)),
    };
    match rng.below(10) {
        0..=6 => client("unknown", ip.to_string(), helo),
        7 => {
            let [a, b, c, d] = ip.octets();
            client(&format!("host-{a}-{b}-{c}-{d}.dyn.{}", rng.pick(FOREIGN)), ip.to_string(), helo)
        }
        _ => client(&format!("srv{}.{}", rng.below(9000), rng.pick(FOREIGN)), ip.to_string(), helo),
    }
}

/// A client that was gone before the server could ask for its address.
pub(crate) fn vanished() -> Client {
    Client { text: "unknown[unknown]".to_owned(), ip: None, helo: "User".to_owned() }
}

fn home(rng: &mut Rng) -> Client {
    if rng.chance(120) {
        let ip =
            Ipv6Addr::new(0x2001, 0xdb8, 0x100, rng.below(65536) as u16, rng.next() as u16, rng.next() as u16, 1, 0x22);
        return client("unknown", ip.to_string(), "laptop.local".to_owned());
    }
    let ip =
        Ipv4Addr::new(rng.range(248, 252) as u8, rng.below(256) as u8, rng.below(256) as u8, rng.range(1, 255) as u8);
    let [a, b, c, d] = ip.octets();
    client(
        &format!("p{a:02x}{b:02x}{c:02x}{d:02x}.dsl.telco.example"),
        ip.to_string(),
        format!("[192.168.{}.{}]", c % 9, d),
    )
}

fn phone(rng: &mut Rng) -> Client {
    let ip = Ipv4Addr::new(100, rng.range(64, 128) as u8, rng.below(256) as u8, rng.range(1, 255) as u8);
    client("unknown", ip.to_string(), "smtpclient.apple".to_owned())
}

fn office(n: usize) -> Client {
    let ip = Ipv4Addr::new(198, 51, 100, (n % 250 + 1) as u8);
    client(&format!("gw{n}.firma.test"), ip.to_string(), "[10.0.0.17]".to_owned())
}

fn client(name: &str, ip: String, helo: String) -> Client {
    Client { text: format!("{name}[{ip}]"), ip: Some(ip), helo }
}
