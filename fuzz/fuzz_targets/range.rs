//! The size of an object and a `Range` header go into the reading of ranges.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| stream_fn::fuzzing::range(input));
