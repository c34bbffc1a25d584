//! What a node has to change, and what became of it.

use serde::Serialize;

use super::{FileChange, KeyChange, NextBoot, Units, guest};

/// What a node has to change.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub node: String,
    pub files: Vec<FileChange>,
    pub keys: Vec<KeyChange>,
    /// What a switch would do, where that was asked for.
    pub would: Option<Units>,
    /// Why NixOS takes the configuration at the node's next boot only, where it does.
    pub next_boot: Option<NextBoot>,
    /// Whether it has the configuration already and waits for its next boot to run it.
    pub boot_pending: bool,
    /// The units that this run restarted.
    pub restarted: Option<Vec<String>>,
}

impl Change {
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.keys.is_empty()
    }

    /// What differs, as text.
    pub fn text(&self) -> String {
        let mut text: String = self.files.iter().map(|file| file.diff.as_str()).collect();
        if !self.keys.is_empty() {
            text += &format!(
                "{}: keys that differ: {}\n",
                self.node,
                guest::names(&self.keys)
            );
        }
        if let Some(next_boot) = &self.next_boot {
            text += &format!(
                "{}: {}: would set it for the next boot\n",
                self.node,
                next_boot.reason()
            );
        }
        if let Some(would) = &self.would {
            let lines = would.lines();
            if lines.is_empty() {
                text += &format!("{}: no unit would be touched\n", self.node);
            }
            for line in lines {
                text += &format!("{}: {line}\n", self.node);
            }
        }
        text
    }

    /// What its switch did, as text.
    pub fn done(&self) -> String {
        let node = &self.node;
        let mut text = match self.restarted.as_deref().unwrap_or_default() {
            [] => format!("{node}: no unit was restarted\n"),
            units => format!("{node}: restarted {}\n", units.join(", ")),
        };
        if let Some(next_boot) = &self.next_boot {
            text += &format!(
                "{node}: {}: it is set for the next boot; restart the machines with \
                 `hardway down && hardway up`\n",
                next_boot.reason()
            );
        }
        text
    }
}
