//! The ways of messages: aliases, content filters, LMTP, the `sendmail` command, a second Postfix.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Result, bail, ensure};

use super::fates::{fate, first_file, logged_in, notified, saw};
use super::{Scenario, scenario};
use crate::accounts::address;
use crate::arrival::Arrival;
use crate::daemons::dovecot::Dovecot;
use crate::daemons::syslog;
use crate::foreign::{Foreign, Trade};
use crate::machine::{FOREIGN_MX, Machine, Setup};
use crate::queue_truth::{Origin, QueueFile, Status};
use crate::service::SMTPD;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "alias_and_forward",
        "An address that stands for two people in the same message, a local alias that makes a new one, and sendmail.",
        || Setup {
            postfix: vec![
                ("virtual_alias_maps", "texthash:$config_directory/virtual"),
                ("alias_maps", "texthash:$config_directory/aliases"),
            ],
            ..Setup::default()
        },
        alias_and_forward,
    ),
    scenario(
        "filter_reinjects",
        "A content filter hands each message back under another queue id, with XFORWARD (long queue ids).",
        || Setup {
            postfix: vec![
                ("content_filter", "smtp:[127.0.0.1]:10024"),
                ("smtp_send_xforward_command", "yes"),
                ("enable_long_queue_ids", "yes"),
            ],
            ..Setup::default()
        },
        filter_reinjects,
    ),
    scenario(
        "before_queue_filter",
        "A filter before the queue passes one message and refuses another one.",
        || Setup { postfix: vec![("smtpd_proxy_filter", "127.0.0.1:10024")], ..Setup::default() },
        before_queue_filter,
    ),
    scenario(
        "lmtp_to_dovecot",
        "Postfix delivers to Dovecot by LMTP; one of the mailboxes is unknown there.",
        || Setup {
            dovecot: Some(Dovecot { lmtp: true, ..Dovecot::default() }),
            postfix: vec![
                ("virtual_transport", "lmtp:unix:private/dovecot-lmtp"),
                ("virtual_mailbox_maps", "static:all"),
            ],
            ..Setup::default()
        },
        lmtp_to_dovecot,
    ),
    scenario(
        "second_instance_relays",
        "Mail to another domain goes through a second Postfix instance that logs into the same file.",
        through_second,
        second_instance,
    ),
    scenario(
        "second_host_relays",
        "The same where the second Postfix is another host, whose log is in the same file.",
        through_second,
        second_host,
    ),
];

fn alias_and_forward(machine: &mut Machine) -> Result<()> {
    let foreign = Foreign::start(FOREIGN_MX, 25, Trade::Mail)?;
    let mut session = logged_in(machine, "dave")?;
    let sales = session.mail(&address("dave"), &["sales@example.test"], fate(2, 0, 0))?;
    let team = session.mail(&address("dave"), &["team@mail.example.test"], fate(1, 0, 0))?;
    session.quit()?;
    let from_cron = "<cron.1@mail.example.test>";
    machine.postfix().sendmail("erin@example.test", "heidi@example.test", from_cron)?;
    machine.postfix().drain(0)?;
    saw(&foreign, [1, 0, 0])?;
    ensure!(machine.arrived("carol")?.queue_ids == [sales.queue_id()?], "carol got another message");
    let (alice, bob, heidi) = (machine.arrived("alice")?, machine.arrived("bob")?, machine.arrived("heidi")?);
    ensure!(alice.queue_ids == bob.queue_ids && alice.message_id == team.message_id, "the team got {alice:?}");
    let [first, forwarded] = alice.queue_ids.as_slice() else {
        bail!("{alice:?} was not forwarded");
    };
    ensure!(first == team.queue_id()?, "{alice:?} is another message");
    let file = first_file(&sales, "dave")?.sent_for("carol@example.test", "sales@example.test");
    machine.truth().queue_file(file.sent_for("friend@example.org", "sales@example.test"));
    machine.truth().queue_file(first_file(&team, "dave")?.sent("team@mail.example.test"));
    let file = QueueFile::new(forwarded, Origin::Forward, &address("dave"), &team.message_id).parent(first);
    let file = file.sent_for("alice@example.test", "team@mail.example.test");
    machine.truth().queue_file(file.sent_for("bob@example.test", "team@mail.example.test"));
    ensure!(heidi.message_id == from_cron, "heidi got {heidi:?}");
    let file = QueueFile::new(heidi.last_queue_id()?, Origin::Local, "erin@example.test", from_cron);
    machine.truth().queue_file(file.sent("heidi@example.test"));
    Ok(())
}

fn filter_reinjects(machine: &mut Machine) -> Result<()> {
    let foreign = Foreign::start(FOREIGN_MX, 25, Trade::Mail)?;
    let filter = Foreign::start(Ipv4Addr::LOCALHOST, 10024, Trade::Filter)?;
    let mut session = logged_in(machine, "bob")?;
    let to = ["carol@example.test", "friend@example.org", "nobody@example.org"];
    let receipt = session.mail(&address("bob"), &to, fate(2, 0, 1))?;
    let spam = session.mail_about("spam", &address("bob"), &["dave@example.test"], fate(0, 0, 1))?;
    session.quit()?;
    machine.postfix().drain(0)?;
    saw(&foreign, [1, 1, 0])?;
    saw(&filter, [4, 0, 0])?;
    let carol = machine.arrived("carol")?;
    let [first, second] = carol.queue_ids.as_slice() else {
        bail!("{carol:?} did not pass the filter");
    };
    ensure!(first == receipt.queue_id()? && carol.message_id == receipt.message_id, "carol got {carol:?}");
    let file = to.iter().fold(first_file(&receipt, "bob")?, |file, to| file.sent(to));
    machine.truth().queue_file(file);
    let file = QueueFile::new(second, Origin::Filter, &address("bob"), &receipt.message_id).parent(first);
    let file = file.sent("carol@example.test").sent("friend@example.org");
    machine.truth().queue_file(file.to("nobody@example.org", Status::Bounced, 1));
    machine.truth().queue_file(first_file(&spam, "bob")?.to("dave@example.test", Status::Bounced, 1));
    // Notifications pass no content filter (`internal_mail_filter_classes` is empty).
    notified(machine, "bob", second)?;
    notified(machine, "bob", spam.queue_id()?)
}

