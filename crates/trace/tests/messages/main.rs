//! Made-up queues against what the tracer tells of them: every queue file, and the stories of all mail.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

mod bounds;
mod orders;
mod play;
mod rows;
mod world;
