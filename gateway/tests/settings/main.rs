//! The command and the library as whoever configures a gateway sees them: files go in; complaints, addresses,
//! answers and exit codes come out.
#![allow(clippy::unwrap_used)] // tests may

mod support;

mod bad_files;
mod check;
mod import_apisix;
mod import_kong;
mod library;
mod limits;
mod reload;
mod shutdown;
mod tls;
