//! Bytes that many sends of one turn read from, and when they may be dropped.

/// One block may be sent to so many slots: the part's number has 16 of the 24 bits of index that user
/// data have room for.
const PARTS_MAX: usize = 1 << 16;
/// So many blocks may be on their way; their number has the other 8.
const BLOCKS_MAX: usize = 1 << 8;

/// Bytes, cut into the parts that its sends carry.
struct Block {
    bytes: Vec<u8>,
    part_bytes: usize,
    /// From one part to the next; zero when all parts are the same bytes.
    stride: usize,
}

/// All blocks whose sends are queued or were carried out by the last enter.
#[derive(Default)]
pub(super) struct Blocks {
    /// By index; a vacant place is empty.
    blocks: Vec<Option<Block>>,
    free: Vec<u32>,
    queued: Vec<u32>,
    entered: Vec<u32>,
}

impl Blocks {
    /// Takes a block in; its sends are queued next.
    pub(super) fn add(&mut self, bytes: Vec<u8>, part_bytes: usize, stride: usize) -> u32 {
        let block = Some(Block { bytes, part_bytes, stride });
        let place = self.free.pop().unwrap_or(self.blocks.len() as u32);
        match self.blocks.get_mut(place as usize) {
            Some(vacant) => *vacant = block,
            None => self.blocks.push(block),
        }
        assert!(self.blocks.len() <= BLOCKS_MAX, "more than {BLOCKS_MAX} blocks in one turn");
        self.queued.push(place);
        place
    }

    /// The index of a send's user data.
    pub(super) fn index(place: u32, part: usize) -> u32 {
        assert!(part < PARTS_MAX, "a block goes to {PARTS_MAX} slots at most");
        place << 16 | part as u32
    }

    /// The bytes that the send of this index carries.
    pub(super) fn part(&self, index: u32) -> &[u8] {
        let block =
            self.blocks[(index >> 16) as usize].as_ref().expect("held until its completions are read");
        let start = (index & 0xffff) as usize * block.stride;
        &block.bytes[start..start + block.part_bytes]
    }

    /// An enter has taken up every send that was queued.
    pub(super) fn enter(&mut self) {
        self.entered.append(&mut self.queued);
    }

    /// Drops what the last enter has sent; the completions of those sends have been read.
    pub(super) fn drop_entered(&mut self) {
        for place in self.entered.drain(..) {
            self.blocks[place as usize] = None;
            self.free.push(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_places() {
        let mut blocks = Blocks::default();
        let (same, cut) = (blocks.add(vec![1, 2, 3], 3, 0), blocks.add(vec![1, 2, 3, 4, 5, 6], 2, 2));
        let cases: [(u32, usize, &[u8]); 4] =
            [(same, 0, &[1, 2, 3]), (same, 999, &[1, 2, 3]), (cut, 0, &[1, 2]), (cut, 2, &[5, 6])];
        for (place, part, bytes) in cases {
            assert_eq!(blocks.part(Blocks::index(place, part)), bytes, "part {part} of {place}");
        }
        blocks.enter();
        let late = blocks.add(vec![7], 1, 0);
        blocks.drop_entered();
        assert_eq!(blocks.part(Blocks::index(late, 0)), [7], "one that was not entered is kept");
        assert!([same, cut].contains(&blocks.add(vec![8], 1, 0)), "a place is used again");
    }
}
