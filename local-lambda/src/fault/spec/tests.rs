//! Texts there and back: in, all faults that can be; out, the same again.

use super::*;
use proptest::prelude::*;
use std::time::Duration;

fn frames() -> impl Strategy<Value = FrameNumber> {
    prop_oneof![(1..=u64::MAX).prop_map(FrameNumber::Nth), Just(FrameNumber::Last)]
}

fn body_places() -> impl Strategy<Value = Place> {
    prop_oneof![
        any::<u64>().prop_map(Place::Byte),
        (frames(), any::<u64>()).prop_map(|(frame, bytes)| Place::Frame(frame, bytes)),
    ]
}

fn places() -> impl Strategy<Value = Place> {
    prop_oneof![Just(Place::Head), body_places()]
}

/// From nanoseconds to as many seconds as their nanoseconds fit a u64.
fn times() -> impl Strategy<Value = Duration> {
    prop_oneof![
        any::<u64>().prop_map(Duration::from_nanos),
        (0..10_000_u64).prop_map(Duration::from_millis),
        (0..10_000_u64).prop_map(Duration::from_secs),
    ]
}

fn texts() -> impl Strategy<Value = String> {
    "\\PC{1,20}|[,:=%+ -]{1,9}"
}

fn cuts() -> impl Strategy<Value = Fault> {
    let closing = prop_oneof![Just(Closing::End), Just(Closing::Close), Just(Closing::Reset)];
    (places(), closing).prop_map(|(at, closing)| match (at, closing) {
        (Place::Head, Closing::End) => Fault::Cut { at, closing: Closing::Close },
        _ => Fault::Cut { at, closing },
    })
}

fn faults() -> impl Strategy<Value = Fault> {
    let reason = (0..ThrottleReason::ALL.len()).prop_map(|place| ThrottleReason::ALL[place]);
    let wire = prop_oneof![
        cuts(),
        (places(), proptest::option::of(times())).prop_map(|(at, time)| Fault::Stall { at, time }),
        (1..=u64::MAX, times()).prop_map(|(bytes, every)| Fault::Drip { bytes, every }),
        (any::<u64>(), 0..8_u8).prop_map(|(byte, bit)| Fault::Flip { byte, bit }),
        frames().prop_map(Fault::Crc),
        frames().prop_map(Fault::PreludeCrc),
        (frames(), any::<u32>()).prop_map(|(frame, bytes)| Fault::Length { frame, bytes }),
        (frames(), texts(), texts()).prop_map(|(frame, code, message)| Fault::ErrorFrame {
            frame,
            code,
            message
        }),
        (frames(), texts(), texts()).prop_map(|(frame, exception, message)| {
            Fault::ExceptionFrame { frame, exception, message }
        }),
        (frames(), texts()).prop_map(|(frame, event)| Fault::UnknownEvent { frame, event }),
        Just(Fault::NoComplete),
        any::<u32>().prop_map(Fault::LateChunk),
        any::<u32>().prop_map(Fault::LateJunk),
    ];
    let course = prop_oneof![
        (reason, any::<Option<u32>>())
            .prop_map(|(reason, retry_after_s)| Fault::Throttle { reason, retry_after_s }),
        (400..600_u16, texts(), any::<bool>())
            .prop_map(|(status, error_type, after)| Fault::Refuse { status, error_type, after }),
        times().prop_map(Fault::Cold),
        any::<Option<u64>>().prop_map(|after| Fault::Crash { after }),
        times().prop_map(Fault::Timeout),
        texts().prop_map(Fault::Version),
    ];
    let payload = prop_oneof![
        (1..=u64::MAX, any::<bool>())
            .prop_map(|(bytes, head_only)| Fault::Split { bytes, head_only }),
        Just(Fault::NoHead),
        any::<u32>().prop_map(Fault::PadHead),
        Just(Fault::EndlessHead),
        (texts(), texts()).prop_map(|(name, value)| Fault::Header { name, value }),
        texts().prop_map(Fault::NoHeader),
        any::<u32>().prop_map(Fault::Shorten),
        any::<u64>().prop_map(Fault::Lengthen),
        (any::<u64>(), 0..8_u8).prop_map(|(byte, bit)| Fault::FlipBody { byte, bit }),
        any::<u64>().prop_map(Fault::TrailerText),
    ];
    prop_oneof![wire, course, payload]
}

