//! Which entries, and what about them? The field table, one flat [`Entry`] per log line, and the query language.
//!
//! Nothing else in the project lists the fields: JSON, CSV, masking, the names of the query language and the field reference
//! are derived from [`FIELDS`]. A [`Query`] is text first and last: it is read from text, prints as text that means the same,
//! and says in plain words how it was understood. It knows no store; stores read its [`Expr`].
//!
//! ```
//! use query::{Entry, Present, Query};
//!
//! let present = Present { zone: jiff::tz::TimeZone::UTC, now: "2026-06-17T12:00:00Z".parse().unwrap() };
//! let query = Query::parse("client:203.0.113.0/24 user:bob@* -mech:PLAIN", &present).unwrap();
//! let mut entry = Entry { client_ip: Some("203.0.113.9".into()), username: Some("Bob@example.org".into()), ..Entry::default() };
//! assert!(query.matches(&entry));
//! entry.mechanism = Some("plain".into());
//! assert!(!query.matches(&entry));
//! ```
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")
)]

mod entry;
mod error;
mod explain;
mod expr;
mod fields;
mod parse;
mod pattern;
mod present;
mod print;
mod query;
mod sight;
mod value;
mod vocabulary;

pub use entry::{describe, diagnosed, undescribed};
pub use error::{Problem, QueryError};
pub use expr::{Bound, Expr, IntRange, RealRange, Term, Test};
pub use fields::{Entry, FIELDS, Field, Kind, OwnedValue, TEXT, TS, Value, field};
pub use parse::{CHARACTERS_MAX, DEPTH_MAX, TERMS_MAX};
pub use pattern::{Glob, Phrase, fold};
pub use present::{Present, TimeError, rfc3339};
pub use query::Query;
pub use sight::Sight;
pub use value::nearest;
pub use vocabulary::Meant;
