//! What goes wrong with an answer before there are frames: in, the payload as the function writes it;
//! out, the payload as its caller gets it, in the pieces that make frames.

use super::Fault;
use super::head::{Found, HeadEdit, Search, edited};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// What `lambda_runtime` 1.5 writes into the body in place of a trailer, captured from it.
const TRAILER_TEXT: &[u8] = b"Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n\
                              Lambda-Runtime-Function-Error-Body: Ym9vbSBtaWQgc3RyZWFt\r\n";
/// How a head begins that never ends.
const ENDLESS: &[u8] = b"{\"statusCode\":200,\"headers\":{\"x-endless\":\"";
/// What it goes on with, and what a body is lengthened by.
static FILLER: [u8; 32 * 1024] = [b'x'; 32 * 1024];

/// The payload of one answer, and its faults.
pub(crate) struct PayloadFaults {
    edits: Vec<HeadEdit>,
    /// Byte of the body, and mask.
    flips: Vec<(u64, u8)>,
    shorten: usize,
    lengthen: u64,
    trailer_text: Option<u64>,
    split: Option<usize>,
    split_head: Option<usize>,
    endless: Option<Endless>,
    stage: Stage,
    /// Bytes of the body that may be its last ones.
    held: VecDeque<Bytes>,
    held_bytes: usize,
    /// Bytes of the body that came so far.
    body_bytes: u64,
    /// Bytes of the payload that went out so far.
    out_bytes: u64,
    out: VecDeque<Piece>,
}

enum Stage {
    Search(Search),
    Body,
    /// The text stands at the end: nothing follows.
    Ended,
}

#[derive(PartialEq)]
enum Endless {
    Asked,
    Begun,
}

struct Piece {
    bytes: Bytes,
    /// The most bytes of a frame.
    each: usize,
}

impl PayloadFaults {
    /// Those of `faults` that are of the payload, if any. An endless head is for a caller who is
    /// streamed to.
    pub(super) fn new(faults: &[Fault], streamed: bool) -> Option<Self> {
        let mut this = Self {
            edits: Vec::new(),
            flips: Vec::new(),
            shorten: 0,
            lengthen: 0,
            trailer_text: None,
            split: None,
            split_head: None,
            endless: None,
            stage: Stage::Search(Search::default()),
            held: VecDeque::new(),
            held_bytes: 0,
            body_bytes: 0,
            out_bytes: 0,
            out: VecDeque::new(),
        };
        let mut any = false;
        for fault in faults {
            let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
            match fault {
                Fault::Split { bytes: each, head_only: false } => {
                    this.split = Some(bytes(*each).max(1));
                }
                Fault::Split { bytes: each, head_only: true } => {
                    this.split_head = Some(bytes(*each).max(1));
                }
                Fault::NoHead => this.edits.push(HeadEdit::Remove),
                Fault::PadHead(to) => this.edits.push(HeadEdit::Pad(*to as usize)),
                Fault::EndlessHead if streamed => this.endless = Some(Endless::Asked),
                Fault::Header { name, value } => {
                    this.edits.push(HeadEdit::Set { name: name.clone(), value: value.clone() });
                }
                Fault::NoHeader(name) => this.edits.push(HeadEdit::Unset(name.clone())),
                Fault::Shorten(by) => this.shorten = *by as usize,
                Fault::Lengthen(by) => this.lengthen = *by,
                Fault::FlipBody { byte, bit } => this.flips.push((*byte, 1 << (bit & 7))),
                Fault::TrailerText(at) => this.trailer_text = Some(*at),
                _ => continue,
            }
            any = true;
        }
        any.then_some(this)
    }

    /// Takes the next bytes of the function's payload.
    pub(crate) fn push(&mut self, read: Bytes) {
        match &mut self.stage {
            Stage::Ended => {}
            Stage::Body => self.body(read),
            Stage::Search(search) => {
                if let Found::Head(bytes) = search.push(read) {
                    let reads = search.take();
                    self.decided(reads, bytes);
                }
            }
        }
    }

