//! The mail servers: their hosts, processes, queue ids and people, and the clock that wakes every actor in turn.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt::{self, Write as _};
use std::rc::Rc;

use crate::log::{Log, MINUTE, Micros, SECOND};
use crate::people::People;
use crate::rng::Rng;
use crate::truth::Ledger;

/// Somebody or something that writes lines, one step at a time.
pub(crate) trait Actor {
    /// Does what is due now, and says when to be woken again.
    fn step(&mut self, world: &mut World) -> Next;
}

/// When an actor is due again.
pub(crate) enum Next {
    In(Micros),
    Done,
}

/// Which wording a host's Postfix uses for a SASL failure (log grammar, part 2.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    /// Up to 3.8.2: no user name, empty or base64 reasons.
    A,
    /// 3.9 and late updates of older releases: `(reason unavailable)` and the user name.
    C,
    /// From 3.10: as C, the refused mechanism's name, and `NOQUEUE: lost connection`.
    D,
}

/// The ports a client can talk to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Smtp,
    Submission,
    /// Port 465; an old release calls it `smtps`.
    Submissions,
    Smtps,
}

impl Service {
    /// The name that counts are kept under.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Service::Smtp => "smtpd",
            Service::Submission => "submission",
            Service::Submissions => "submissions",
            Service::Smtps => "smtps",
        }
    }

    /// The name in limit and `anvil` lines.
    pub(crate) fn in_master(self) -> &'static str {
        if self == Service::Smtp { "smtp" } else { self.name() }
    }

    pub(crate) fn tag(self) -> &'static str {
        match self {
            Service::Smtp => "postfix/smtpd",
            Service::Submission => "postfix/submission/smtpd",
            Service::Submissions => "postfix/submissions/smtpd",
            Service::Smtps => "postfix/smtps/smtpd",
        }
    }

    /// TLS from the first byte.
    pub(crate) fn wrapped(self) -> bool {
        matches!(self, Service::Submissions | Service::Smtps)
    }
}

/// Programs beside `smtpd`.
#[derive(Clone, Copy)]
pub(crate) enum Daemon {
    Master,
    Qmgr,
    Cleanup,
    Smtp,
    Lmtp,
    Virtual,
    Local,
    Pipe,
    Discard,
    Pickup,
    Postsuper,
    Bounce,
    Anvil,
    Scache,
    Postscreen,
    Dnsblog,
    Amavis,
}

impl Daemon {
    const ALL: usize = 17;

    pub(crate) fn tag(self) -> &'static str {
        match self {
            Daemon::Master => "postfix/master",
            Daemon::Qmgr => "postfix/qmgr",
            Daemon::Cleanup => "postfix/cleanup",
            Daemon::Smtp => "postfix/smtp",
            Daemon::Lmtp => "postfix/lmtp",
            Daemon::Virtual => "postfix/virtual",
            Daemon::Local => "postfix/local",
            Daemon::Pipe => "postfix/pipe",
            Daemon::Discard => "postfix/discard",
            Daemon::Pickup => "postfix/pickup",
            Daemon::Postsuper => "postfix/postsuper",
            Daemon::Bounce => "postfix/bounce",
            Daemon::Anvil => "postfix/anvil",
            Daemon::Scache => "postfix/scache",
            Daemon::Postscreen => "postfix/postscreen",
            Daemon::Dnsblog => "postfix/dnsblog",
            Daemon::Amavis => "amavis",
        }
    }

    /// How many processes at once, and how many lines or jobs each does before it makes way for another (0: never).
    fn staff(self) -> (usize, u32) {
        match self {
            Daemon::Master | Daemon::Qmgr | Daemon::Postscreen => (1, 0),
            Daemon::Anvil | Daemon::Scache | Daemon::Pickup => (1, 200),
            // A command: a process for each order, with one line for the message and one for the sum.
            Daemon::Postsuper => (1, 2),
            Daemon::Cleanup | Daemon::Smtp => (6, 150),
            Daemon::Amavis => (3, 300),
            _ => (3, 150),
        }
    }
}

/// What a host's authentication backend does just now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Up,
    /// Its socket is gone.
    Missing,
    /// Its socket is there, and nobody listens.
    Refused,
    /// It takes requests and does not answer in time.
    Hung,
}

/// An idle `smtpd` process.
struct Idle {
    pid: u32,
    clients: u32,
    since: Micros,
    holds_backend: bool,
}

/// One mail server.
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) window: Window,
    /// Logs its Dovecot's login lines into the same file.
    pub(crate) dovecot: bool,
    pub(crate) port_logging: bool,
    pub(crate) long_ids: bool,
    /// Offers AUTH on port 25 too.
    pub(crate) auth_on_25: bool,
    pub(crate) postscreen: bool,
    pub(crate) backend: Backend,
    idle: [Vec<Idle>; 4],
    staff: Vec<Vec<(u32, u32)>>,
    next_pid: u32,
    /// Queue ids whose files are gone, and since when; they may come again.
    retired: VecDeque<(Micros, QueueId)>,
}

