//! The frame decoder against the official one, on the same bytes: PayloadChunks of 1, 8 and 64 KiB,
//! cut into reads of 16 KiB as a socket cuts them. Ratios are printed by `benches/README.md`'s
//! command; criterion prints the throughput of each.

use std::hint::black_box;

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder, write_message_to};
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::{Buf, Bytes};
use bytes_utils::SegmentedBuf;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use invoker::event_stream::{Decoded, Decoder};

/// Payload of one measured stream, in bytes.
const STREAM: usize = 16 * 1024 * 1024;

/// What one read of a socket gives, in bytes.
const READ: usize = 16 * 1024;

/// Whole frames of `chunk` bytes of payload, as the official crate writes them, cut into reads.
fn reads(chunk: usize) -> Vec<Bytes> {
    let string = |text: &'static str| HeaderValue::String(text.into());
    let message = Message::new(vec![b'x'; chunk])
        .add_header(Header::new(":message-type", string("event")))
        .add_header(Header::new(":event-type", string("PayloadChunk")))
        .add_header(Header::new(":content-type", string("application/octet-stream")));
    let mut encoded = Vec::new();
    for _ in 0..STREAM / chunk {
        write_message_to(&message, &mut encoded).expect("a frame");
    }
    let encoded = Bytes::from(encoded);
    (0..encoded.len())
        .step_by(READ)
        .map(|at| encoded.slice(at..encoded.len().min(at + READ)))
        .collect()
}

/// Bytes of payload that our decoder finds.
fn ours(reads: &[Bytes]) -> usize {
    let mut decoder = Decoder::default();
    let mut payload = 0;
    for read in reads {
        decoder.push(read.clone());
        while let Ok(Decoded::Complete(frame)) = decoder.decode() {
            black_box(frame.headers.string(":event-type"));
            payload += frame.payload.iter().map(Bytes::len).sum::<usize>();
        }
    }
    payload
}

/// Bytes of payload that the official decoder finds, fed as the SDK's receiver feeds it.
fn official(reads: &[Bytes]) -> usize {
    let mut decoder = MessageFrameDecoder::new();
    let mut held = SegmentedBuf::new();
    let mut payload = 0;
    for read in reads {
        held.push(read.clone());
        while let Ok(DecodedFrame::Complete(message)) = decoder.decode_frame(&mut held) {
            black_box(message.headers());
            payload += message.payload().len();
        }
    }
    assert_eq!(held.remaining(), 0);
    payload
}

fn decoders(criterion: &mut Criterion) {
    for kib in [1, 8, 64] {
        let reads = reads(kib * 1024);
        assert_eq!((ours(&reads), official(&reads)), (STREAM, STREAM));
        let mut group = criterion.benchmark_group("decoder");
        group.throughput(Throughput::Bytes(STREAM as u64)).sample_size(30);
        group.bench_with_input(BenchmarkId::new("ours", kib), &reads, |bencher, reads| {
            bencher.iter(|| ours(reads));
        });
        group.bench_with_input(BenchmarkId::new("official", kib), &reads, |bencher, reads| {
            bencher.iter(|| official(reads));
        });
        group.finish();
    }
}

criterion_group!(benches, decoders);
criterion_main!(benches);
