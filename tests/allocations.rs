//! Streams of few and of many frames go in; how often memory was asked for comes out. In the steady
//! state that is once for a read of the socket, and never for a frame.

use bytes::Bytes;
use dhat::{HeapStats, Profiler};
use invoker::event_stream::{Decoded, Decoder};
use invoker::{Invocation, Invoker};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[path = "../benches/support/frame_server.rs"]
mod frame_server;

#[path = "../examples/support/mod.rs"]
mod support;

use frame_server::Payload;

/// Payload of a frame, in bytes.
const CHUNK: usize = 1024;

/// A read of the socket in `the_decoder`, in bytes: 14 frames and a part.
const READ: usize = 16 * 1024;

/// How often headers may lie across two reads in 9,000 frames of `the_decoder`: it has 650 reads.
const ACROSS: u64 = 100;

/// Allocations for each frame of a stream over a socket, at most. A read of the HTTP client brings
/// some tens of them with one buffer; that buffer is what is counted here. Where a machine is busy,
/// reads are shorter.
const FOR_A_FRAME: f64 = 0.2;

/// One test, because the profiler is one for the process.
#[test]
fn no_frame_asks_for_memory() {
    let _profiler = Profiler::builder().testing().build();
    the_decoder();
    a_whole_stream();
}

/// Its own copy of the first headers, the queue of slices, and nothing more.
fn the_decoder() {
    let counts = [1_000, 10_000].map(|frames| {
        let bytes = Bytes::from(frame_server::frames(CHUNK, frames));
        let mut decoder = Decoder::default();
        let before = HeapStats::get().total_blocks;
        let mut decoded = 0;
        for at in (0..bytes.len()).step_by(READ) {
            decoder.push(bytes.slice(at..bytes.len().min(at + READ)));
            while let Decoded::Complete(frame) = decoder.decode().unwrap() {
                decoded += 1;
                assert_eq!(frame.payload.iter().map(Bytes::len).sum::<usize>(), CHUNK);
            }
        }
        let allocations = HeapStats::get().total_blocks - before;
        assert_eq!(decoded, frames);
        allocations
    });
    println!("the decoder asks for memory {counts:?} times for 1,000 and 10,000 frames");
    // Headers that lie across two reads are joined: at one read in twelve.
    assert!(counts[1] - counts[0] <= ACROSS, "{counts:?}");
}

fn a_whole_stream() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let [few, many] = [4_000, 40_000].map(|frames| {
        let (listener, address) = frame_server::listen();
        let payload = Payload { bytes: frames * CHUNK, chunk: CHUNK };
        std::thread::spawn(move || frame_server::serve(&listener, payload));
        let invoker = Invoker::new(support::client(&format!("http://{address}")));
        runtime.block_on(async {
            let mut stream = invoker.invoke(Invocation::new("f")).await.unwrap();
            let mut received = 0;
            let before = HeapStats::get().total_blocks;
            while let Some(bytes) = stream.next_bytes().await {
                received += bytes.unwrap().len();
            }
            assert_eq!(received, frames * CHUNK);
            (HeapStats::get().total_blocks - before) as f64
        })
    });
    let for_a_frame = (many - few) / 36_000.0;
    println!("a stream asks for memory {for_a_frame:.3} times for a frame of {CHUNK} bytes");
    assert!(for_a_frame <= FOR_A_FRAME, "{for_a_frame}");
}
