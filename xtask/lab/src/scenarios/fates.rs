//! What becomes of messages: sent, refused, returned, put off, tried again, given up, held, deleted.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Scenario, scenario};
use crate::accounts::{address, password};
use crate::command::wait_until;
use crate::foreign::{Foreign, Trade};
use crate::login::{Expected, Login};
use crate::machine::{FOREIGN_MX, Machine, OTHER_MX, Setup};
use crate::policy_service::Greylister;
use crate::queue_truth::{End, Origin, QueueFile, Status};
use crate::service::{SMTPD, SUBMISSION};
use crate::session::{Receipt, Session};
use crate::truth::Fate;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "several_recipients",
        "One message to five people: one is refused at once, one returned by another server, one put off there.",
        Setup::default,
        several_recipients,
    ),
    scenario(
        "local_bounce",
        "Mail for local users who do not exist is returned; a notification for one is returned to nobody.",
        Setup::default,
        local_bounce,
    ),
    scenario(
        "deferred_then_sent",
        "One server greylists, another one is down: both messages are put off, tried again, and delivered.",
        Setup::default,
        deferred_then_sent,
    ),
    scenario(
        "deferred_then_expired",
        "A mailbox elsewhere stays busy until the message is too old and goes back to its sender.",
        impatient,
        deferred_then_expired,
    ),
    scenario(
        "held_and_released",
        "A header check puts two messages on hold, postsuper another one; two of them are released.",
        || Setup { postfix: vec![("header_checks", "regexp:$config_directory/holds")], ..Setup::default() },
        held_and_released,
    ),
    scenario(
        "deleted_by_postsuper",
        "An admin deletes a message that is put off and one that is on hold (long queue ids).",
        || Setup {
            postfix: vec![("header_checks", "regexp:$config_directory/holds"), ("enable_long_queue_ids", "yes")],
            ..Setup::default()
        },
        deleted,
    ),
    scenario(
        "greylisted_by_policy_service",
        "A policy service puts off two recipients of a stranger; the second try is delivered.",
        || Setup {
            postfix: vec![(
                "smtpd_recipient_restrictions",
                "permit_mynetworks, reject_unauth_destination, check_policy_service inet:127.0.0.1:10031",
            )],
            ..Setup::default()
        },
        greylisted,
    ),
];

/// Old after seconds, and tried every second.
fn impatient() -> Setup {
    let postfix = vec![
        ("maximal_queue_lifetime", "4s"),
        ("bounce_queue_lifetime", "4s"),
        ("minimal_backoff_time", "1s"),
        ("maximal_backoff_time", "1s"),
        ("queue_run_delay", "1s"),
    ];
    Setup { postfix, ..Setup::default() }
}

/// What a user's messages are to come to.
pub(super) fn fate(sent: u32, deferred: u32, bounced: u32) -> Fate {
    Fate { sent, deferred, bounced }
}

/// A session of a user who has logged in.
pub(super) fn logged_in(machine: &Machine, user: &str) -> Result<Session> {
    let mut session = machine.client("203.0.113.20")?.open(SUBMISSION)?;
    session.login(Login::plain(&address(user), &password(user)), Expected::ok())?;
    Ok(session)
}

/// The queue file that a user's message began as.
pub(super) fn first_file(receipt: &Receipt, user: &str) -> Result<QueueFile> {
    Ok(QueueFile::new(receipt.queue_id()?, Origin::Client, &address(user), &receipt.message_id))
}

/// Writes down the notification in somebody's mailbox, and insists that it is about that message.
pub(super) fn notified(machine: &Machine, user: &str, about: &str) -> Result<()> {
    let mails = machine.all_arrived(user)?;
    let notice = mails.into_iter().find(|mail| mail.about.as_deref() == Some(about));
    let notice = notice.with_context(|| format!("{user} got no notification about {about}"))?;
    let file = QueueFile::new(notice.last_queue_id()?, Origin::Notification, "", &notice.message_id);
    machine.truth().queue_file(file.parent(about).sent(&address(user)));
    Ok(())
}

/// Insists that a server took, refused and put off so many recipients.
pub(super) fn saw(server: &Foreign, expected: [u32; 3]) -> Result<()> {
    let counts = &server.counts;
    let seen = [&counts.taken, &counts.refused, &counts.put_off].map(|n| n.load(Ordering::SeqCst));
    ensure!(seen == expected, "the foreign server saw {seen:?}, not {expected:?}");
    Ok(())
}

