//! The caller and the function, with the service between them: a function's program and a question go
//! in; what the caller has at the end, or has already, comes out.

#![allow(clippy::unwrap_used)] // helpers of tests may unwrap, as tests may

mod support;

mod streams;

mod encodings;

mod objects;

mod strangers;

mod scripts;

mod web;

mod node;
