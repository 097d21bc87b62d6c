//! Real Postfix, Dovecot and saslauthd on loopback, and the logs they write.

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
