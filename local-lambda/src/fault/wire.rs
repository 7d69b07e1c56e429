//! What goes wrong between frames and socket: in, the body of an answer; out, a body with other bytes,
//! at other times, or with another end.

use super::frame;
use super::payload::flipped;
use super::{Closing, Fault, FrameNumber, Place};
use crate::answer::AnswerBody;
use crate::connection::Cut;
use crate::frames::{Encoded, payload_chunk};
use aws_smithy_eventstream::error::Error;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Either;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// What late bytes are made of: no prelude of a frame, and not text either.
const JUNK: u8 = 0xaa;

/// The faults of one answer's body.
pub(crate) struct WireFaults {
    /// Those of frames.
    frames: Vec<Fault>,
    /// Byte of the body, and mask.
    flips: Vec<(u64, u8)>,
    drip: Option<(u64, Duration)>,
    stops: Vec<Stop>,
}

/// Something that happens between two bytes.
struct Stop {
    place: Place,
    /// The bytes before it, once they are known.
    at: Option<u64>,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Stall(Option<Duration>),
    Cut(Closing),
}

impl WireFaults {
    /// Those of `faults` that are of the body, if any.
    pub(super) fn new(faults: &[Fault]) -> Option<Self> {
        let mut this =
            Self { frames: Vec::new(), flips: Vec::new(), drip: None, stops: Vec::new() };
        let mut any = false;
        for fault in faults {
            let (place, what) = match fault {
                Fault::Stall { at, time } => (*at, What::Stall(*time)),
                Fault::Cut { at, closing } => (*at, What::Cut(*closing)),
                Fault::Drip { bytes, every } => {
                    this.drip = Some(((*bytes).max(1), *every));
                    any = true;
                    continue;
                }
                Fault::Flip { byte, bit } => {
                    this.flips.push((*byte, 1 << (bit & 7)));
                    any = true;
                    continue;
                }
                Fault::Crc(_)
                | Fault::PreludeCrc(_)
                | Fault::Length { .. }
                | Fault::ErrorFrame { .. }
                | Fault::ExceptionFrame { .. }
                | Fault::UnknownEvent { .. }
                | Fault::NoComplete
                | Fault::LateChunk(_)
                | Fault::LateJunk(_) => {
                    this.frames.push(fault.clone());
                    any = true;
                    continue;
                }
                _ => continue,
            };
            let at = match place {
                // That is for whoever writes the HTTP head.
                Place::Head => continue,
                Place::Byte(byte) => Some(byte),
                Place::Frame(..) => None,
            };
            this.stops.push(Stop { place, at, what });
            any = true;
        }
        any.then_some(this)
    }

    /// The body of an answer with these faults, on a connection that can be cut.
    pub(crate) fn body(self, body: AnswerBody, cut: Cut) -> FaultyBody {
        FaultyBody {
            size_hint: body.size_hint(),
            source: body,
            faults: self,
            cut,
            frames: 0,
            ready: Bytes::new(),
            sent: 0,
            rest: None,
            still: false,
        }
    }

    /// The first thing that happens before byte `sent` leaves. It happens once.
    fn due(&mut self, sent: u64) -> Option<What> {
        let place = self.stops.iter().position(|stop| stop.at == Some(sent))?;
        Some(self.stops.remove(place).what)
    }

    /// How many bytes may leave until something happens.
    fn room(&self, sent: u64) -> u64 {
        let next = self.stops.iter().filter_map(|stop| stop.at).filter(|at| *at > sent).min();
        next.map_or(u64::MAX, |at| at - sent)
    }
}

/// A body with faults.
pub(crate) struct FaultyBody {
    source: AnswerBody,
    size_hint: SizeHint,
    faults: WireFaults,
    cut: Cut,
    /// Frames that came.
    frames: u64,
    /// What leaves next.
    ready: Bytes,
    /// Bytes that left.
    sent: u64,
    rest: Option<Pin<Box<Sleep>>>,
    /// Nothing leaves any more: the connection ends this.
    still: bool,
}

impl FaultyBody {
    /// Takes the next bytes of the body; false at its end.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        self.ready = match &mut self.source {
            Either::Left(whole) => match ready!(Pin::new(whole).poll_frame(cx)) {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                None => return Poll::Ready(Ok(false)),
            },
            Either::Right(frames) => match ready!(frames.poll_next(cx)) {
                Some(Ok(encoded)) => self.faulty(encoded)?,
                Some(Err(err)) => return Poll::Ready(Err(err)),
                None => return Poll::Ready(Ok(false)),
            },
        };
        Poll::Ready(Ok(true))
    }

    /// The bytes that stand for a frame.
    fn faulty(&mut self, encoded: Encoded) -> Result<Bytes, Error> {
        self.frames += 1;
        let (number, last) = (self.frames, matches!(encoded, Encoded::Complete(_)));
        let is_this = |frame: &FrameNumber| match frame {
            FrameNumber::Nth(nth) => *nth == number,
            FrameNumber::Last => last,
        };
        let mut bytes = encoded.into_bytes();
        let (mut before, mut after) = (BytesMut::new(), BytesMut::new());
        for fault in &self.faults.frames {
            match fault {
                Fault::Crc(frame) if is_this(frame) => bytes = frame::with_wrong_crc(&bytes),
                Fault::PreludeCrc(frame) if is_this(frame) => {
                    bytes = frame::with_wrong_prelude_crc(&bytes);
                }
                Fault::Length { frame, bytes: length } if is_this(frame) => {
                    bytes = frame::with_length(&bytes, *length);
                }
                Fault::ErrorFrame { frame, code, message } if is_this(frame) => {
                    bytes = frame::error(code, message)?;
                }
                Fault::ExceptionFrame { frame, exception, message } if is_this(frame) => {
                    bytes = frame::exception(exception, message)?;
                }
                Fault::UnknownEvent { frame, event } if is_this(frame) => {
                    before.extend_from_slice(&frame::unknown(event)?);
                }
                Fault::NoComplete if last => bytes.clear(),
                Fault::LateChunk(length) if last => {
                    let mut payload = Bytes::from(vec![b'x'; *length as usize]);
                    after.extend_from_slice(&payload_chunk(&mut payload)?.into_bytes());
                }
                Fault::LateJunk(length) if last => {
                    after.resize(after.len() + *length as usize, JUNK);
                }
                _ => {}
            }
        }
        let begin = self.sent + before.len() as u64;
        for stop in &mut self.faults.stops {
            if let Place::Frame(frame, bytes) = &stop.place
                && is_this(frame)
            {
                stop.at = Some(begin.saturating_add(*bytes));
            }
        }
        if before.is_empty() && after.is_empty() {
            return Ok(bytes);
        }
        before.extend_from_slice(&bytes);
        before.extend_from_slice(&after);
        Ok(before.freeze())
    }
}