/// Insists that such messages, and no others, are in that queue.
fn in_queue(machine: &Machine, name: &str, queue_ids: &[&str]) -> Result<()> {
    let waiting = machine.postfix().queue()?;
    let mut found: Vec<&str> = waiting.iter().filter(|w| w.queue_name == name).map(|w| w.queue_id.as_str()).collect();
    let mut wanted = queue_ids.to_vec();
    found.sort_unstable();
    wanted.sort_unstable();
    ensure!(found == wanted, "{name} holds {found:?}, not {wanted:?}");
    Ok(())
}

fn several_recipients(machine: &mut Machine) -> Result<()> {
    let foreign = Foreign::start(FOREIGN_MX, 25, Trade::Mail)?;
    let mut session = logged_in(machine, "alice")?;
    // A recipient that is refused at once gets into no queue; the client leaves it out and begins anew.
    session.command("MAIL FROM:<alice@example.test>", 250)?;
    session.command("RCPT TO:<not-here@example.test>", 550)?;
    machine.truth().rejects(1);
    session.command("RSET", 250)?;
    let to =
        ["bob@example.test", "friend@example.org", "nobody@example.org", "later@example.org", "carol@example.test"];
    let receipt = session.mail(&address("alice"), &to, fate(3, 1, 1))?;
    session.quit()?;
    machine.postfix().drain(1)?;
    saw(&foreign, [1, 1, 1])?;
    let id = receipt.queue_id()?;
    for user in ["bob", "carol"] {
        ensure!(machine.arrived(user)?.queue_ids == [id], "{user} got another message");
    }
    in_queue(machine, "deferred", &[id])?;
    let file = first_file(&receipt, "alice")?.sent("bob@example.test").sent("carol@example.test");
    let file = file.sent("friend@example.org").to("nobody@example.org", Status::Bounced, 1);
    machine.truth().queue_file(file.to("later@example.org", Status::Deferred, 1).end(End::Queued));
    notified(machine, "alice", id)
}

fn local_bounce(machine: &mut Machine) -> Result<()> {
    let mut session = logged_in(machine, "alice")?;
    let to = ["no-such-user@mail.example.test", "bob@example.test"];
    let receipt = session.mail(&address("alice"), &to, fate(1, 0, 1))?;
    session.quit()?;
    let mut session = machine.client("198.51.100.60")?.open(SMTPD)?;
    let unwanted = session.mail("", &["nor-this-one@mail.example.test"], fate(0, 0, 1))?;
    session.quit()?;
    machine.postfix().drain(0)?;
    ensure!(machine.arrived("bob")?.queue_ids == [receipt.queue_id()?], "bob got another message");
    let file = first_file(&receipt, "alice")?.to("no-such-user@mail.example.test", Status::Bounced, 1);
    machine.truth().queue_file(file.sent("bob@example.test"));
    let file = QueueFile::new(unwanted.queue_id()?, Origin::Client, "", &unwanted.message_id);
    machine.truth().queue_file(file.to("nor-this-one@mail.example.test", Status::Bounced, 1));
    notified(machine, "alice", receipt.queue_id()?)
}

fn deferred_then_sent(machine: &mut Machine) -> Result<()> {
    let greylists = Foreign::start(FOREIGN_MX, 25, Trade::Mail)?;
    let mut session = logged_in(machine, "alice")?;
    let grey = session.mail(&address("alice"), &["grey@example.org", "friend@example.org"], fate(2, 0, 0))?;
    let down = session.mail(&address("alice"), &["friend@example.net"], fate(1, 0, 0))?;
    session.quit()?;
    machine.postfix().drain(2)?;
    saw(&greylists, [1, 0, 1])?;
    in_queue(machine, "deferred", &[grey.queue_id()?, down.queue_id()?])?;
    let was_down = Foreign::start(OTHER_MX, 25, Trade::Mail)?;
    machine.postfix().flush()?;
    machine.postfix().drain(0)?;
    saw(&greylists, [2, 0, 1])?;
    saw(&was_down, [1, 0, 0])?;
    for (server, receipt, times) in [(&greylists, &grey, 2), (&was_down, &down, 1)] {
        let mails = server.counts.mails();
        let ours = mails.iter().all(|mail| mail.message_id == receipt.message_id);
        ensure!(ours && mails.len() == times, "the foreign server took {mails:?}");
    }
    let file = first_file(&grey, "alice")?.to("grey@example.org", Status::Sent, 2);
    machine.truth().queue_file(file.sent("friend@example.org"));
    machine.truth().queue_file(first_file(&down, "alice")?.to("friend@example.net", Status::Sent, 2));
    Ok(())
}

