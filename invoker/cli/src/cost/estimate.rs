//! The size of an object and how it would be fetched go in; the least time that takes and what it
//! uses come out.

use invoker::FREE_STREAMED_BYTES;

use super::Usage;

/// What the service sends of one stream at full speed, in bytes (AWS Lambda developer guide,
/// "Response streaming bandwidth"; its sandbox code says MiB).
const BURST: u64 = 6 * 1024 * 1024;
/// What it sends of one stream after that, in bytes per second (same source).
const RATE: u64 = 2 * 1024 * 1024;
/// The most it sends of one stream, in bytes (same guide, "Response streaming limits").
const STREAM_LIMIT: u64 = 200 * 1024 * 1024;

/// One way to fetch an object. Nobody documents how fast a burst is, so it is taken to need no time
/// beyond the first byte's: what comes out is the least.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Plan {
    size: u64,
    segment_size: u64,
    in_flight: u64,
    /// Seconds from a call to its first byte.
    first_byte: f64,
}

impl Plan {
    pub(crate) fn one_stream(size: u64, first_byte: f64) -> Self {
        Self { size, segment_size: size.max(1), in_flight: 1, first_byte }
    }

    /// `segment_size` and `in_flight` are above 0.
    pub(crate) fn segments(size: u64, segment_size: u64, in_flight: u64, first_byte: f64) -> Self {
        Self { size, segment_size, in_flight, first_byte }
    }

    /// Bytes of one segment.
    pub(crate) fn segment_size(&self) -> u64 {
        self.segment_size
    }

    /// How many of them there are at once at most.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// How many invocations.
    pub(crate) fn invocations(&self) -> u64 {
        self.size.div_ceil(self.segment_size).max(1)
    }

    /// The bytes at which the service ends an invocation of it, if it does.
    pub(crate) fn cut_at(&self) -> Option<u64> {
        (self.segment_size.min(self.size) > STREAM_LIMIT).then_some(STREAM_LIMIT)
    }

    /// From the first call to the last byte.
    pub(crate) fn seconds(&self) -> f64 {
        let rounds = self.invocations().div_ceil(self.in_flight);
        rounds as f64 * self.seconds_of(self.segment_size.min(self.size))
    }

    pub(crate) fn usage(&self) -> Usage {
        let invocations = self.invocations();
        let (full, last) = match self.size {
            0 => (0, 0),
            size => (invocations - 1, size - (invocations - 1) * self.segment_size),
        };
        let sum = |of: &dyn Fn(u64) -> f64| full as f64 * of(self.segment_size) + of(last);
        let charged = |bytes: u64| bytes.saturating_sub(FREE_STREAMED_BYTES) as f64;
        Usage {
            invocations,
            seconds: sum(&|bytes| self.seconds_of(bytes)),
            charged_bytes: sum(&charged) as u64,
            abandoned: 0,
        }
    }

    fn seconds_of(&self, bytes: u64) -> f64 {
        self.first_byte + bytes.saturating_sub(BURST) as f64 / RATE as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn each_plan_has_its_time_and_its_bytes() {
        // Plan; invocations, seconds, seconds of all together, charged bytes, where it is cut.
        let one = |size| Plan::one_stream(size, 0.5);
        let many = |size, segment, at_once| Plan::segments(size, segment, at_once, 0.5);
        let beyond = |bytes| bytes - FREE_STREAMED_BYTES;
        let table = [
            (one(0), 1, 0.5, 0.5, 0, None),
            (one(6 * MIB), 1, 0.5, 0.5, beyond(6 * MIB), None),
            (one(60 * MIB), 1, 27.5, 27.5, beyond(60 * MIB), None),
            (one(206 * MIB), 1, 100.5, 100.5, beyond(206 * MIB), Some(200 * MIB)),
            (many(0, 5 * MIB, 32), 1, 0.5, 0.5, 0, None),
            (many(60 * MIB, 5 * MIB, 32), 12, 0.5, 6.0, 0, None),
            (many(61 * MIB, 5 * MIB, 4), 13, 2.0, 6.5, 0, None),
            (many(20 * MIB, 8 * MIB, 1), 3, 4.5, 3.5, 2 * beyond(8 * MIB), None),
            (many(500 * MIB, 5 * MIB, 100), 100, 0.5, 50.0, 0, None),
        ];
        for (plan, invocations, seconds, together, charged_bytes, cut_at) in table {
            assert_eq!(plan.seconds(), seconds, "{plan:?}");
            assert_eq!(plan.cut_at(), cut_at, "{plan:?}");
            let expected = Usage { invocations, seconds: together, charged_bytes, abandoned: 0 };
            assert_eq!(plan.usage(), expected, "{plan:?}");
        }
    }
}