fn before_queue_filter(machine: &mut Machine) -> Result<()> {
    let filter = Foreign::start(Ipv4Addr::LOCALHOST, 10024, Trade::Filter)?;
    let stranger = machine.client("198.51.100.62")?.helo("mx.example.com");
    let mut session = stranger.open(SMTPD)?;
    let to = ["alice@example.test", "bob@example.test"];
    let receipt = session.mail("news@example.com", &to, fate(2, 0, 0))?;
    session.refused_mail("spam", "spam@example.com", &["alice@example.test"], 554)?;
    machine.truth().rejects(1);
    session.quit()?;
    machine.postfix().drain(0)?;
    saw(&filter, [3, 0, 0])?;
    let alice = machine.arrived("alice")?;
    ensure!(alice.last_queue_id()? == receipt.queue_id()?, "alice got {alice:?}");
    let file = QueueFile::new(receipt.queue_id()?, Origin::Filter, "news@example.com", &receipt.message_id);
    machine.truth().queue_file(file.sent("alice@example.test").sent("bob@example.test"));
    Ok(())
}

fn lmtp_to_dovecot(machine: &mut Machine) -> Result<()> {
    let mut session = logged_in(machine, "alice")?;
    let to = ["bob@example.test", "ghost@example.test", "carol@example.test"];
    let receipt = session.mail(&address("alice"), &to, fate(2, 0, 1))?;
    session.quit()?;
    machine.postfix().drain(0)?;
    for user in ["bob", "carol"] {
        ensure!(machine.arrived(user)?.queue_ids == [receipt.queue_id()?], "{user} got another message");
    }
    let file = first_file(&receipt, "alice")?.sent("bob@example.test").sent("carol@example.test");
    machine.truth().queue_file(file.to("ghost@example.test", Status::Bounced, 1));
    notified(machine, "alice", receipt.queue_id()?)
}

fn through_second() -> Setup {
    Setup { postfix: vec![("transport_maps", "inline:{example.org=smtp:[192.0.2.26]}")], ..Setup::default() }
}

fn second_instance(machine: &mut Machine) -> Result<()> {
    relayed(machine, ("postfix-out", "mail"), None)
}

fn second_host(machine: &mut Machine) -> Result<()> {
    relayed(machine, ("postfix", syslog::SECOND_HOST), Some(&syslog::second_socket()))
}

/// Two messages of a user: one goes on through the second Postfix, of the other one a part stays here.
fn relayed(machine: &mut Machine, (instance, host): (&str, &str), log: Option<&Path>) -> Result<()> {
    machine.start_relay(instance, log)?;
    let foreign = Foreign::start(FOREIGN_MX, 25, Trade::Mail)?;
    let mut session = logged_in(machine, "alice")?;
    let both = session.mail(&address("alice"), &["friend@example.org", "bob@example.test"], fate(2, 0, 0))?;
    let refused = session.mail(&address("alice"), &["nobody@example.org"], fate(0, 0, 1))?;
    session.quit()?;
    machine.postfix().drain(0)?;
    machine.relay()?.drain()?;
    machine.postfix().drain(0)?;
    saw(&foreign, [1, 1, 0])?;
    let there = |id: &str, origin, sender: &str, message_id: &str| {
        QueueFile::new(id, origin, sender, message_id).on(instance, host)
    };
    let mails = foreign.counts.mails();
    let [Arrival { queue_ids, message_id, .. }] = mails.as_slice() else {
        bail!("the foreign server took {mails:?}");
    };
    let [first, second] = queue_ids.as_slice() else {
        bail!("{queue_ids:?} are not two machines");
    };
    ensure!(first == both.queue_id()? && *message_id == both.message_id, "the foreign server took another message");
    machine.truth().queue_file(first_file(&both, "alice")?.sent("bob@example.test").sent("friend@example.org"));
    let file = there(second, Origin::Hop, &address("alice"), message_id).parent(first);
    machine.truth().queue_file(file.sent("friend@example.org"));
    // Of the message that is refused, the second machine's queue id is known by its notification.
    let notice = machine.arrived("alice")?;
    let (Some(about), [written, relayed]) = (&notice.about, notice.queue_ids.as_slice()) else {
        bail!("alice got {notice:?}");
    };
    machine.truth().queue_file(first_file(&refused, "alice")?.sent("nobody@example.org"));
    let file = there(about, Origin::Hop, &address("alice"), &refused.message_id).parent(refused.queue_id()?);
    machine.truth().queue_file(file.to("nobody@example.org", Status::Bounced, 1));
    let file = there(written, Origin::Notification, "", &notice.message_id).parent(about);
    machine.truth().queue_file(file.sent("alice@example.test"));
    let file = QueueFile::new(relayed, Origin::Hop, "", &notice.message_id).parent(written);
    machine.truth().queue_file(file.sent("alice@example.test"));
    Ok(())
}
