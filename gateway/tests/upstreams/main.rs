//! Routes and functions, servers and commands behind them go in; what a client of the gateway sees, and what they
//! see of it, comes out.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod formats;
mod http;
mod lambda;
mod local;
mod segments;
mod support;
