//! How far a download is: a bar on a terminal, a plain line now and then otherwise.

use std::cell::Cell;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TEMPLATE: &str = "{prefix}: {binary_bytes} of {binary_total_bytes} {wide_bar} {binary_bytes_per_sec}, {eta} left";

/// How often there is a plain line.
const PAUSE: Duration = Duration::from_secs(10);

pub(super) struct Transfer<'a> {
    say: &'a dyn Fn(&str),
    bar: Option<ProgressBar>,
    total: u64,
    told: Cell<Instant>,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(total: u64, from: u64, say: &'a dyn Fn(&str)) -> Self {
        // Hidden: no terminal, or one that moves no lines, as without TERM.
        let target = ProgressDrawTarget::stderr();
        let bar = (!target.is_hidden()).then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), target);
            // The template is a literal: it parses, or a test fails.
            if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                bar.set_style(style);
            }
            bar.set_prefix("medium");
            bar.set_position(from);
            bar.reset_eta();
            bar
        });
        Self {
            say,
            bar,
            total,
            told: Cell::new(Instant::now()),
        }
    }

    /// So many bytes are here.
    pub(super) fn at(&self, length: u64) {
        match &self.bar {
            Some(bar) => bar.set_position(length),
            None if self.told.get().elapsed() >= PAUSE => {
                self.told.set(Instant::now());
                (self.say)(&format!(
                    "medium: {} of {}",
                    mebibytes(length),
                    mebibytes(self.total)
                ));
            }
            None => {}
        }
    }

    /// A line for the user, above the bar.
    pub(super) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| (self.say)(line)),
            None => (self.say)(line),
        }
    }
}

impl Drop for Transfer<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A size as people read it: `1204 MiB`.
pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_parses() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }

    #[test]
    fn sizes_read_like_sizes() {
        assert_eq!(mebibytes(1), "1 MiB");
        assert_eq!(mebibytes(1_262_485_504), "1204 MiB");
    }
}
