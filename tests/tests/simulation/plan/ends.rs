//! How a client ends.

use super::{End, Expect, Planner, Step, close};
use crate::wire::{self, FIN, TEXT};

impl Planner<'_> {
    pub(super) fn end(&mut self) -> End {
        let mut ends = vec![End::Close, End::Wish, End::HalfClose, End::Violate];
        if self.bounds.may_stay {
            ends.extend([End::Stay, End::Stay]);
        }
        if self.bounds.may_break {
            ends.extend([End::Reset, End::Leave]);
        }
        let end = self.random.pick(&ends);
        match end {
            End::Stay => {}
            End::Close => {
                let code = self.random.pick(&[1000, 1001, 3000, 4999]);
                self.steps.push_back(close(code, "so long"));
            }
            End::Wish => {
                let mut bytes = Vec::new();
                wire::append(&mut bytes, FIN | TEXT, b"close:4000:as you wish", [1, 2, 3, 4]);
                let reason = Some("as you wish".into());
                self.say(bytes, vec![Expect::Close { code: Some(4000), reason }, Expect::Eof]);
            }
            End::HalfClose => {
                self.say(Vec::new(), vec![Expect::Eof]);
                self.steps.push_back(Step::HalfClose);
            }
            End::Violate => self.violate(),
            End::Reset => self.steps.push_back(Step::Reset),
            End::Leave => self.steps.push_back(Step::Leave),
        }
        end
    }

    /// Breaks a rule of section 5 or 7, or of RFC 7692.
    fn violate(&mut self) {
        const COMPRESSED_CASES: [(&[u8], u16); 4] = [
            (&[0xC1, 0x81, 0, 0, 0, 0, 0x07], 1007),
            (&[0xC2, 0x83, 0, 0, 0, 0, 0x00, 0x05, 0x00], 1007),
            (&[0xE1, 0x80, 1, 2, 3, 4], 1002),
            (&[0xC9, 0x80, 1, 2, 3, 4], 1002),
        ];
        const CASES: [(&[u8], u16); 10] = [
            (&[0x81, 0x02, b'h', b'i'], 1002),
            (&[0x83, 0x80, 1, 2, 3, 4], 1002),
            (&[0xC1, 0x80, 1, 2, 3, 4], 1002),
            (&[0x80, 0x80, 1, 2, 3, 4], 1002),
            (&[0x09, 0x80, 1, 2, 3, 4], 1002),
            (&[0x82, 0xFE, 0, 5, 1, 2, 3, 4], 1002),
            (&[0x81, 0x81, 0, 0, 0, 0, 0xFF], 1007),
            (&[0x81, 0x90, 0, 0, 0, 0, b'o', b'k', 0xC0], 1007),
            (&[0x82, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4], 1009),
            (&[0x88, 0x82, 0, 0, 0, 0, 3, 0xED], 1002),
        ];
        let (bytes, code) = match &self.deflater {
            Some(_) => self.random.pick(&COMPRESSED_CASES),
            None => self.random.pick(&CASES),
        };
        self.say(bytes.to_vec(), vec![Expect::Close { code: Some(code), reason: None }, Expect::Eof]);
    }
}