    /// The next piece for the caller, if there is one. An endless head always has one.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        match &mut self.endless {
            Some(begun @ Endless::Asked) => {
                *begun = Endless::Begun;
                return Some(Bytes::from_static(ENDLESS));
            }
            Some(Endless::Begun) => return Some(Bytes::from_static(&FILLER)),
            None => {}
        }
        let piece = self.out.front_mut()?;
        let bytes = piece.bytes.split_to(piece.bytes.len().min(piece.each));
        if piece.bytes.is_empty() {
            self.out.pop_front();
        }
        Some(bytes)
    }

    /// The function wrote its last byte. True if the caller is to be told of a clean end, however it
    /// was.
    pub(crate) fn finish(&mut self, complete: bool) -> bool {
        // What did not leave in time does not leave any more.
        self.out.clear();
        self.endless = None;
        if let Stage::Search(search) = &mut self.stage {
            let reads = search.take();
            self.decided(reads, 0);
        }
        if complete && !matches!(self.stage, Stage::Ended) {
            let mut left = self.lengthen;
            while left > 0 {
                let len = left.min(FILLER.len() as u64);
                self.send(Bytes::from_static(&FILLER[..len as usize]), false);
                left -= len;
            }
        }
        matches!(self.stage, Stage::Ended)
    }

    /// The first `head` bytes of `reads` are the head. It leaves in the reads that it came in, unless
    /// it is written anew.
    fn decided(&mut self, reads: Vec<Bytes>, head: usize) {
        self.stage = Stage::Body;
        let mut left = head;
        let mut old = BytesMut::new();
        for mut read in reads {
            let of_head = read.split_to(left.min(read.len()));
            left -= of_head.len();
            if self.edits.is_empty() || head == 0 {
                self.send(of_head, true);
            } else {
                old.extend_from_slice(&of_head);
                if left == 0 && !old.is_empty() {
                    let new = edited(&old.split(), &self.edits);
                    self.send(new.into(), true);
                }
            }
            self.body(read);
        }
    }

    fn body(&mut self, read: Bytes) {
        if read.is_empty() {
            return;
        }
        let begin = self.body_bytes;
        self.body_bytes += read.len() as u64;
        let read = flipped(read, begin, &self.flips);
        if self.shorten == 0 {
            return self.send(read, false);
        }
        self.held_bytes += read.len();
        self.held.push_back(read);
        while self.held_bytes > self.shorten
            && let Some(first) = self.held.front_mut()
        {
            let certain = first.split_to(first.len().min(self.held_bytes - self.shorten));
            if first.is_empty() {
                self.held.pop_front();
            }
            self.held_bytes -= certain.len();
            self.send(certain, false);
        }
    }

    fn send(&mut self, mut bytes: Bytes, of_head: bool) {
        if matches!(self.stage, Stage::Ended) {
            return;
        }
        let room = self.trailer_text.map_or(u64::MAX, |at| at - self.out_bytes);
        let ends = bytes.len() as u64 >= room;
        if ends {
            bytes.truncate(room as usize);
        }
        self.out_bytes += bytes.len() as u64;
        let each = match of_head {
            true => self.split_head.or(self.split),
            false => self.split,
        };
        let each = each.unwrap_or(usize::MAX);
        if !bytes.is_empty() {
            self.out.push_back(Piece { bytes, each });
        }
        if ends {
            self.out.push_back(Piece { bytes: Bytes::from_static(TRAILER_TEXT), each });
            self.stage = Stage::Ended;
        }
    }
}

/// `bytes` whose first one is number `begin`, with bits flipped.
pub(super) fn flipped(bytes: Bytes, begin: u64, flips: &[(u64, u8)]) -> Bytes {
    let end = begin + bytes.len() as u64;
    let mut here = flips.iter().filter(|(byte, _)| (begin..end).contains(byte)).peekable();
    if here.peek().is_none() {
        return bytes;
    }
    let mut changed = BytesMut::from(&bytes[..]);
    for (byte, mask) in here {
        changed[(byte - begin) as usize] ^= mask;
    }
    changed.freeze()
}

#[cfg(test)]
mod tests;
