//! The progress bar of a reading.

use std::io::IsTerminal as _;
use std::sync::Arc;

use answers::reading::Watch;
use indicatif::{ProgressBar, ProgressStyle};
use input::Progress;

use crate::cli::Output;

struct Bar(ProgressBar);

impl Watch for Bar {
    fn at(&self, progress: Progress) {
        if let Some(total) = progress.total {
            self.0.set_length(total);
        }
        self.0.set_position(progress.read);
    }

    fn done(&self) {
        self.0.finish_and_clear();
    }
}

/// A bar on standard error, if that is a terminal and nobody asked for quiet.
pub(crate) fn bar(output: &Output) -> Option<Arc<dyn Watch>> {
    if output.quiet || !std::io::stderr().is_terminal() {
        return None;
    }
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("reading {bar:40} {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    Some(Arc::new(Bar(bar)))
}
