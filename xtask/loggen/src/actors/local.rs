//! Programs on the hosts themselves that send mail with the `sendmail` command: cron jobs, web forms.

use crate::message::{Letter, Message};
use crate::world::{Actor, Daemon, Next, World};

/// One message from some host.
pub(crate) struct LocalMail;

impl Actor for LocalMail {
    fn step(&mut self, world: &mut World) -> Next {
        let host = world.any_host();
        let (uid, user) = if world.rng.chance(600) { (0, "root") } else { (33, "www-data") };
        let id = world.queue_id(host);
        world.say(host, Daemon::Pickup, format_args!("{id}: uid={uid} from=<{user}>"));
        let sender = format!("{user}@{}.example.test", world.host(host).name);
        let letter = Letter::local(world, &sender);
        Message::spawn(world, host, id, letter);
        Next::Done
    }
}
