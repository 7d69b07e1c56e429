//! A journal, or what one is made of, goes into the journal's reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| invoker::fuzzing::journal(input));
