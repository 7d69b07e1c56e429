//! An HTTP gateway that streams: requests come in; routes decide which AWS Lambda function, URL or local
//! command answers them; the answer goes out as it arrives, and whatever breaks it stays visible.
#![doc = ""]
#![doc = include_str!("../README.md")]

mod config;

mod routes;

mod admin;
mod server;
mod tls;

mod front;

mod hop_by_hop;

mod event;

mod aws;
mod upstream;

mod authorization;

mod retries;

mod answer;
mod event_stream_end;
mod passage;
mod path;
mod problem;

mod access_log;
mod ending;
mod exchange;
mod hang_up;
mod metrics;
mod request_id;

#[cfg(feature = "local")]
mod document;
#[cfg(feature = "local")]
mod rest;

pub use config::{Complaint, Complaints, Config};
pub use metrics::Metrics;
#[cfg(feature = "local")]
pub use rest::{Emulated, Emulation};
pub use server::{Cut, Error, Gateway, Reloaded};
