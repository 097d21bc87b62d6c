//! Measures the program beside other tools on the same file.

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Options {}

/// Runs the measurements and prints a table.
pub(crate) fn run(_options: &Options) -> anyhow::Result<()> {
    Ok(())
}
