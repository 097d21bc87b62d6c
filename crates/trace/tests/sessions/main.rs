//! Sessions made up by rule, read in any order: every order tells the same, and the counts are those of a slow reader.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

mod interleaving;
mod joins;
mod model;
mod sink;
mod unframed;
mod world;
