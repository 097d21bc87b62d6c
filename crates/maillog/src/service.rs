//! The rest of Postfix: `master`, `postfix-script`, `anvil`, the helpers, and what any program of Postfix may say.
//!
//! Input: the message behind the process tag. Output: an [`Event`], or `None`.
//! Source of the wording: Postfix `src/master/`, `conf/postfix-script`, `src/global/mail_params.c`, `mail_conf.c`,
//! `src/util/dict.c`, `src/scache/scache.c`, `src/verify/verify.c`, `src/sendmail/sendmail.c`, `src/postdrop/postdrop.c`.

use crate::anvil::{is_statistics, peak};
use crate::event::Event;
use crate::level::{Level, level};
use crate::queue_id::prefix;
use crate::scan::{contains, split_once, word};
use crate::smtpd::process_exit;

/// What any program of Postfix may say: a table changed, defaults of an older release, its death.
pub(crate) fn common(text: &[u8]) -> Option<Event<'_>> {
    let (severity, rest) = level(text);
    match severity {
        Level::Fatal | Level::Panic => return Some(Event::Fatal(rest)),
        Level::Warning | Level::Error => return queue_warning(rest),
        Level::Info => {}
    }
    let starts = [
        "name_mask: ",
        "using backwards-compatible default setting ",
        "To disable backwards compatibility use ",
        "statistics: ",
        "open database ",
        "auto_clnt_",
        "dict_",
        "generic_checks: ",
    ];
    let known = starts.iter().any(|words| text.starts_with(words.as_bytes()))
        || contains(text, b" has changed -- restarting")
        || contains(text, b" has changed - finishing in the background")
        || contains(text, b": using backwards-compatible default setting ");
    known.then_some(Event::Other("note"))
}

/// `<queue id>: words`, behind `warning: `.
pub(crate) fn queue_warning(text: &[u8]) -> Option<Event<'_>> {
    let (before, words) = prefix(text)?;
    Some(Event::QueueWarning(before.queue_id()?, words))
}

/// `master`.
pub(crate) fn master(text: &[u8]) -> Option<Event<'_>> {
    let (severity, rest) = level(text);
    if let Some((pid, how)) = process_exit(rest) {
        return Some(Event::ProcessExit(pid, how));
    }
    if let Some((_, version)) = split_once(rest, b" -- version ") {
        return Some(Event::Started(word(version).0.strip_suffix(b",").unwrap_or(word(version).0)));
    }
    let trouble = contains(rest, b"throttling")
        || contains(rest, b"process limit")
        || contains(rest, b"to avoid this condition")
        || contains(rest, b"see http");
    if trouble {
        return Some(Event::ServiceTrouble(rest));
    }
    let known = ["terminating on signal ", "daemon started", "reload", "stopping", "to avoid "];
    if severity == Level::Warning || known.iter().any(|words| rest.starts_with(words.as_bytes())) {
        return Some(Event::Other("master"));
    }
    common(text)
}

/// `anvil`, `scache`, `verify`, `trivial-rewrite`, `proxymap`, `flush`, `showq`, the commands, ….
pub(crate) fn helper(text: &[u8]) -> Option<Event<'_>> {
    if let Some(found) = peak(text) {
        return Some(Event::Peak(found));
    }
    if is_statistics(text) {
        return Some(Event::Other("statistics"));
    }
    common(text).or_else(|| (level(text).0 != Level::Info || helper_note(text)).then_some(Event::Other("service_note")))
}

/// What the helpers say when all is well.
fn helper_note(text: &[u8]) -> bool {
    let starts = [
        // verify, postscreen, tlsmgr
        "cache ",
        "close database ",
        // postfix-script
        "starting the Postfix mail system",
        "stopping the Postfix mail system",
        "refreshing the Postfix mail system",
        "waiting for the Postfix mail system to terminate",
        "stopping the remaining",
        "the Postfix mail system is ",
        // set-permissions, post-install, postmulti
        "fixing ",
        "To set up ",
        // tlsmgr, tlsproxy
        "initializing ",
        "exiting to reopen external entropy source ",
        "SSL_accept:",
        // postalias, postmap, nbdb_reindexd, postlogd
        "successfully executed ",
        "reload ",
        "rotating ",
    ];
    starts.iter().any(|words| text.starts_with(words.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |parse: fn(&[u8]) -> Option<Event<'_>>, text: &str, expected: &str| {
            assert_eq!(parse(text.as_bytes()).map_or("unknown", |e| e.name()), expected, "{text}")
        };
        check(master, "warning: process /usr/lib/postfix/sbin/smtpd pid 13615 exit status 1", "process_exit");
        check(master, "warning: /usr/lib/postfix/sbin/smtpd: bad command startup -- throttling", "service_trouble");
        check(master, "daemon started -- version 3.7.11, configuration /etc/postfix", "started");
        check(master, "terminating on signal 15", "master");
        check(master, "fatal: bind 0.0.0.0 port 25: Address already in use", "fatal");
        check(master, "what is this", "unknown");
        check(helper, "statistics: max cache size 1 at Oct 26 18:13:50", "statistics");
        check(helper, "statistics: max message rate 5/60s for (smtp:192.0.2.1) at Oct 26 18:13:50", "anvil_peak");
        check(helper, "statistics: max simultaneous domains=1 addresses=1 connection=1", "statistics");
        check(helper, "statistics: domain lookup hits=0 miss=3 success=0%", "statistics");
        check(
            helper,
            "cache btree:/var/lib/postfix/verify_cache full cleanup: retained=3 dropped=1 entries",
            "service_note",
        );
        check(helper, "starting the Postfix mail system", "service_note");
        check(helper, "warning: symlink leaves directory: /etc/postfix/./makedefs.out", "service_note");
        check(helper, "warning: 0F5383D12: queue file size limit exceeded", "queue_warning");
        check(helper, "fatal: alice(1000): queue file write error", "fatal");
        check(helper, "table hash:/etc/postfix/transport(0,lock|fold_fix) has changed -- restarting", "note");
        check(helper, "what is this", "unknown");
        check(master, "/etc/postfix/master.cf: line 17: using backwards-compatible default setting chroot=y", "note");
        check(
            common,
            "warning: database /etc/postfix/virtual.db is older than source file /etc/postfix/virtual",
            "unknown",
        );
        assert_eq!(
            master(b"daemon started -- version 3.7.11, configuration /etc/postfix"),
            Some(Event::Started(b"3.7.11"))
        );
    }
}
