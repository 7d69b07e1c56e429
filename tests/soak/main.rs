//! Thousands of invocations with random faults come in, 16 in flight; no wrong byte comes out, and
//! nothing stays behind: no task, no descriptor, no process, no memory.
//!
//! `SOAK_INVOCATIONS` says how many, `SOAK_SEED` which; see CONTRIBUTING.md for the full form.

#![allow(clippy::unwrap_used)] // helpers of tests may unwrap, as tests may

#[path = "../pair/support.rs"]
mod support;

mod random;

mod faults;

mod resources;
mod tally;

mod downloads;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use downloads::{Caller, IN_FLIGHT, Way, Wish};
use invoker::{Invoker, Timeouts};
use local_lambda::{Fault, Function, Limits, LocalLambda, Logs, Stats};
use random::Random;
use resources::Held;
use support::{client, in_time, ready_function};
use tally::Tally;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Invocations of the short form, which every CI run has; nearly every kind of fault is among them.
const SHORT: u64 = 600;
/// Invocations, at least, that only make the process what it is: threads, arenas of the allocator, descriptors
/// that the runtime opens once.
const WARM_UP: u64 = 100;
/// Any number does.
const SEED: u64 = 20_261_121;
/// Invocations in flight, of all callers together.
const AT_ONCE: u64 = 16;
/// Each calls a function of its own, so that its faults are known.
const CALLERS: [Way; 10] = [
    Way::WholeFile,
    Way::WholeFile,
    Way::RangeFile,
    Way::RangeFile,
    Way::InOrder,
    Way::InOrder,
    Way::InOrder,
    Way::InOrder,
    Way::Stream,
    Way::Stream,
];
/// What is resident is told for so many equal shares of a run: thousands, in the full form.
const SHARES: u64 = 10;
/// A share of fewer invocations tells of the process' youth, not of what it keeps.
const SHARE_LEAST: u64 = 1_000;
/// How much more memory the last share may have than the first, however long the run. Measured, it is
/// 3 to 5 MiB, over 10,000 invocations and over 40,000, because the allocator's arenas become
/// fragmented: the most that was allocated at once (heaptrack) was 6.5 MB, and still was when five
/// times as much had been allocated; what was live went from 4.4 to 4.9 MB. Over
/// the 9,000 between the two shares of the full form 6 MiB are 700 bytes each: less than any task or
/// connection that is left costs.
const GROWTH_BYTES: u64 = 6 << 20;
/// No invocation takes longer on average, not even on a busy machine in a debug build.
const EACH: Duration = Duration::from_millis(100);
/// What the first ones may take on top of that.
const START: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_wrong_and_nothing_is_left() {
    let number = |name: &str, otherwise: u64| {
        std::env::var(name).map_or(otherwise, |text| text.parse().expect(name))
    };
    let (invocations, seed) = (number("SOAK_INVOCATIONS", SHORT), number("SOAK_SEED", SEED));
    let mut out = std::io::stderr();

    // The same once before, so that what is held for ever is held already.
    soak(WARM_UP.max(invocations / SHARES), seed ^ 1).await;
    let nothing = Held { tasks: 0, children: 0, ..Held::now() };
    let before = Held::come_down_to(nothing).await;
    assert_eq!((before.tasks, before.children), (0, 0), "left by the first run");

    let started = Instant::now();
    let (tally, stats) = soak(invocations, seed).await;
    let took = started.elapsed();
    let after = Held::come_down_to(before).await;
    let memory = tally.memory(SHARES);

    writeln!(out, "\nsoak, seed {seed}, {:.1} s:", took.as_secs_f64()).unwrap();
    tally.print(&mut out).unwrap();
    let Stats { environments_started, environments_running, .. } = stats;
    writeln!(out, "{environments_started} environments, {environments_running} at the end")
        .unwrap();
    writeln!(out, "before: {before:?}\nafter:  {after:?}").unwrap();
    let kib: Vec<u64> = memory.iter().map(|bytes| bytes / 1024).collect();
    writeln!(out, "KiB resident in each tenth: {kib:?}").unwrap();

    assert_eq!(after.tasks, before.tasks, "tasks are left");
    assert_eq!(after.children, before.children, "processes are left");
    assert!(after.descriptors <= before.descriptors, "descriptors are left");
    let (first, last) = (memory[0], memory[memory.len() - 1]);
    let full = invocations >= SHARES * SHARE_LEAST;
    if full {
        assert!(last <= first + GROWTH_BYTES, "memory grew from {first} to {last} bytes");
    }
    // Few are stopped before their end by a machine that is fast enough.
    let endings = ["whole", "failed", "continued", "after a stop", "dropped"];
    for ending in &endings[..if full { 5 } else { 2 }] {
        assert!(tally.has(ending), "no download was {ending}");
    }
}

