//! Why did it fail, is it an attack, what next?
//!
//! Outcomes of [`trace`] go in; a [`Diagnosis`] (class, cause, confidence) comes out for each, and a [`Tally`] of all of
//! them: who failed, for what, who got in later, and the findings a person should know. Knows no store and no screen.

mod cause;
mod causes;
mod class;
pub mod detect;
mod diagnosis;
mod dsn;
mod evidence;
pub mod fail2ban;
mod flow;
mod reason;
mod reasons;
mod tally;
mod verdict;
mod wordings;

pub use cause::{Cause, Check, Pattern, Place, Signature, With};
pub use causes::{all, by_id, of_words};
pub use class::Class;
pub use detect::{Detector, Finding, Incident, Kind, Proof};
pub use diagnosis::{Diagnoser, Diagnosis, line, refusal};
pub use dsn::{Decoded, Registered, StatusCode, registered};
pub use evidence::backend_line;
pub use flow::{
    Attempts, Count, Delays, Destination, Few, Flow, FlowOptions, HandedOn, Messages, ReasonRow, Recipients, RejectRow,
    SLOT, Sender, Series, Stage, Table, TlsShare, Totals, Trouble, Weigh, shape,
};
pub use reason::{Reason, Side, reasons};
pub use tally::{
    AccountTally, Accounts, ByName, ClientTally, Counts, Mailboxes, Recovered, Refused, RelayWhy, SentMessage, Tally,
    Timeline,
};
pub use verdict::Verdict;
