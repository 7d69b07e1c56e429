//! Cuts and the payload of a function go into the head reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| invoker::fuzzing::head(input));
