//! A random object, a random way to fetch it, and a random script of faults come in; exactly the object
//! comes out, or an error and what came before it, which is a beginning of the object.

use std::fs;
use std::path::Path;
use std::time::Duration;

use invoker::{Download, Error, Invoker, Timeouts};
use local_lambda::{Closing, Fault, FrameNumber, Function, Limits, LocalLambda, Place};
use local_lambda::{Logs, ThrottleReason};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use stream_fn::source::pattern;
use tokio::runtime::Runtime;

use crate::support::{client, in_time, ready_function};

/// Few enough for every CI run: nearly all of their time is the delays before repetitions.
const CASES: u32 = 40;
/// The largest object, in bytes.
const OBJECT_BYTES: u64 = 300_000;
/// The most segments of one.
const SEGMENTS: u64 = 12;
/// The longest script. All of it may meet one and the same segment.
const FAULTS: usize = 4;
/// More than any script needs, and room for a machine that is too busy for the short limits here.
const RETRIES: u32 = 20;
/// One function for each way to fetch, so that both have the whole script.
const WAYS: [&str; 2] = ["ordered", "file"];

/// What is fetched, how, and what goes wrong.
#[derive(Clone, Debug)]
struct Case {
    size: u64,
    segment_size: u64,
    in_flight: usize,
    memory_limit: usize,
    /// For the first invocation, the second, and so on.
    script: Vec<Fault>,
    /// What no repetition mends, and with which of the invocations that there are without faults.
    fatal: Option<(u64, Fault)>,
}

impl Case {
    /// How many invocations there are if none fails.
    fn invocations(&self) -> u64 {
        self.size.div_ceil(self.segment_size.min(self.memory_limit as u64)).max(1)
    }

    fn faults(&self, number: u64) -> Vec<Fault> {
        match &self.fatal {
            Some((at, fatal)) if *at % self.invocations() + 1 == number => vec![fatal.clone()],
            _ => self.script.get(number as usize - 1).cloned().into_iter().collect(),
        }
    }
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        1 => Just(Place::Head),
        3 => (0..100_000u64).prop_map(Place::Byte),
        3 => (1..4u64, 0..200u64).prop_map(|(n, at)| Place::Frame(FrameNumber::Nth(n), at)),
        1 => (0..40u64).prop_map(|at| Place::Frame(FrameNumber::Last, at)),
    ]
}

fn frame() -> impl Strategy<Value = FrameNumber> {
    prop_oneof![3 => (1..5u64).prop_map(FrameNumber::Nth), 1 => Just(FrameNumber::Last)]
}

/// What another try mends, or what is none at all for who takes it as it comes.
fn recoverable() -> impl Strategy<Value = Fault> {
    let closing = prop_oneof![Just(Closing::End), Just(Closing::Close), Just(Closing::Reset)];
    prop_oneof![
        6 => (place(), closing).prop_map(|(at, closing)| Fault::Cut { at, closing }),
        2 => (0..100_000u64, 0..8u8).prop_map(|(byte, bit)| Fault::Flip { byte, bit }),
        1 => frame().prop_map(Fault::Crc),
        1 => frame().prop_map(Fault::PreludeCrc),
        1 => (frame(), any::<u32>()).prop_map(|(frame, bytes)| Fault::Length { frame, bytes }),
        1 => Just(Fault::NoComplete),
        1 => (1..1_000u32).prop_map(Fault::LateChunk),
        1 => (1..100u32).prop_map(Fault::LateJunk),
        1 => (1..100_000u32).prop_map(Fault::Shorten),
        1 => Just(Fault::Throttle {
            reason: ThrottleReason::FunctionRate,
            retry_after_s: Some(0),
        }),
        1 => any::<bool>().prop_map(|after| Fault::Refuse {
            status: 503,
            error_type: "ServiceException".to_owned(),
            after,
        }),
        1 => frame().prop_map(|frame| Fault::ErrorFrame {
            frame,
            code: "InternalFailure".to_owned(),
            message: "made by a test".to_owned(),
        }),
        1 => place().prop_map(|at| Fault::Stall { at, time: None }),
        1 => place().prop_map(|at| Fault::Stall { at, time: Some(Duration::from_millis(20)) }),
        2 => (1..5_000u64).prop_map(|bytes| Fault::Split { bytes, head_only: false }),
        1 => (1..50u64).prop_map(|bytes| Fault::Split { bytes, head_only: true }),
        1 => (2_000..50_000u64)
            .prop_map(|bytes| Fault::Drip { bytes, every: Duration::from_millis(1) }),
        1 => frame().prop_map(|frame| Fault::UnknownEvent { frame, event: "News".to_owned() }),
        1 => (1_000..16_000u32).prop_map(Fault::PadHead),
    ]
}

/// What ends the download wherever it is met.
fn fatal() -> impl Strategy<Value = Fault> {
    let refuse = |status, error_type: &str, after| {
        let error_type = error_type.to_owned();
        Fault::Refuse { status, error_type, after }
    };
    prop_oneof![
        Just(Fault::Crash { after: None }),
        (1..1_000u64).prop_map(Fault::Lengthen),
        any::<bool>().prop_map(move |after| refuse(403, "AccessDeniedException", after)),
        Just(Fault::ExceptionFrame {
            frame: FrameNumber::Last,
            exception: "InvalidRuntimeException".to_owned(),
            message: "made by a test".to_owned(),
        }),
        Just(Fault::NoHeader("content-length".to_owned())),
    ]
}