impl Body for FaultyBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        loop {
            if this.still {
                return Poll::Pending;
            }
            if let Some(rest) = &mut this.rest {
                ready!(rest.as_mut().poll(cx));
                this.rest = None;
            }
            match this.faults.due(this.sent) {
                Some(What::Stall(None)) => this.still = true,
                Some(What::Stall(Some(time))) => this.rest = Some(Box::pin(sleep(time))),
                // HTTP has announced the length of a whole body, which cannot end before it.
                Some(What::Cut(Closing::End)) if matches!(this.source, Either::Right(_)) => {
                    return Poll::Ready(None);
                }
                Some(What::Cut(closing)) => {
                    this.cut.ask(closing == Closing::Reset);
                    this.still = true;
                }
                None if this.ready.is_empty() => {
                    if !ready!(this.poll_source(cx))? {
                        return Poll::Ready(None);
                    }
                }
                None => {
                    let room = this.faults.room(this.sent);
                    let room = this.faults.drip.map_or(room, |(bytes, _)| room.min(bytes));
                    let len = usize::try_from(room).unwrap_or(usize::MAX).min(this.ready.len());
                    let piece = flipped(this.ready.split_to(len), this.sent, &this.faults.flips);
                    this.sent += piece.len() as u64;
                    if let Some((_, every)) = this.faults.drip {
                        this.rest = Some(Box::pin(sleep(every)));
                    }
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.size_hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{frames, whole};
    use http_body_util::BodyExt as _;
    use tokio::time::{Instant, timeout};

    fn faulty(faults: &[&str], body: AnswerBody) -> FaultyBody {
        let faults: Vec<Fault> = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        WireFaults::new(&faults).unwrap().body(body, Cut::default())
    }

    /// When the pieces leave, in milliseconds, and their lengths.
    async fn times(mut body: FaultyBody) -> Vec<(u128, usize)> {
        let start = Instant::now();
        let mut times = Vec::new();
        let day = Duration::from_secs(86_400);
        while let Some(frame) = timeout(day, body.frame()).await.expect("no end") {
            let length = frame.unwrap().into_data().unwrap().len();
            times.push((start.elapsed().as_millis(), length));
        }
        times
    }

    #[tokio::test(start_paused = true)]
    async fn drips_and_stalls_keep_their_times() {
        let ten = || whole(Bytes::from_static(b"0123456789"));
        assert_eq!(times(faulty(&["drip=4/50ms"], ten())).await, [(0, 4), (50, 4), (100, 2)]);
        assert_eq!(times(faulty(&["stall=3:2s"], ten())).await, [(0, 3), (2_000, 7)]);
        assert_eq!(times(faulty(&["stall=0:2s"], ten())).await, [(2_000, 10)]);
        // At one place, one after the other.
        let (sender, body) = frames();
        sender.send(payload_chunk(&mut Bytes::from_static(b"one"))).await.unwrap();
        let start = Instant::now();
        let all = ["stall=3:1s", "stall=3:1s", "cut=3:end"];
        assert_eq!(times(faulty(&all, body)).await, [(0, 3)]);
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn for_ever_is_for_ever() {
        for fault in ["stall=3", "cut=3:close", "cut=3:reset"] {
            let mut body = faulty(&[fault], whole(Bytes::from_static(b"0123456789")));
            let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(&first[..], b"012");
            let day = Duration::from_secs(86_400);
            assert!(timeout(day, body.frame()).await.is_err(), "{fault}");
        }
    }

    /// A stop that is before a frame waits for the frame, because only then its place is known.
    #[tokio::test]
    async fn a_cut_before_a_frame_comes_when_the_frame_does() {
        let (sender, body) = frames();
        let mut body = faulty(&["cut=frame.2:end"], body);
        sender.send(payload_chunk(&mut Bytes::from_static(b"one"))).await.unwrap();
        assert!(body.frame().await.is_some());
        sender.send(payload_chunk(&mut Bytes::from_static(b"two"))).await.unwrap();
        assert!(body.frame().await.is_none());
    }
}
