//! A log full of distinct everything: memory stays within the limits, nothing takes long, and all is still told.
//!
//! A program of its own, so that its memory is the tracer's.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

use std::time::{Duration, Instant};

use trace::{Attempt, Limits, Line, Login, Refusal, Sink, Story, Tracer, Where};

/// Small limits, so that a bound that does not hold shows soon.
const LIMITS: Limits = Limits { sessions: 64, messages: 64, message_bytes: 1 << 20, names: 64, held: 64 };
/// Lines of each flood.
const FLOOD: u32 = 30_000;
/// What a flood may add to the process: one that is kept line by line would be several times as much.
const GROWTH_BYTES: usize = 2_500_000;

#[derive(Default)]
struct Sums {
    attempts: u64,
    logins: u64,
    refusals: u64,
    accepted: u64,
    messages: u64,
    evidence: usize,
}

impl Sink for Sums {
    fn attempt(&mut self, attempt: &Attempt) {
        self.attempts += u64::from(attempt.count);
        self.evidence = self.evidence.max(attempt.evidence.len());
    }
    fn login(&mut self, login: &Login) {
        self.logins += u64::from(login.count);
    }
    fn refusal(&mut self, refusal: &Refusal) {
        self.refusals += u64::from(refusal.count);
    }
    fn message_accepted(&mut self, _: &Where, _: &[u8], _: Option<&[u8]>) {
        self.accepted += 1;
    }
    fn story(&mut self, _: &Story) {
        self.messages += 1;
    }
}

/// Resident bytes of this process, where the system tells.
fn resident() -> Option<usize> {
    let pages: usize = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// Feeds a flood, `step` microseconds between lines, and checks memory and time before the end lets anything go.
fn flood(what: &str, step: i64, line: impl Fn(u32) -> String) -> Sums {
    let (mut sums, mut tracer) = (Sums::default(), Tracer::new(LIMITS));
    let mut before = None;
    let started = Instant::now();
    for number in 0..FLOOD {
        if number == FLOOD / 10 {
            // What fixed-size windows take is taken by now.
            before = resident();
        }
        let text = line(number);
        let record = maillog::record(text.as_bytes()).unwrap();
        let event = maillog::event(&record).unwrap_or_else(|| panic!("not understood: {text}"));
        tracer.line(
            &Line { id: number.into(), time: i64::from(number) * step, record: &record, event: &event },
            &mut sums,
        );
    }
    if let (Some(before), Some(after)) = (before, resident()) {
        let grown = after.saturating_sub(before);
        assert!(grown < GROWTH_BYTES, "{what}: {grown} bytes more after {FLOOD} lines");
    }
    assert!(started.elapsed() < Duration::from_secs(60), "{what}: {:?}", started.elapsed());
    tracer.finish(&mut sums);
    sums
}

#[test]
fn floods_stay_within_bounds() {
    let at = "Jun 17 10:25:14";
    let ip = |n: u32| format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255);
    let all = u64::from(FLOOD);

    let sums = flood("connects of distinct processes", 10, |n| {
        format!("{at} mail postfix/smtpd[{n}]: connect from h[{}]", ip(n))
    });
    assert_eq!(sums.attempts, 0);
    // One at a time falls silent for ten minutes: room must not be searched for anew each time.
    flood("connects that fall silent", 20_000_000, |n| {
        format!("{at} mail postfix/smtpd[{n}]: connect from h[{}]", ip(n))
    });

    let failed = flood("failures of distinct hosts", 10, |n| {
        format!(
            "{at} m{n} postfix/smtpd[{n}]: warning: h[{}]: SASL PLAIN authentication failed: r{n}, sasl_username=u{n}",
            ip(n)
        )
    });
    assert_eq!(failed.attempts, all);

    let failed = flood("failures of distinct tags, names and mechanisms", 10, |n| {
        format!(
            "{at} mail postfix/t{n}/smtpd[1]: warning: h[2001:db8:{:x}::{n:x}]: SASL M{n} authentication failed: r{n}, sasl_username=u{n}",
            n & 0xffff
        )
    });
    assert_eq!(failed.attempts, all);

    let failed = flood("lost backends", 10, |n| {
        format!(
            "{at} mail postfix/smtpd[1]: warning: h[{}]: SASL PLAIN authentication failed: Connection lost to authentication server",
            ip(n)
        )
    });
    assert_eq!(failed.attempts, all);

    let refused = flood("refusals in one session", 10, |n| {
        format!(
            "{at} mail postfix/smtpd[1]: NOQUEUE: reject: RCPT from h[192.0.2.1]: 554 5.7.1 <u{n}@r>: Relay access denied; from=<a{n}@x> to=<u{n}@r> proto=ESMTP helo=<h{n}>"
        )
    });
    assert_eq!(refused.refusals, all);

    let backend = flood("backend trouble in one session", 10, |n| {
        format!("{at} mail postfix/smtpd[1]: warning: SASL authentication failure: detail {n}")
    });
    assert_eq!(backend.attempts, 0);
    flood("TLS trouble in one session", 10, |n| {
        format!("{at} mail postfix/smtpd[1]: warning: TLS library problem: error:{n}")
    });
    let tls = flood("TLS refusals in one session", 10, |n| {
        format!(
            "{at} mail postfix/smtpd[1]: warning: Wrapper-mode request dropped from h[192.0.2.1] for service s{n}. TLS context initialization failed"
        )
    });
    assert!(tls.attempts >= 1 && tls.evidence <= 64, "{} lines of evidence", tls.evidence);

    let verdicts = flood("verdicts of nobody's", 10, |n| {
        format!("{at} mail dovecot: auth: passwd-file(u{n},{}): Password mismatch, {n}", ip(n))
    });
    assert_eq!(verdicts.attempts, 0);
    flood("verdicts of saslauthd", 0, |n| {
        format!(
            "{at} mail saslauthd[6]: do_auth : auth failure: [user=u{n}] [service=smtp] [realm=r{n}] [mech=pam] [reason=PAM {n}]"
        )
    });

    let sent = flood("messages without an end", 10, |n| {
        format!(
            "{at} mail postfix/smtpd[{}]: {n:06X}: client=h[{}], sasl_method=PLAIN, sasl_username=u{n}",
            n % 50,
            ip(n)
        )
    });
    assert_eq!((sent.accepted, sent.messages), (all, all));
    flood("copies of filters", 10, |n| format!("{at} mail postfix/smtpd[7]: {n:06X}: client=localhost[127.0.0.1]"));
    flood("deliveries of one copy", 10, |n| {
        if n == 0 {
            format!("{at} mail postfix/smtpd[7]: AAAAAA: client=localhost[127.0.0.1]")
        } else {
            format!(
                "{at} mail postfix/smtp[8]: AAAAAA: to=<u{n}@r>, relay=none, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (x)"
            )
        }
    });
    flood("legs of one message", 10, |n| match n {
        0 => format!("{at} mail postfix/smtpd[7]: AAAAAA: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=u"),
        n => format!(
            "{at} mail postfix/smtpd[8]: {n:06X}: client=localhost[127.0.0.1], orig_queue_id=AAAAAA, orig_client=h[192.0.2.1]"
        ),
    });
    let reused = flood("one queue id again and again", 10, |n| {
        format!("{at} mail postfix/smtpd[{n}]: AAAAAA: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=u{n}")
    });
    assert_eq!((reused.accepted, reused.messages), (all, all));
}

