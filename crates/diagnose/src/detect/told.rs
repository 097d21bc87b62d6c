//! What findings told so far mean for those that come after them: no source is told of twice, and an outage explains its failures.

use trace::Map;

use super::finding::{Finding, Kind};
use super::source::Source;

/// What has been told of already.
#[derive(Default)]
pub(crate) struct Told {
    /// Sources with a finding of their own: what they are.
    pub(crate) clients: Map<Source, Kind>,
    /// Times in which the backend was out.
    outages: Vec<(i64, i64)>,
}

impl Told {
    /// Notes the outages among the findings so far.
    pub(super) fn outages(found: &[Finding]) -> Self {
        let outages = found.iter().filter(|finding| matches!(finding.kind, Kind::BackendOutage | Kind::ConfigFault));
        let outages = outages.filter(|finding| finding.confidence > Finding::NO_MORE_THAN_POSSIBLE);
        Self { outages: outages.map(|finding| (finding.from, finding.to)).collect(), ..Self::default() }
    }

    /// Whether all of it was while the backend was out, or just before or after.
    pub(crate) fn was_out(&self, from: i64, to: i64) -> bool {
        const AROUND: i64 = 600 * 1_000_000;
        self.outages.iter().any(|(since, until)| since - AROUND <= from && to <= until + AROUND)
    }
}
