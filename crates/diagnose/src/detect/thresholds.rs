//! The figures by which findings are decided: one table, with a default and a meaning each.
//!
//! A site's own figures go in by name, [`Thresholds`] come out; the manual's table is printed from the same rows.

use serde::{Deserialize, Serialize};

/// A row of the table, for the manual and for what is printed with a verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// The name in the configuration.
    pub name: &'static str,
    /// The default.
    pub default: u32,
    /// The unit it counts in.
    pub unit: &'static str,
    /// What it decides.
    pub meaning: &'static str,
}

macro_rules! thresholds {
    ($($name:ident = $default:literal $unit:literal, $meaning:literal;)*) => {
        /// The figures by which findings are decided.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Thresholds { $(#[doc = $meaning] pub $name: u32,)* }

        impl Default for Thresholds {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Thresholds {
            /// Every row, in the order of the manual.
            pub const TABLE: &'static [Threshold] = &[$(Threshold {
                name: stringify!($name), default: $default, unit: $unit, meaning: $meaning,
            },)*];

            /// A figure by its name; 0 for a name that is none.
            #[must_use]
            pub fn get(&self, name: &str) -> u32 {
                match name { $(stringify!($name) => self.$name,)* _ => 0 }
            }

            /// Sets a figure by its name; a name that is none changes nothing.
            pub fn set(&mut self, name: &str, figure: u32) {
                match name { $(stringify!($name) => self.$name = figure,)* _ => {} }
            }
        }
    };
}

thresholds! {
    guess_tries = 10 "failures", "so many failures of one source that never got in are told as guessing";
    spray_names = 5 "names", "so many names tried by one source are no typing errors";
    spray_tries_per_name = 5 "failures", "up to so many tries for each name are spraying, more are guessing";
    ban_tries = 20 "failures", "a source that tries few names is to be banned only after so many failures";
    ban_strange_names = 5 "names", "names that never logged in, of one source: from so many on no user is behind it";
    fast_per_minute = 12 "failures", "so many failures within a minute are no device";
    fast_per_ten_minutes = 40 "failures", "so many failures within ten minutes are no device";
    distributed_clients = 10 "sources", "so many sources that failed with one account and never logged in as it are a distributed attack";
    campaign_clients = 20 "sources", "so many sources of a few tries each, with names that never log in, are one campaign";
    campaign_pause = 72 "hours", "a campaign that is silent for longer is another one afterwards";
    network_clients = 5 "sources", "so many sources of one /24 or /48 that try a few times each are one attack";
    stale_tries = 5 "failures", "so many failures with one account that is in use are told as a device with an old password";
    stale_period = 90 "seconds", "devices come back at regular times that are at least so far apart";
    office_accounts = 2 "accounts", "so many accounts that log in from one source are an office";
    office_tries = 3 "failures", "an office is told of from so many failures on";
    takeover_tries = 5 "failures", "fewer failures before a login are an everyday matter";
    takeover_burst = 20 "messages", "so many messages within an hour of such a login are a flood, if the account never sent as many";
    takeover_networks = 10 "networks", "so many networks new to an account within a day are not one traveller";
    outage_clients = 4 "sources", "so many sources that usually log in, all failing while nobody gets in, are an outage";
    outage_pause = 10 "minutes", "trouble of the backend after so long a pause is another outage";
    gateway_accounts = 5 "accounts", "so many accounts behind one private address make it a gateway";
    change_window = 10 "minutes", "trouble that begins so soon after a reload or restart is put down to it";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_figures() {
        let thresholds = Thresholds::default();
        for row in Thresholds::TABLE {
            assert_eq!(thresholds.get(row.name), row.default, "{}", row.name);
            assert!(row.default > 0 && !row.meaning.is_empty());
        }
        assert_eq!(thresholds.get("nonsense"), 0);
    }
}
