//! Cuts and a byte stream go into the frame decoder.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| invoker::fuzzing::event_stream_raw(input));