fn any_case(fatal: impl Strategy<Value = Option<(u64, Fault)>>) -> impl Strategy<Value = Case> {
    let script = prop::collection::vec(recoverable(), 0..=FAULTS);
    (0..OBJECT_BYTES, 1..200_000u64, any::<u8>(), 1..=8usize, 1..400_000usize, script, fatal)
        .prop_map(|(size, segment_size, edge, in_flight, memory_limit, script, fatal)| {
            // Around a multiple of the segment's size is where counting goes wrong.
            let size = match edge % 8 {
                0 => segment_size,
                1 => 2 * segment_size - 1,
                2 => 2 * segment_size + 1,
                3 => u64::from(edge / 8),
                _ => size,
            }
            .min(OBJECT_BYTES);
            let least = size.div_ceil(SEGMENTS).max(1);
            let (segment_size, memory_limit) =
                (segment_size.max(least), memory_limit.max(least as usize));
            Case { size, segment_size, in_flight, memory_limit, script, fatal }
        })
}

/// What came in order, how that ended, and how the file did.
struct Played {
    ordered: Vec<u8>,
    ended: Result<(), Error>,
    written: Result<(), Error>,
}

/// One service for all cases, whose functions stay warm.
struct Stage {
    runtime: Runtime,
    local: LocalLambda,
    invoker: Invoker,
}

impl Stage {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let _entered = runtime.enter();
        let mut local =
            LocalLambda::builder().limits(Limits::aws().with_pace(None)).logs(Logs::Discard);
        for name in WAYS {
            let function = Function::new(name, ready_function());
            local = local.function(function.env("STREAM_FN_SOURCE", "pattern"));
        }
        let local = runtime.block_on(local.start()).unwrap();
        // What stalls for ever costs as much.
        let timeouts =
            Timeouts::default().first_byte(Duration::from_secs(2)).idle(Duration::from_millis(500));
        let invoker = Invoker::new(client(&local.endpoint_url())).timeouts(timeouts);
        Self { runtime, local, invoker }
    }

    /// Both ways to fetch, side by side.
    fn play(&self, case: &Case, file: &Path) -> Played {
        let script = case.clone();
        self.local.choose_faults(move |asked| script.faults(asked.number));
        self.runtime.block_on(in_time(async {
            let [ordered, to_file] = WAYS.map(|function| self.download(case, function));
            let ((ordered, ended), written) =
                tokio::join!(crate::support::read(ordered), to_file.to_file(file));
            Played { ordered, ended, written: written.map(drop) }
        }))
    }

    fn download(&self, case: &Case, function: &str) -> Download {
        self.invoker
            .object(function, &case.size.to_string())
            .segment_size(case.segment_size)
            .in_flight(case.in_flight)
            .memory_limit(case.memory_limit)
            .retries(RETRIES)
    }
}

fn object(size: u64) -> Vec<u8> {
    let mut bytes = vec![0; size as usize];
    pattern::fill(0, &mut bytes);
    bytes
}

fn runner() -> TestRunner {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    // A case is slow to repeat, and short as it is.
    config.max_shrink_iters = 30;
    TestRunner::new(config)
}

#[test]
fn whatever_repetition_mends_the_object_arrives() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("out");
    let property = |case: Case| {
        let object = object(case.size);
        let Played { ordered, ended, written } = stage.play(&case, &file);
        prop_assert!(object.starts_with(&ordered), "{} bytes and other ones", ordered.len());
        // Of no bytes there is no range: that answer is a plain stream, and once it has begun no
        // other can take its place.
        let repeatable = case.size > 0;
        if repeatable || ended.is_ok() {
            prop_assert!(ended.is_ok(), "in order: {ended:?}");
            prop_assert_eq!(ordered.len(), object.len());
        }
        if repeatable || written.is_ok() {
            prop_assert!(written.is_ok(), "to a file: {written:?}");
            prop_assert!(fs::read(&file).unwrap() == object, "another file");
            fs::remove_file(&file).unwrap();
        }
        prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "leftovers");
        Ok(())
    };
    runner().run(&any_case(Just(None)), property).unwrap();
}

#[test]
fn what_no_repetition_mends_is_an_error_behind_a_beginning_of_the_object() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("out");
    let property = |case: Case| {
        let object = object(case.size);
        let Played { ordered, ended, written } = stage.play(&case, &file);
        prop_assert!(object.starts_with(&ordered), "{} bytes and other ones", ordered.len());
        prop_assert!(ended.is_err() && written.is_err(), "{ended:?}, {written:?}");
        prop_assert!(!file.exists());
        // What is left of the file is taken up when nothing is wrong any more.
        stage.local.clear_faults();
        let download = stage.download(&case, WAYS[1]).to_file(&file);
        let continued = stage.runtime.block_on(in_time(download));
        prop_assert!(continued.is_ok(), "{continued:?} after {written:?}");
        prop_assert!(fs::read(&file).unwrap() == object, "another file");
        fs::remove_file(&file).unwrap();
        prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "leftovers");
        Ok(())
    };
    let fatal = (any::<u64>(), fatal()).prop_map(Some);
    // Of no bytes there is no segment that could fail.
    let cases = any_case(fatal).prop_filter("no bytes", |case| case.size > 0);
    runner().run(&cases, property).unwrap();
}
