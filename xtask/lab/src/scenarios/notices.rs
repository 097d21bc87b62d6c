//! What Postfix tells senders besides "returned", and what else an admin can do to a queue file.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::fates::{fate, first_file, logged_in, notified, saw};
use super::{Scenario, scenario};
use crate::accounts::address;
use crate::command::wait_until;
use crate::foreign::{Foreign, Trade};
use crate::machine::{FOREIGN_MX, Machine, Setup};
use crate::queue_truth::{End, Origin, QueueFile, Status};

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "delay_notice_then_sent",
        "A message waits, its sender is told so, and it is delivered after all.",
        || Setup {
            postfix: vec![
                ("delay_warning_time", "1s"),
                ("bounce_template_file", "$config_directory/bounce"),
                ("minimal_backoff_time", "1s"),
                ("maximal_backoff_time", "1s"),
                ("queue_run_delay", "1s"),
            ],
            ..Setup::default()
        },
        delay_notice,
    ),
    scenario(
        "expired_by_postsuper",
        "An admin makes a message that is put off expire: it goes back to its sender at once.",
        Setup::default,
        expired_by_postsuper,
    ),
    scenario(
        "requeued_by_postsuper",
        "An admin puts a message that is put off through the queue again: it goes on under another queue id.",
        Setup::default,
        requeued_by_postsuper,
    ),
    scenario("success_notice", "A sender asks to be told of success, and is.", Setup::default, success_notice),
];

fn delay_notice(machine: &mut Machine) -> Result<()> {
    let foreign = Foreign::start(FOREIGN_MX, 25, Trade::Mail)?;
    let mut session = logged_in(machine, "alice")?;
    let receipt = session.mail(&address("alice"), &["slow@example.org"], fate(1, 0, 0))?;
    session.quit()?;
    wait_until("the message is delivered", Duration::from_secs(20), || !foreign.counts.mails().is_empty())?;
    machine.postfix().drain(0)?;
    saw(&foreign, [1, 0, 3])?;
    machine.truth().queue_file(first_file(&receipt, "alice")?.to("slow@example.org", Status::Sent, 4));
    notified(machine, "alice", receipt.queue_id()?)
}

fn expired_by_postsuper(machine: &mut Machine) -> Result<()> {
    let mut session = logged_in(machine, "bob")?;
    let receipt = session.mail(&address("bob"), &["friend@example.org", "carol@example.test"], fate(1, 0, 1))?;
    session.quit()?;
    let postfix = machine.postfix();
    postfix.drain(1)?;
    postfix.postsuper("-e", receipt.queue_id()?)?;
    postfix.flush()?;
    postfix.drain(0)?;
    ensure!(machine.arrived("carol")?.queue_ids == [receipt.queue_id()?], "carol got another message");
    let file = first_file(&receipt, "bob")?.to("friend@example.org", Status::Expired, 1);
    machine.truth().queue_file(file.sent("carol@example.test"));
    notified(machine, "bob", receipt.queue_id()?)
}

fn requeued_by_postsuper(machine: &mut Machine) -> Result<()> {
    let mut session = logged_in(machine, "alice")?;
    let receipt = session.mail(&address("alice"), &["friend@example.org"], fate(1, 0, 0))?;
    session.quit()?;
    let postfix = machine.postfix();
    postfix.drain(1)?;
    let foreign = Foreign::start(FOREIGN_MX, 25, Trade::Mail)?;
    postfix.postsuper("-r", receipt.queue_id()?)?;
    postfix.wake_pickup()?;
    wait_until("the message is delivered", Duration::from_secs(30), || !foreign.counts.mails().is_empty())?;
    postfix.drain(0)?;
    let mails = foreign.counts.mails();
    let id = mails.first().context("no mail")?.last_queue_id()?;
    if id == receipt.queue_id()? {
        bail!("{mails:?} kept its queue id");
    }
    let file = first_file(&receipt, "alice")?.end(End::Requeued);
    machine.truth().queue_file(file.to("friend@example.org", Status::Deferred, 1));
    let file = QueueFile::new(id, Origin::Requeued, &address("alice"), &receipt.message_id).parent(receipt.queue_id()?);
    machine.truth().queue_file(file.sent("friend@example.org"));
    Ok(())
}

fn success_notice(machine: &mut Machine) -> Result<()> {
    let mut session = logged_in(machine, "alice")?;
    session.ask_for("NOTIFY=SUCCESS");
    let receipt = session.mail(&address("alice"), &["bob@example.test", "carol@example.test"], fate(2, 0, 0))?;
    session.quit()?;
    machine.postfix().drain(0)?;
    ensure!(machine.arrived("bob")?.queue_ids == [receipt.queue_id()?], "bob got another message");
    machine.truth().queue_file(first_file(&receipt, "alice")?.sent("bob@example.test").sent("carol@example.test"));
    notified(machine, "alice", receipt.queue_id()?)
}
