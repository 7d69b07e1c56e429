//! A client context and a payload go into the reading of requests.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| stream_fn::fuzzing::request(input));