fn deferred_then_expired(machine: &mut Machine) -> Result<()> {
    let foreign = Foreign::start(FOREIGN_MX, 25, Trade::Mail)?;
    let mut session = logged_in(machine, "bob")?;
    let receipt = session.mail(&address("bob"), &["later@example.org", "friend@example.org"], fate(1, 0, 1))?;
    session.quit()?;
    wait_until("the message is returned", Duration::from_secs(30), || machine.mailbox("bob") == 1)?;
    machine.postfix().drain(0)?;
    let tries = foreign.counts.put_off.load(Ordering::SeqCst);
    ensure!(tries >= 2, "only {tries} tries before the end");
    saw(&foreign, [1, 0, tries])?;
    let file = first_file(&receipt, "bob")?.to("later@example.org", Status::Expired, tries);
    machine.truth().queue_file(file.sent("friend@example.org"));
    notified(machine, "bob", receipt.queue_id()?)
}

fn held_and_released(machine: &mut Machine) -> Result<()> {
    let mut session = logged_in(machine, "alice")?;
    let alice = address("alice");
    let released = session.mail_about("hold", &alice, &["bob@example.test"], fate(1, 0, 0))?;
    let kept = session.mail_about("hold", &alice, &["bob@example.test"], fate(0, 1, 0))?;
    let put_off = session.mail(&alice, &["friend@example.org"], fate(1, 0, 0))?;
    session.quit()?;
    let postfix = machine.postfix();
    postfix.drain(1)?;
    in_queue(machine, "hold", &[released.queue_id()?, kept.queue_id()?])?;
    postfix.postsuper("-h", put_off.queue_id()?)?;
    postfix.drain(0)?;
    in_queue(machine, "hold", &[released.queue_id()?, kept.queue_id()?, put_off.queue_id()?])?;
    let foreign = Foreign::start(FOREIGN_MX, 25, Trade::Mail)?;
    postfix.postsuper("-H", released.queue_id()?)?;
    postfix.postsuper("-H", put_off.queue_id()?)?;
    postfix.flush()?;
    postfix.drain(0)?;
    saw(&foreign, [1, 0, 0])?;
    in_queue(machine, "hold", &[kept.queue_id()?])?;
    ensure!(machine.arrived("bob")?.message_id == released.message_id, "bob got another message");
    machine.truth().queue_file(first_file(&released, "alice")?.sent("bob@example.test"));
    let file = first_file(&kept, "alice")?.never_active().end(End::Held);
    machine.truth().queue_file(file.to("bob@example.test", Status::Untried, 0));
    machine.truth().queue_file(first_file(&put_off, "alice")?.to("friend@example.org", Status::Sent, 2));
    Ok(())
}

fn deleted(machine: &mut Machine) -> Result<()> {
    let mut session = logged_in(machine, "alice")?;
    let alice = address("alice");
    let held = session.mail_about("hold", &alice, &["bob@example.test"], fate(0, 1, 0))?;
    let put_off = session.mail(&alice, &["friend@example.org", "carol@example.test"], fate(1, 1, 0))?;
    session.quit()?;
    let postfix = machine.postfix();
    postfix.drain(1)?;
    for receipt in [&held, &put_off] {
        postfix.postsuper("-d", receipt.queue_id()?)?;
    }
    postfix.drain(0)?;
    ensure!(postfix.queue()?.is_empty(), "the queue is not empty");
    ensure!(machine.mailbox("bob") == 0, "bob got the message that was held");
    let file = first_file(&held, "alice")?.never_active().end(End::Deleted);
    machine.truth().queue_file(file.to("bob@example.test", Status::Untried, 0));
    let file = first_file(&put_off, "alice")?.to("friend@example.org", Status::Deferred, 1).end(End::Deleted);
    machine.truth().queue_file(file.sent("carol@example.test"));
    Ok(())
}

fn greylisted(machine: &mut Machine) -> Result<()> {
    let service = Greylister::start()?;
    let stranger = machine.client("198.51.100.61")?.helo("mx.example.com");
    let to = ["alice@example.test", "bob@example.test"];
    let mut session = stranger.open(SMTPD)?;
    session.command("MAIL FROM:<news@example.com>", 250)?;
    for to in to {
        session.command(format!("RCPT TO:<{to}>"), 450)?;
        machine.truth().rejects(1);
    }
    session.quit()?;
    let mut session = stranger.open(SMTPD)?;
    let receipt = session.mail("news@example.com", &to, fate(2, 0, 0))?;
    session.quit()?;
    machine.postfix().drain(0)?;
    ensure!(service.put_off() == 2, "the policy service put off {}", service.put_off());
    ensure!(machine.arrived("bob")?.queue_ids == [receipt.queue_id()?], "bob got another message");
    let file = QueueFile::new(receipt.queue_id()?, Origin::Client, "news@example.com", &receipt.message_id);
    machine.truth().queue_file(file.sent("alice@example.test").sent("bob@example.test"));
    Ok(())
}