/// Runs so many invocations, and ends all that ran.
async fn soak(invocations: u64, seed: u64) -> (Arc<Tally>, Stats) {
    let tally = Arc::new(Tally::default());
    let met: Vec<Arc<Mutex<Vec<Fault>>>> = CALLERS.iter().map(|_| Arc::default()).collect();
    let local = service(seed, Arc::clone(&tally), met.clone()).await;
    let folder = tempfile::tempdir().unwrap();
    // Far above what anything takes here; what stalls for ever costs as much.
    let timeouts = Timeouts::default()
        .first_byte(Duration::from_secs(5))
        .idle(Duration::from_secs(2))
        .total(support::PATIENCE);
    let invoker = Invoker::new(client(&local.endpoint_url())).timeouts(timeouts);
    let at_once = Arc::new(Semaphore::new(AT_ONCE as usize));
    let mut callers = JoinSet::new();
    for (slot, (way, met)) in CALLERS.into_iter().zip(met).enumerate() {
        let own = folder.path().join(slot.to_string());
        std::fs::create_dir(&own).unwrap();
        let caller = Caller {
            way,
            function: slot.to_string(),
            invoker: invoker.clone(),
            folder: own,
            met,
            tally: Arc::clone(&tally),
        };
        let at_once = Arc::clone(&at_once);
        let mut random = Random::new(seed ^ (slot as u64) << 32);
        callers.spawn(async move {
            while caller.tally.invocations() < invocations {
                let wish = Wish::random(way, &mut random);
                let places = u32::try_from(wish.in_flight).unwrap();
                let _places = at_once.acquire_many(places).await.unwrap();
                caller.tally.in_flight(AT_ONCE - at_once.available_permits() as u64);
                // A file has a few tries, each within its time.
                let fetched = caller.fetch(&wish, &mut random);
                let limit = support::PATIENCE * 5;
                let ended = tokio::time::timeout(limit, fetched).await;
                assert!(ended.is_ok(), "it hangs: {wish:?}");
            }
            let left = std::fs::read_dir(&caller.folder).unwrap().count();
            assert_eq!(left, 0, "files are left");
        });
    }
    drop(invoker);
    let all = async {
        while let Some(ended) = callers.join_next().await {
            ended.unwrap();
        }
    };
    let limit = START + EACH * u32::try_from(invocations).unwrap();
    tokio::time::timeout(limit, all).await.expect("it takes too long");

    // Functions whose callers have left run to their end.
    in_time(async {
        while local.stats().invocations_running > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // What is left are the environments that wait for more, and each is a process.
        while cfg!(target_os = "linux")
            && local.stats().environments_running != resources::children()
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let stats = local.stats();
    assert!(stats.environments_running as u64 <= CALLERS.len() as u64 * 2 * IN_FLIGHT, "{stats:?}");
    local.shutdown().await;
    (tally, stats)
}

/// The service, with a function for each caller, and its faults.
async fn service(seed: u64, tally: Arc<Tally>, met: Vec<Arc<Mutex<Vec<Fault>>>>) -> LocalLambda {
    let mut local =
        LocalLambda::builder().limits(Limits::aws().with_pace(None)).logs(Logs::Discard);
    for slot in 0..CALLERS.len() {
        let function = Function::new(slot.to_string(), ready_function());
        local = local.function(function.env("STREAM_FN_SOURCE", "pattern"));
    }
    local = local.choose_faults(move |asked| {
        let slot: usize = asked.function.parse().unwrap();
        let compares_sum = CALLERS[slot] == Way::WholeFile;
        let faults = faults::of(seed, slot as u64, asked.number, compares_sum);
        tally.invocation(faults.iter().map(faults::name));
        met[slot].lock().unwrap().extend(faults.iter().cloned());
        faults
    });
    local.start().await.unwrap()
}
