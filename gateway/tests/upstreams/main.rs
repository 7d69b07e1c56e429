//! Routes and functions, servers and commands behind them go in; what a client of the gateway sees, and what they
//! see of it, comes out.
#![allow(clippy::unwrap_used)] // helpers of tests may unwrap, as tests may

#![allow(clippy::unwrap_used)] // tests may

mod formats;
mod http;
mod local;
mod segments;
mod support;
