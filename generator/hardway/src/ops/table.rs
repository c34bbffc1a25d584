//! Tables that people read: columns by their widest cell, what is well or wrong in colour.

use tabled::builder::Builder;
use tabled::settings::{Color, Padding, Style};

/// How a cell is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Doubtful,
    Bad,
}

impl Tone {
    fn colour(self) -> Option<Color> {
        match self {
            Tone::Plain => None,
            Tone::Good => Some(Color::FG_GREEN),
            Tone::Doubtful => Some(Color::FG_YELLOW),
            Tone::Bad => Some(Color::FG_RED),
        }
    }

    /// `text` in its colour; whoever prints it takes the colour away where none is wanted.
    pub(super) fn paint(self, text: &str) -> String {
        self.colour()
            .map_or_else(|| text.to_owned(), |colour| colour.colorize(text))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            text: text.into(),
            tone,
        }
    }

    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// The rows under their heads, two spaces between columns, none at a line's end.
pub(super) fn table(heads: &[&str], rows: &[Vec<Cell>]) -> String {
    let mut builder = Builder::default();
    builder.push_record(heads.iter().copied());
    for row in rows {
        builder.push_record(row.iter().map(|cell| cell.text.as_str()));
    }
    let mut table = builder.build();
    table.with(Style::empty()).with(Padding::new(0, 2, 0, 0));
    for (line, row) in rows.iter().enumerate() {
        for (column, cell) in row.iter().enumerate() {
            if let Some(colour) = cell.tone.colour() {
                table.modify((line + 1, column), colour);
            }
        }
    }
    table
        .to_string()
        .lines()
        .flat_map(|line| [line.trim_end(), "\n"])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_colours_take_no_room() {
        let rows = [
            vec![
                Cell::plain("alpha"),
                Cell::new("running", Tone::Good),
                Cell::plain("5/5"),
            ],
            vec![
                Cell::plain("sigma"),
                Cell::new("died", Tone::Bad),
                Cell::plain("-"),
            ],
        ];
        let text = table(&["NODE", "MACHINE", "UNITS"], &rows);
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "NODE   MACHINE  UNITS\nalpha  running  5/5\nsigma  died     -\n"
        );
        assert!(text.contains("\u{1b}[31mdied\u{1b}[39m"), "{text:?}");
    }
}
