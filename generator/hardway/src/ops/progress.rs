//! What the user sees while several machines work at once: a line a node with
//! its stage and time on a terminal, a plain line for each finished stage otherwise.
//!
//! All of it goes to stderr; results go to stdout. No colours, so NO_COLOR has nothing to turn off.

use std::fmt::Display;
use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::Quiet;

/// The tasks of one run.
#[derive(Debug)]
pub(super) struct Progress {
    bars: Option<MultiProgress>,
    _quiet: Option<Quiet>,
    width: usize,
}

/// One node's (or the cluster's) way through its stages.
#[derive(Debug)]
pub(super) struct Task<'a> {
    progress: &'a Progress,
    name: String,
    bar: Option<ProgressBar>,
    current: Mutex<Option<Stage>>,
}

#[derive(Debug)]
struct Stage {
    name: String,
    since: Instant,
}

impl Progress {
    /// `names`: whose stages will be shown; they set the width of the first column.
    pub(super) fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        // Hidden: no terminal, or one that moves no lines, as without TERM.
        let target = ProgressDrawTarget::stderr();
        let bars = (!target.is_hidden()).then(|| MultiProgress::with_draw_target(target));
        Self {
            _quiet: bars.as_ref().and_then(|_| Quiet::new()),
            bars,
            width: names.into_iter().map(str::len).max().unwrap_or(0),
        }
    }

    pub(super) fn task(&self, name: &str) -> Task<'_> {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            // The template is a literal: it parses, or a test fails.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.set_prefix(format!("{name:<width$}", width = self.width));
            bar
        });
        Task {
            progress: self,
            name: name.to_owned(),
            bar,
            current: Mutex::new(None),
        }
    }

    /// A line for the user, above the moving ones.
    pub(super) fn say(&self, line: &str) {
        match &self.bars {
            Some(bars) => {
                let _ = bars.println(line);
            }
            None => {
                let _ = writeln!(std::io::stderr(), "{line}");
            }
        }
    }
}

impl Task<'_> {
    /// Ends the stage before, with its time, and begins `stage`.
    pub(super) fn stage(&self, stage: &str) {
        self.end_stage();
        if let Some(bar) = &self.bar {
            bar.reset_elapsed();
            bar.set_message(stage.to_owned());
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        if let Ok(mut current) = self.current.lock() {
            *current = Some(Stage {
                name: stage.to_owned(),
                since: Instant::now(),
            });
        }
    }

    /// How far the stage is, for who watches it on a terminal.
    pub(super) fn amount(&self, amount: impl Display) {
        let Some(bar) = &self.bar else { return };
        if let Ok(current) = self.current.lock()
            && let Some(stage) = &*current
        {
            bar.set_message(format!("{} {amount}", stage.name));
        }
    }

    fn end_stage(&self) {
        if let Some(stage) = self.take_stage() {
            self.say(&format!(
                "{} {}",
                stage.name,
                seconds(stage.since.elapsed())
            ));
        }
    }

    fn take_stage(&self) -> Option<Stage> {
        self.current.lock().ok()?.take()
    }

    /// e.g. `alpha: install 12 s`, in columns when nodes' names differ in length.
    fn say(&self, text: &str) {
        let padding = self.progress.width.saturating_sub(self.name.len());
        self.progress
            .say(&format!("{}: {:padding$}{text}", self.name, ""));
    }

    /// The last stage is through.
    pub(super) fn done(self) {
        self.end_stage();
    }
}

impl Drop for Task<'_> {
    /// A task that failed ends in the middle of a stage: the others may work on for
    /// minutes before the error says the rest.
    fn drop(&mut self) {
        if let Some(stage) = self.take_stage() {
            let took = seconds(stage.since.elapsed());
            self.say(&format!("{} broke off after {took}", stage.name));
        }
        if let (Some(bars), Some(bar)) = (&self.progress.bars, &self.bar) {
            bar.finish_and_clear();
            bars.remove(bar);
        }
    }
}

/// A time as people read it: `0.4 s`, `12 s`, `3 min 5 s`.
pub fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        whole @ 10..120 => format!("{whole} s"),
        whole => format!("{} min {} s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_like_times() {
        assert_eq!(seconds(Duration::from_millis(9_960)), "10.0 s");
        assert_eq!(seconds(Duration::from_secs(119)), "119 s");
        assert_eq!(seconds(Duration::from_secs(185)), "3 min 5 s");
    }

    #[test]
    fn the_template_parses() {
        assert!(ProgressStyle::with_template("{spinner} {prefix} {msg} {elapsed}").is_ok());
    }
}