proptest! {
    #[test]
    fn a_fault_is_what_its_text_says(fault in faults()) {
        let text = fault.to_string();
        prop_assert_eq!(text.parse::<Fault>().unwrap_or_else(|error| panic!("{text}: {error}")), fault);
    }

    #[test]
    fn a_rule_is_what_its_text_says(
        fault in faults(),
        function in proptest::option::of("[a-zA-Z0-9_.-]{1,20}"),
        (first, more) in (1..=u64::MAX, any::<u64>()),
        open in any::<bool>(),
        every in 1..=u64::MAX,
        probability in 0.0..=1.0_f64,
        seed in any::<u64>(),
        times in any::<u64>(),
    ) {
        let last = if open { u64::MAX } else { first.saturating_add(more) };
        let mut rule = FaultRule::new(fault)
            .on(first..=last).every(every).probability(probability, seed).times(times);
        rule.function = function;
        let text = rule.to_string();
        prop_assert_eq!(text.parse::<FaultRule>().unwrap_or_else(|error| panic!("{text}: {error}")), rule);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,40}") {
        let _ = text.parse::<FaultRule>();
    }
}

/// An example of every form, and more of what people type.
const EXAMPLES: [(&str, &str); 47] = [
    ("cut=1000", "cut=1000:close"),
    ("cut=64KiB:reset", "cut=65536:reset"),
    ("cut=frame.3+12:end", "cut=frame.3+12:end"),
    ("cut=frame.last:end", "cut=frame.last:end"),
    ("cut=head:reset", "cut=head:reset"),
    ("stall=head:2s", "stall=head:2s"),
    ("stall=0", "stall=0"),
    ("drip=100/50ms", "drip=100/50ms"),
    ("flip=517.3", "flip=517.3"),
    ("crc=2", "crc=2"),
    ("crc=last", "crc=last"),
    ("prelude-crc=1", "prelude-crc=1"),
    ("length=2", "length=2:4294967295"),
    ("length=2:1MiB", "length=2:1048576"),
    ("error=2", "error=2:InternalFailure:a fault was asked for"),
    ("error=2:Throttled", "error=2:Throttled:a fault was asked for"),
    ("error=2:A:b: c", "error=2:A:b%3A c"),
    ("exception=last", "exception=last:ServiceException:a fault was asked for"),
    ("unknown-event=1", "unknown-event=1:EventOfAFault"),
    ("no-complete", "no-complete"),
    ("late-chunk=10", "late-chunk=10"),
    ("late-junk=10", "late-junk=10"),
    ("throttle", "throttle=ReservedFunctionConcurrentInvocationLimitExceeded"),
    ("throttle=CallerRateLimitExceeded", "throttle=CallerRateLimitExceeded"),
    (
        "throttle:retry-after=2,times=3",
        "throttle=ReservedFunctionConcurrentInvocationLimitExceeded:retry-after=2,times=3",
    ),
    ("refuse=503", "refuse=503:ServiceUnavailableException"),
    ("refuse=410:EFSIOException", "refuse=410:EFSIOException"),
    ("refuse-after=500", "refuse-after=500:ServiceException"),
    ("cold=1500ms", "cold=1500ms"),
    ("crash", "crash"),
    ("crash=0", "crash=0"),
    ("timeout=1s", "timeout=1s"),
    ("version=7", "version=7"),
    ("split=1", "split=1"),
    ("split=1:head", "split=1:head"),
    ("no-head", "no-head"),
    ("pad-head=20000", "pad-head=20000"),
    ("endless-head", "endless-head"),
    ("header=content-range:bytes 0-4/5", "header=content-range:bytes 0-4/5"),
    ("header=etag:\"a%2Cb\"", "header=etag:\"a%2Cb\""),
    ("no-header=etag", "no-header=etag"),
    ("shorten=5", "shorten=5"),
    ("lengthen=5", "lengthen=5"),
    ("flip-body=0.7", "flip-body=0.7"),
    ("trailer-text=100,of=f", "trailer-text=100,of=f"),
    ("crash,on=2-4,every=2,p=0.25,seed=7", "crash,on=2-4,every=2,p=0.25,seed=7"),
    ("crash,on=2-,times=0", "crash,on=2-,times=0"),
];

