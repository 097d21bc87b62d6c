//! What is written now: logs that grow, rotate and vanish, and streams.
//!
//! Input: paths and patterns, and how far each source was read before. Output: [`Batch`]es of whole lines with their places, each line
//! once, also over a restart, whatever rotation has done meanwhile: rename and create, copy and truncate, pack at once or later, dated
//! names, `postfix logrotate`.
//!
//! What is lost all the same: lines written between the copy and the truncation of `copytruncate`, for they stand in no file any more;
//! the same of a file that is emptied before its last lines were read; and lines written to a deleted file after it was closed.

mod batch;
mod config;
mod cut;
mod follower;
mod head;
mod known;
mod log;
mod members;
mod scan;
mod status;
mod tail;
mod text;
mod wake;

pub use batch::{Batch, FollowedLine, Position};
pub use config::{Begin, FollowConfig, Watch};
pub use follower::Follower;
pub use status::SourceStatus;
pub use wake::Stopper;

pub(crate) use head::Head;
pub(crate) use members::Naming;
