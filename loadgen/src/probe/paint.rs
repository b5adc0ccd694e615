//! Colours, where a person looks and wants them.

use std::fmt::{self, Display};
use std::io::IsTerminal;

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    /// With the terminal's colours.
    Colours,
    /// Text alone.
    Plain,
}

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// A heading, or what matters in a line.
    Strong,
    /// An explanation.
    Faint,
    /// What is sent.
    Sent,
    /// What arrived, and what is right.
    Good,
    /// What is allowed and worth a look.
    Notable,
    /// What is wrong.
    Bad,
}

impl Paint {
    /// Colours on a terminal, unless the environment has NO_COLOR (no-color.org: present and not empty).
    pub(super) fn for_output() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !refused { Self::Colours } else { Self::Plain }
    }

    /// The text in its tone.
    pub(super) fn tone<T: Display>(self, tone: Tone, text: T) -> Painted<T> {
        Painted { paint: self, tone, text }
    }
}

/// A text that writes itself in its tone; width and alignment count without the colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Painted<T> {
    paint: Paint,
    tone: Tone,
    text: T,
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // ECMA-48 section 8.3.117, Select Graphic Rendition.
        let code = match self.tone {
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Sent => "36",
            Tone::Good => "32",
            Tone::Notable => "33",
            Tone::Bad => "1;31",
        };
        match self.paint {
            Paint::Plain => self.text.fmt(f),
            Paint::Colours => {
                write!(f, "\x1b[{code}m")?;
                self.text.fmt(f)?;
                f.write_str("\x1b[0m")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_surround_the_padded_text() {
        assert_eq!(format!("{:<5}|", Paint::Plain.tone(Tone::Bad, "no")), "no   |");
        assert_eq!(format!("{:<5}|", Paint::Colours.tone(Tone::Bad, "no")), "\x1b[1;31mno   \x1b[0m|");
    }
}
