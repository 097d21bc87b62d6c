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

mod anvil;
mod client;
mod contained;
mod content;
mod delivery;
mod dovecot;
mod dovecot_delivery;
mod envelope;
mod event;
mod heads;
mod level;
mod neighbour;
mod policy;
mod program;
mod queue;
mod queue_id;
mod redact;
mod remote;
mod sasl;
mod saslauthd;
mod scan;
mod screening;
mod service;
mod shape;
mod smtpd;
mod stamp;
mod tag;
mod unwrap;

pub use anvil::Peak;
pub use client::{Client, address, is_inside};
pub use content::ContentCheck;
pub use delivery::{Delivery, Timing, queued_as};
pub use dovecot::{DovecotAuth, DovecotLogin, LoginOutcome};
pub use dovecot_delivery::DovecotDelivery;
pub use envelope::{Record, Stamps, is_filler, lines_lost, looks_stamped, record};
pub use event::{Event, Gone};
pub use level::{Level, level};
pub use neighbour::{Examination, Examiner};
pub use policy::Policy;
pub use program::{Glance, Program, event, glance, may_matter, program};
pub use queue::{Pickup, QueueAction};
pub use queue_id::QueueId;
pub use redact::{REDACTED, holds_secret, quotes_client, redact, redact_line};
pub use remote::{Remote, RemoteKind, sasl_server};
pub use sasl::{BackendTrouble, LoginName, SaslFailure};
pub use saslauthd::{PamFailure, SaslauthdFailure};
pub use screening::{DnsListing, Screening};
pub use shape::{Shape, shape};
pub use smtpd::{Acceptance, Count, Counters, Limit, LimitKind, RawCounters, TlsEstablished, stranger_accepted};
pub use stamp::{Stamp, WallTime, days_from_civil, stamp};
pub use tag::Tag;
pub use unwrap::{journal_fields, unwrap};
