//! The commands that ask: options in, an answer on standard output, the exit code out.

pub(crate) mod bans;
pub(crate) mod blocklist;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod entries;
pub(crate) mod explain;
pub(crate) mod findings;
pub(crate) mod follow;
pub(crate) mod ingest;
pub(crate) mod questions;
pub(crate) mod rehearse;
pub(crate) mod reindex;
pub(crate) mod report;
pub(crate) mod serve;
pub(crate) mod subject;
pub(crate) mod trace;
pub(crate) mod triage;
pub(crate) mod user;