#[test]
fn what_people_type_means_one_thing() {
    for (typed, meant) in EXAMPLES {
        let rule: FaultRule = typed.parse().unwrap_or_else(|error| panic!("{typed}: {error}"));
        assert_eq!(rule.to_string(), meant);
    }
    for (form, _) in FAULT_FORMS {
        let name = form.split(['[', '=']).next().unwrap();
        let is_of = |text: &str| text.split(['=', ':', ',']).next() == Some(name);
        assert!(EXAMPLES.iter().any(|(typed, _)| is_of(typed)), "no example of {name}");
    }
}

#[test]
fn a_mistake_is_named_with_what_would_be_right() {
    for (typed, message) in [
        ("cot=5", "there is no fault \"cot\"; known are cut, stall, drip"),
        ("", "there is no fault \"\""),
        ("crash,at=5", "there is no condition \"at\"; known are of, on, every, p, seed, times"),
        ("cut", "cut needs a value: cut=..."),
        ("cut=here", "cut has \"here\"; it takes a place: head, N bytes, frame.FRAME"),
        ("cut=5:soft", "cut has \"soft\"; it takes end, close or reset"),
        ("cut=head:end", "cut has \"end\"; it takes close or reset"),
        ("cut=frame.0", "cut has \"0\"; it takes a frame: a number from 1, or last"),
        ("stall=5:2", "\"2\" is no time such as 2s, 50ms or 10us"),
        ("drip=5", "drip has \"5\"; it takes BYTES/TIME, such as 100/50ms"),
        ("drip=0/1s", "drip has \"0\"; it takes a number above 0"),
        ("flip=5", "flip has \"5\"; it takes BYTE.BIT"),
        ("flip=5.8", "a bit is 0 to 7"),
        ("crc=1:2", "crc has \"2\"; it takes nothing there"),
        ("crc=+1", "crc has \"+1\""),
        ("length=1:4096MiB", "it takes less than 4 GiB"),
        ("error=1:", "error needs a text that is not empty"),
        ("no-head=1", "no-head has \"1\"; it takes no value"),
        ("throttle=Often", "throttle has \"Often\"; it takes a reason: CallerRateLimitExceeded, "),
        ("throttle:5", "throttle has \"5\"; it takes retry-after=SECONDS"),
        ("refuse=200", "refuse has \"200\"; it takes a status of 400 to 599"),
        ("refuse=410", "refuse has \"410\"; it takes STATUS:TYPE"),
        ("header=etag", "it takes header=NAME:VALUE"),
        ("version=%ff", "\"%ff\" is not UTF-8 when decoded"),
        ("lengthen=5GB", "\"5GB\" is no size such as 1000, 64KiB or 5MiB"),
        ("crash,on=0", "on has \"0\"; it takes K, A-B or A-, counted from 1"),
        ("crash,on=3-2", "on has \"3-2\""),
        ("crash,every=0", "every has \"0\"; it takes a number above 0"),
        ("crash,p=2", "\"2\" is no probability of 0 to 1"),
        ("crash,times=few", "\"few\" is not a whole number"),
    ] {
        let error = typed.parse::<FaultRule>().unwrap_err().to_string();
        assert!(error.contains(message), "{typed}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    assert!("crash,on=2".parse::<Fault>().unwrap_err().to_string().contains("conditions"));
}
