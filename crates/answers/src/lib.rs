//! What Postfix Insights is asked, above the store: log lines or a store go in, answers come out, as values, as JSON and as pages of text.
//!
//! The command line and the server ask here alone, so both give the same numbers in the same shapes. It knows no options, no exit codes and
//! no network, and prints nothing.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")
)]

mod asked;
pub mod bans;
pub mod blocklist;
pub mod check;
pub mod entries;
pub mod explain;
pub mod files;
pub mod findings;
pub mod follow;
pub mod formats;
pub mod ingest;
pub mod json;
pub mod mask;
pub mod memory;
mod names_in_text;
mod narrowed;
pub mod parquet;
pub mod questions;
pub mod questions_text;
mod ranking;
pub mod reading;
pub mod rehearse;
pub mod report;
pub mod report_html;
pub mod report_json;
pub mod report_page;
pub mod report_text;
pub mod report_time;
pub mod retention;
pub mod screen;
pub mod state;
pub mod status;
mod stored;
pub mod story;
pub mod story_json;
pub mod story_text;
pub mod stream;
pub mod subject;
pub mod subject_text;
pub mod times;
pub mod triage;
pub mod triage_text;
mod worth;
