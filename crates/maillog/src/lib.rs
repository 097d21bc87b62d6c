//! What does this line say? The grammar of the logs of Postfix, Dovecot and Cyrus SASL.
//!
//! Bytes of a line go in; a [`Record`] (the envelope) and an [`Event`] (the message) come out, both borrowing from the
//! line. No I/O, no state, no allocation on the way, linear time on any input.
//!
//! ```
//! let line = b"Jun 17 10:25:14 mail postfix/submission/smtpd[77]: warning: h.example[192.0.2.9]: SASL LOGIN authentication failed: UGFzc3dvcmQ6";
//! let record = maillog::record(line).unwrap();
//! let Some(maillog::Event::SaslFailed(failure)) = maillog::event(&record) else { panic!() };
//! assert_eq!(failure.client.address, b"192.0.2.9");
//! ```

mod client;
mod delivery;
mod dovecot;
mod envelope;
mod event;
mod level;
mod policy;
mod program;
mod queue;
mod queue_id;
mod redact;
mod sasl;
mod saslauthd;
mod scan;
mod service;
mod smtpd;
mod stamp;
mod tag;
mod unwrap;

pub use client::{Client, address};
pub use delivery::{Delivery, Timing, queued_as};
pub use dovecot::{DovecotAuth, DovecotLogin, LoginOutcome};
pub use envelope::{Record, Stamps, is_filler, lines_lost, looks_stamped, record};
pub use event::{Event, Gone};
pub use level::{Level, level};
pub use policy::Policy;
pub use program::{Glance, Program, event, glance, may_matter, program};
pub use queue_id::QueueId;
pub use redact::{REDACTED, redact, redact_line};
pub use sasl::{BackendTrouble, LoginName, SaslFailure};
pub use saslauthd::{PamFailure, SaslauthdFailure};
pub use smtpd::{Acceptance, Count, Counters, Limit, LimitKind, RawCounters, TlsEstablished};
pub use stamp::{Stamp, WallTime, days_from_civil, stamp};
pub use tag::Tag;
pub use unwrap::{journal_fields, unwrap};
