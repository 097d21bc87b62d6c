//! What a site says about itself: its thresholds, its own networks, who watches it, whom to leave out.

use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::source::Source;
use super::thresholds::Thresholds;

/// The section `[findings]` of the configuration file, or the options of the same names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Networks of one's own: offices, webmail, gateways. Never advised to be banned.
    pub own_networks: Vec<IpNet>,
    /// Where monitoring comes from: its failures are told of by no finding.
    pub monitoring: Vec<IpNet>,
    /// Sources that no finding is to tell of.
    pub ignored: Vec<IpNet>,
    /// The domain that login names without one belong to.
    pub default_domain: Option<String>,
    /// The figures that decide.
    pub thresholds: Arc<Thresholds>,
}

impl Settings {
    /// Whether findings leave a source out.
    #[must_use]
    pub fn leaves_out(&self, source: Source) -> bool {
        let within = |nets: &[IpNet]| nets.iter().any(|net| net.contains(&source.ip()));
        within(&self.ignored) || within(&self.monitoring)
    }

    /// Whether a ban of a source can never be advised: its own, private, or a gateway.
    #[must_use]
    pub fn protects(&self, source: Source) -> bool {
        source.is_inside() || self.own_networks.iter().any(|net| net.contains(&source.ip()))
    }
}