impl Host {
    /// The three kinds of host take turns; only the first has Dovecot's lines.
    fn new(number: usize) -> Self {
        let kind = number % 3;
        let name = match kind {
            0 => format!("mx{}", number + 1),
            1 => format!("mail{}", number + 1),
            _ => format!("relay{}", number + 1),
        };
        let (window, long_ids) = match kind {
            0 => (Window::C, false),
            1 => (Window::D, true),
            _ => (Window::A, false),
        };
        Self {
            name,
            window,
            dovecot: number == 0,
            port_logging: kind == 1,
            long_ids,
            auth_on_25: kind == 2,
            postscreen: kind == 1,
            backend: Backend::Up,
            idle: Default::default(),
            staff: (0..Daemon::ALL).map(|_| Vec::new()).collect(),
            next_pid: 1000 + 137 * number as u32,
            retired: VecDeque::new(),
        }
    }

    /// What this host calls port 465.
    pub(crate) fn wrapped(&self) -> Service {
        if self.window == Window::A { Service::Smtps } else { Service::Submissions }
    }

    /// Process numbers start again after 65535, as on many systems they start again sooner or later.
    fn new_pid(&mut self) -> u32 {
        self.next_pid = if self.next_pid >= 65_535 { 1000 } else { self.next_pid + 1 };
        self.next_pid
    }

    /// The process of a daemon that does the next job.
    fn pid(&mut self, daemon: Daemon, rng: &mut Rng) -> u32 {
        let (many, jobs) = daemon.staff();
        if jobs == 0 {
            // Permanent processes have numbers below those that are given out again.
            return 700 + daemon as u32;
        }
        let number = rng.below(many as u64) as usize;
        let wanted = self.staff.get(daemon as usize).map_or(0, Vec::len) <= number;
        let fresh = if wanted { Some(self.new_pid()) } else { None };
        let staff = self.staff.get_mut(daemon as usize).expect("every daemon has its list");
        if let Some(pid) = fresh {
            staff.push((pid, jobs));
            return pid;
        }
        let slot = staff.get_mut(number).expect("the number was just compared with the length");
        slot.1 -= 1;
        let (pid, left) = *slot;
        if left == 0 {
            let pid = self.new_pid();
            if let Some(slot) = self.staff.get_mut(daemon as usize).and_then(|s| s.get_mut(number)) {
                *slot = (pid, jobs);
            }
        }
        pid
    }
}

/// An `smtpd` process that serves a client.
pub(crate) struct Process {
    pub(crate) pid: u32,
    clients: u32,
    /// Has a connection to the backend from an earlier session.
    pub(crate) holds_backend: bool,
}

/// A remote address as the log writes it, without the port.
pub(crate) struct Client {
    /// `name[addr]`.
    pub(crate) text: String,
    /// `None` for `unknown[unknown]`.
    pub(crate) ip: Option<String>,
    pub(crate) helo: String,
}

/// The queue id of a message.
pub(crate) type QueueId = Rc<str>;

/// Everything the actors share.
pub(crate) struct World {
    pub(crate) now: Micros,
    pub(crate) start: Micros,
    pub(crate) end: Micros,
    pub(crate) rng: Rng,
    pub(crate) log: Log,
    pub(crate) ledger: Ledger,
    pub(crate) people: People,
    hosts: Vec<Host>,
    queue: BinaryHeap<Due>,
    arrivals: u64,
    files: u64,
}

/// An actor and when it is due. Of two that are due at once the one that came first goes first.
struct Due {
    at: Micros,
    arrival: u64,
    actor: Box<dyn Actor>,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.arrival).cmp(&(self.at, self.arrival))
    }
}

impl World {
    pub(crate) fn host_list(count: usize) -> Vec<Host> {
        (0..count).map(Host::new).collect()
    }

    pub(crate) fn new(start: Micros, end: Micros, seed: u64, hosts: Vec<Host>, people: People, log: Log) -> Self {
        Self {
            now: start,
            start,
            end,
            rng: Rng::new(seed),
            log,
            ledger: Ledger::default(),
            people,
            hosts,
            queue: BinaryHeap::new(),
            arrivals: 0,
            files: 0,
        }
    }

    /// Wakes `actor` after `delay`.
    pub(crate) fn spawn(&mut self, delay: Micros, actor: Box<dyn Actor>) {
        self.push(self.now + delay, actor);
    }

    fn push(&mut self, at: Micros, actor: Box<dyn Actor>) {
        self.arrivals += 1;
        self.queue.push(Due { at, arrival: self.arrivals, actor });
    }

    /// Lets the next actor do its step; false when there is none left.
    pub(crate) fn tick(&mut self) -> bool {
        let Some(Due { at, mut actor, .. }) = self.queue.pop() else {
            return false;
        };
        self.now = at;
        if let Next::In(delay) = actor.step(self) {
            self.push(at + delay, actor);
        }
        true
    }

