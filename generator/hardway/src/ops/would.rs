//! What a verb would do, told instead of done: `--dry-run` prints it, and what is lost for
//! good is what is asked about before the verb does it.

use std::ffi::OsString;
use std::fmt::Write;

use serde::Serialize;

use qemu::words;

/// A longer command has a line for each option.
const LONG: usize = 200;

/// One thing of several, in the order of doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// In words, as they follow "would".
    pub what: String,
    /// The program that runs for it, where one does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Would {
    #[serde(rename = "would")]
    pub steps: Vec<Step>,
    /// What is gone for good then, in words.
    pub lost: Vec<String>,
}

impl Would {
    pub fn step(&mut self, what: impl Into<String>) {
        self.run(what, &[]);
    }

    /// A step before all others, if there is one.
    pub fn first(&mut self, what: Option<String>) {
        let step = what.map(|what| Step {
            what,
            argv: Vec::new(),
        });
        self.steps.splice(0..0, step);
    }

    /// A step for which this program runs.
    pub fn run(&mut self, what: impl Into<String>, argv: &[OsString]) {
        let words = argv.iter().map(|word| word.to_string_lossy().into_owned());
        self.steps.push(Step {
            what: what.into(),
            argv: words.collect(),
        });
    }

    pub fn lose(&mut self, what: impl Into<String>) {
        self.lost.push(what.into());
    }

    /// A line a step, a program under its own, and then what is lost.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            let _ = writeln!(text, "would {}", step.what);
            if !step.argv.is_empty() {
                let long = step.argv.iter().map(String::len).sum::<usize>() > LONG;
                let turn: &[u8] = if long { b" \\\n      " } else { b" " };
                let command = words(&step.argv, turn);
                let _ = writeln!(text, "   {}", String::from_utf8_lossy(&command));
            }
        }
        if !self.lost.is_empty() {
            text += "lost for good:\n";
        }
        for lost in &self.lost {
            let _ = writeln!(text, "  {lost}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_has_a_line_for_each_option() {
        let argv = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let mut would = Would::default();
        would.run(
            "make a disk",
            &argv(&["qemu-img", "create", "-q", "a disk"]),
        );
        let long = "x".repeat(LONG);
        would.run(
            "start a machine",
            &argv(&["qemu", "-name", &long, "-m", "1024"]),
        );
        would.lose("the disk");
        assert_eq!(
            would.text(),
            format!(
                "\
would make a disk
    qemu-img create -q 'a disk'
would start a machine
    qemu \\
      -name {long} \\
      -m 1024
lost for good:
  the disk
"
            )
        );
    }
}
