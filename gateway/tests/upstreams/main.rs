//! Routes and functions, servers and commands behind them go in; what a client of the gateway sees, and what they
//! see of it, comes out.

mod formats;
mod http;
mod local;
mod segments;
mod support;
