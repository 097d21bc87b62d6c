//! What a site says about itself: a TOML file goes in, settings come out.

use std::path::Path;

use anyhow::Context as _;
use diagnose::detect::Settings;
use serde::Deserialize;

/// The file. Sections of others are left to them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    findings: Settings,
}

/// The section `[findings]`; without a file, the defaults.
pub(crate) fn findings(file: Option<&Path>) -> anyhow::Result<Settings> {
    let Some(path) = file else { return Ok(Settings::default()) };
    let text = std::fs::read_to_string(path).with_context(|| format!("--config {}", path.display()))?;
    read(&text).with_context(|| format!("--config {}", path.display()))
}

fn read(text: &str) -> anyhow::Result<Settings> {
    Ok(toml::from_str::<File>(text)?.findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_of_findings() {
        let text = "[serve]\nx = 1\n[findings]\nown_networks = [\"192.0.2.0/24\"]\ndefault_domain = \"example.org\"\n\
                    [findings.thresholds]\nguess_tries = 25\n";
        let settings = read(text).unwrap();
        assert_eq!((settings.thresholds.guess_tries, settings.own_networks.len()), (25, 1));
        assert_eq!(settings.thresholds.spray_names, Settings::default().thresholds.spray_names);
        assert_eq!(read("").unwrap(), Settings::default());
        for wrong in [
            "[findings]\nnonsense = 1",
            "[findings.thresholds]\nguess_trys = 3",
            "[findings]\nown_networks = [\"here\"]",
            "[",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