/// Outcomes that crowded-out sessions had are told all the same.
#[test]
fn crowded_out_sessions_are_told() {
    let (mut sums, mut tracer) =
        (Sums::default(), Tracer::new(Limits { sessions: 4, messages: 4, message_bytes: 1 << 20, names: 4, held: 4 }));
    for number in 0..1000u32 {
        for text in [
            "connect from h[192.0.2.1]",
            "warning: h[192.0.2.1]: SASL PLAIN authentication failed: x",
            "NOQUEUE: reject: RCPT from h[192.0.2.1]: 554 5.7.1 <u@r>: Relay access denied; from=<a> to=<u@r> proto=ESMTP helo=<h>",
            "lost connection after AUTH from h[192.0.2.1]",
        ] {
            let line = format!("Jun 17 10:25:14 mail postfix/smtpd[{number}]: {text}");
            let record = maillog::record(line.as_bytes()).unwrap();
            let event = maillog::event(&record).unwrap();
            tracer.line(&Line { id: number.into(), time: number.into(), record: &record, event: &event }, &mut sums);
        }
    }
    tracer.finish(&mut sums);
    assert_eq!((sums.attempts, sums.refusals), (1000, 1000));
}

/// Limits of nothing are no reason to fail.
#[test]
fn no_room_at_all() {
    let (mut sums, mut tracer) =
        (Sums::default(), Tracer::new(Limits { sessions: 0, messages: 0, message_bytes: 0, names: 0, held: 0 }));
    for text in [
        "connect from h[192.0.2.1]",
        "warning: h[192.0.2.1]: SASL PLAIN authentication failed: x",
        "AAAAAA: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=u",
        "disconnect from h[192.0.2.1] auth=1/2 commands=1/2",
    ] {
        let line = format!("Jun 17 10:25:14 mail postfix/smtpd[1]: {text}");
        let record = maillog::record(line.as_bytes()).unwrap();
        let event = maillog::event(&record).unwrap();
        tracer.line(&Line { id: 1, time: 1, record: &record, event: &event }, &mut sums);
    }
    tracer.finish(&mut sums);
    assert_eq!((sums.attempts, sums.logins, sums.messages), (1, 1, 1));
}
