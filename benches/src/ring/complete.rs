//! From completions to events.

use super::Ring;
use super::event::{Buffer, Event, Kind};
use io_uring::cqueue;
use std::io;

impl Ring {
    /// The next thing that has happened.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "more may come after None")]
    pub fn next(&mut self) -> io::Result<Option<Event>> {
        while let Some(cqe) = self.cq.next() {
            if let Some(event) = self.event(&cqe)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn event(&mut self, cqe: &cqueue::Entry) -> io::Result<Option<Event>> {
        let token = cqe.user_data();
        let (slot, index) = ((token >> 32) as u32, (token >> 8) as usize & 0xff_ffff);
        match Kind::ALL[usize::from(token as u8)] {
            Kind::Receive => self.received(slot, cqe),
            Kind::Send => Ok(Some(self.send_unfinished(slot, index as u16, cqe.result()))),
            Kind::SendOwned => Ok(Some(self.owned_finished(slot, index, cqe.result()))),
            Kind::SendPart => Ok(Some(self.part_unfinished(slot, index as u32, cqe.result()))),
            Kind::Accept => self.accepted(cqe),
            Kind::Close | Kind::Cancel => Ok(None),
            Kind::Tick => {
                if !cqueue::more(cqe.flags()) {
                    self.tick_start()?;
                }
                Ok(Some(Event::Tick))
            }
        }
    }

    #[inline]
    fn received(&mut self, slot: u32, cqe: &cqueue::Entry) -> io::Result<Option<Event>> {
        let more = cqueue::more(cqe.flags());
        let buffer = cqueue::buffer_select(cqe.flags()).map(|id| Buffer { id, len: cqe.result() as u32 });
        match (cqe.result(), buffer) {
            (1.., Some(buffer)) => {
                if !more {
                    // Ended by an overflow of the completion queue, not by the peer.
                    self.receive(slot)?;
                }
                return Ok(Some(Event::Received { slot, buffer }));
            }
            (_, Some(buffer)) => self.release(buffer),
            (result, None) if result == -libc::ENOBUFS => {
                self.starved.push(slot);
                return Ok(None);
            }
            (_, None) => {}
        }
        Ok((!more).then_some(Event::Ended { slot }))
    }

    /// What is left of a send that did not go out whole; cold.
    fn send_unfinished(&mut self, slot: u32, id: u16, result: i32) -> Event {
        if result < 0 && result != -libc::EAGAIN {
            return Event::SendFailed { slot };
        }
        let range = self.ranges[usize::from(id)].clone();
        let rest = range.start + result.max(0) as usize..range.end;
        // The buffer is in `queued` or `entered`, so that no token for it exists and making one is sound.
        let buffer = Buffer { id, len: 0 };
        Event::SendShort { slot, rest: self.buffers.bytes_mut(&buffer)[rest].to_vec() }
    }

    fn part_unfinished(&mut self, slot: u32, index: u32, result: i32) -> Event {
        if result < 0 && result != -libc::EAGAIN {
            return Event::SendFailed { slot };
        }
        Event::SendShort { slot, rest: self.blocks.part(index)[result.max(0) as usize..].to_vec() }
    }

    fn owned_finished(&mut self, slot: u32, index: usize, result: i32) -> Event {
        let bytes = std::mem::take(&mut self.owned[index]);
        self.owned_free.push(index as u32);
        let whole = usize::try_from(result).is_ok_and(|sent| sent == bytes.len());
        if whole { Event::SendDone { slot } } else { Event::SendFailed { slot } }
    }

    fn accepted(&mut self, cqe: &cqueue::Entry) -> io::Result<Option<Event>> {
        self.table_full |= cqe.result() == -libc::ENFILE;
        if !cqueue::more(cqe.flags()) && !self.table_full {
            self.accept_arm()?;
        }
        Ok(u32::try_from(cqe.result()).ok().map(|slot| Event::Accepted { slot }))
    }
}
