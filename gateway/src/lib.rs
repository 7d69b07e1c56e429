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

mod upstream;

mod answer;
mod problem;

pub use config::{Complaint, Config};
pub use server::{Error, Gateway};
