//! The way back: every node that was begun becomes what it was.

use std::time::Instant;

use anyhow::Result;

use super::{Run, Target, difference};
use crate::ops::interrupt::Interrupt;
use crate::ops::seconds;
use common::report::{Hint, render};

/// What must be undone on a node.
pub(super) struct Begun<'t, 'a> {
    pub target: &'t Target<'a>,
    pub generation: String,
    /// Whether the flake has taken the other's place.
    pub kept: bool,
}

impl Run<'_> {
    /// Every node that was begun goes back, the last one first; the error says which.
    pub(super) fn undo(&self, begun: &[Begun<'_, '_>], error: anyhow::Error) -> anyhow::Error {
        let mut lost = Vec::new();
        for Begun {
            target,
            generation,
            kept,
        } in begun.iter().rev()
        {
            let name = target.guest.node.name.as_str();
            let task = self.site.progress.task(name);
            task.stage("back");
            let start = Instant::now();
            match self.back(target, generation, *kept) {
                Ok(true) => {
                    task.done();
                    self.site.progress.say(&format!(
                        "{name} runs what it ran before again ({})",
                        seconds(start.elapsed())
                    ));
                }
                Ok(false) => {
                    task.done();
                    self.site.progress.say(&format!("{name} was not changed"));
                }
                Err(why) => {
                    self.site.progress.say(&format!(
                        "{name} could not go back\n{}",
                        render(&why).trim_end()
                    ));
                    lost.push(name);
                }
            }
        }
        let hint = match lost.as_slice() {
            [] => "no node was left changed; mend it, then `hardway apply` again".to_owned(),
            lost => format!(
                "`hardway status` tells how {0} is; `hardway install {1}` installs it again",
                lost.join(", "),
                lost.join(" ")
            ),
        };
        error.context(Hint(hint))
    }

    fn back(&self, target: &Target<'_>, generation: &str, kept: bool) -> Result<bool> {
        let keys = &target.change.keys;
        let changed = target.guest.back(generation, kept, keys)?;
        let readers = difference::readers(target.plan, keys);
        if !readers.is_empty() {
            target.guest.restart(&readers, &Interrupt::none())?;
        }
        Ok(changed)
    }
}
