//! The public face of the service, with real functions in real processes: in, calls of the official
//! SDK and bare HTTP; out, what the service itself would answer.

#![allow(clippy::unwrap_used, reason = "tests panic; clippy knows only #[test] functions as tests")]

mod support;

mod streaming;

mod invoke;

mod endings;

mod refusals;

mod environments;

mod pace;

mod wire;

mod function_url;

mod faults_wire;

mod faults_frames;

mod faults_payload;

mod faults_course;

mod faults_rules;
