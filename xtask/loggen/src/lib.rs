//! Mail logs of a busy server with their truth, made up and repeatable.

/// What to do.
#[derive(clap::Args)]
pub struct Options {}

/// Does it.
///
/// # Errors
/// None yet.
pub fn run(_options: &Options) -> anyhow::Result<()> {
    Ok(())
}
