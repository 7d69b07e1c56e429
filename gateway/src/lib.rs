//! An HTTP gateway that streams: requests come in; routes decide which AWS Lambda function, URL or local
//! command answers them; the answer goes out as it arrives, and whatever breaks it stays visible.
#![doc = ""]
#![doc = include_str!("../README.md")]

mod config;

mod routes;

mod server;

mod front;

mod hop_by_hop;

mod event;

mod authorization;

mod upstream;

mod answer;
mod problem;

#[cfg(feature = "local")]
mod rest;

pub use config::{Complaint, Config};
#[cfg(feature = "local")]
pub use rest::{Emulated, Emulation};
pub use server::{Error, Gateway};
