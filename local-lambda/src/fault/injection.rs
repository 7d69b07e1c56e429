//! The faults of one invocation, sorted by who brings them about: in, faults in any order; out, what
//! the callers' door, the relay and the connection have to do.

use super::payload::PayloadFaults;
use super::wire::WireFaults;
use super::{Closing, Fault, Place};
use crate::refusal::Refusal;
use http::{HeaderValue, StatusCode};
use std::time::Duration;

/// The faults of one invocation. Of two that cannot both be, the later counts.
#[derive(Default)]
pub(crate) struct Injection {
    /// Before the function runs.
    pub(crate) refusal: Option<Refusal>,
    pub(crate) version: Option<HeaderValue>,
    pub(crate) head: Option<HeadFault>,
    pub(crate) course: Option<Box<CourseFaults>>,
    pub(crate) wire: Option<WireFaults>,
    /// After the function ran.
    pub(crate) late_refusal: Option<Refusal>,
}

/// What happens in place of the HTTP head, or before it.
#[derive(Clone, Copy)]
pub(crate) enum HeadFault {
    Stall(Option<Duration>),
    Cut(Closing),
}

/// What goes wrong on the function's side.
#[derive(Default)]
pub(crate) struct CourseFaults {
    pub(crate) cold: Option<Duration>,
    pub(crate) crash: Option<Crash>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) payload: Option<PayloadFaults>,
}

/// When the process is killed.
#[derive(Clone, Copy)]
pub(crate) enum Crash {
    AtOnce,
    /// When so many more bytes of its payload were passed on.
    After(u64),
}

impl Injection {
    pub(crate) fn new(faults: &[Fault], streamed: bool) -> Self {
        let mut this = Self::default();
        let mut course = CourseFaults::default();
        for fault in faults {
            match fault {
                Fault::Throttle { reason, retry_after_s } => {
                    this.refusal =
                        Some(Refusal::Throttled { reason: *reason, retry_after_s: *retry_after_s });
                }
                Fault::Refuse { status, error_type, after } => {
                    let refusal = Some(Refusal::Scripted {
                        status: StatusCode::from_u16(*status)
                            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                        error_type: error_type.clone(),
                    });
                    match after {
                        true => this.late_refusal = refusal,
                        false => this.refusal = refusal,
                    }
                }
                Fault::Version(version) => this.version = HeaderValue::from_str(version).ok(),
                Fault::Stall { at: Place::Head, time } => this.head = Some(HeadFault::Stall(*time)),
                Fault::Cut { at: Place::Head, closing } => {
                    this.head = Some(HeadFault::Cut(*closing));
                }
                Fault::Cold(time) => course.cold = Some(*time),
                Fault::Crash { after } => {
                    course.crash = Some(after.map_or(Crash::AtOnce, Crash::After));
                }
                Fault::Timeout(time) => course.timeout = Some(*time),
                _ => {}
            }
        }
        course.payload = PayloadFaults::new(faults, streamed);
        let CourseFaults { cold, crash, timeout, payload } = &course;
        let any = cold.is_some() || crash.is_some() || timeout.is_some() || payload.is_some();
        this.course = any.then(|| Box::new(course));
        this.wire = WireFaults::new(faults);
        this
    }
}
