//! Everybody who makes the server write: one module for each kind, each a small state machine.
//!
//! Most of them only decide who tries what and when, and leave the session itself to [`play`].

pub(crate) mod backend;
pub(crate) mod bots;
pub(crate) mod director;
pub(crate) mod guesser;
pub(crate) mod inbound;
pub(crate) mod local;
pub(crate) mod mailbox;
pub(crate) mod noise;
pub(crate) mod play;
pub(crate) mod sprayer;
pub(crate) mod stale;
pub(crate) mod swarm;
pub(crate) mod user;