    pub(crate) fn over(&self) -> bool {
        self.now >= self.end
    }

    pub(crate) fn host(&self, host: usize) -> &Host {
        self.hosts.get(host).expect("a host number comes from the list of hosts")
    }

    pub(crate) fn host_mut(&mut self, host: usize) -> &mut Host {
        self.hosts.get_mut(host).expect("a host number comes from the list of hosts")
    }

    pub(crate) fn host_count(&self) -> usize {
        self.hosts.len()
    }

    /// A host: the first has half of the work, the last little, so that its repeated messages stand together.
    pub(crate) fn any_host(&mut self) -> usize {
        let count = self.hosts.len();
        let roll = self.rng.below(100) as usize;
        match count {
            1 => 0,
            2 => usize::from(roll >= 65),
            _ if roll < 45 => 0,
            _ if roll < 75 => 1,
            _ => 2 + roll % (count - 2),
        }
    }

    /// Writes a line of a daemon and returns its pid.
    pub(crate) fn say(&mut self, host: usize, daemon: Daemon, message: fmt::Arguments<'_>) -> u32 {
        let pid = self.hosts.get_mut(host).map_or(0, |h| h.pid(daemon, &mut self.rng));
        self.log.line(self.now, host, daemon.tag(), pid, message);
        pid
    }

    /// Writes a Dovecot line.
    pub(crate) fn dovecot(&mut self, host: usize, message: fmt::Arguments<'_>) {
        self.log.line(self.now, host, "dovecot", 0, message);
    }

    /// Takes an idle `smtpd`, or starts one.
    pub(crate) fn take_process(&mut self, host: usize, service: Service) -> Process {
        let now = self.now;
        let host = self.host_mut(host);
        let idle = host.idle.get_mut(service as usize).expect("every service has its list");
        match idle.pop() {
            Some(process) if process.since + 100 * SECOND > now => {
                Process { pid: process.pid, clients: process.clients + 1, holds_backend: process.holds_backend }
            }
            _ => {
                // Whoever was idle for max_idle has gone, and so have all that were idle for longer.
                idle.clear();
                Process { pid: host.new_pid(), clients: 1, holds_backend: false }
            }
        }
    }

    /// Gives it back; after `max_use` clients it ends.
    pub(crate) fn release_process(&mut self, host: usize, service: Service, process: &Process) {
        if process.clients >= 100 {
            return;
        }
        let Process { pid, clients, holds_backend } = *process;
        let since = self.now;
        if let Some(idle) = self.host_mut(host).idle.get_mut(service as usize) {
            idle.push(Idle { pid, clients, since, holds_backend });
        }
    }

    /// A queue file is gone. Of a host with short ids some are remembered, to be used again.
    pub(crate) fn retire(&mut self, host: usize, id: &QueueId) {
        let now = self.now;
        let host = self.host_mut(host);
        if !host.long_ids && host.retired.len() < RETIRED_MAX {
            host.retired.push_back((now, Rc::clone(id)));
        }
    }

    /// A new queue id in the host's style; a short one may have been another message's before.
    pub(crate) fn queue_id(&mut self, host: usize) -> QueueId {
        let (again, now) = (self.rng.chance(3), self.now);
        let long_gone = |(since, _): &mut (Micros, QueueId)| again && *since + 10 * MINUTE < now;
        if let Some((_, id)) = self.host_mut(host).retired.pop_front_if(long_gone) {
            return id;
        }
        self.files += 1;
        // Inode numbers hop about; but for those that come again no two messages of one log share one.
        let inode = 0x10000 + (self.files.wrapping_mul(0x9e5) & 0xf_ffff) + (self.files >> 20 << 20);
        let (second, micro) = (self.now / SECOND, self.now % SECOND);
        let mut id = String::with_capacity(18);
        if self.host(host).long_ids {
            base(&mut id, second, LONG, 6);
            base(&mut id, micro, LONG, 4);
            id.push('z');
            base(&mut id, inode, LONG.get(..51).unwrap_or(LONG), 1);
        } else {
            write!(id, "{micro:05X}{inode:X}").expect("writing to a string cannot fail");
        }
        id.into()
    }
}

/// So many queue ids are remembered.
const RETIRED_MAX: usize = 64;

/// The 52 characters of long queue ids (Postfix `src/global/mail_queue.h`); the last, `z`, is kept out of the inode part.
const LONG: &[u8] = b"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

fn base(out: &mut String, mut n: u64, digits: &[u8], width: usize) {
    let radix = digits.len() as u64;
    let mut text = Vec::with_capacity(12);
    while n > 0 || text.len() < width {
        text.push(digits.get((n % radix) as usize).copied().unwrap_or(b'0'));
        n /= radix;
    }
    out.extend(text.iter().rev().map(|&b| char::from(b)));
}
