//! Requests come in, as API Gateway or a gateway of yours tells of them; decisions go out, and policies.
#![doc = ""]
#![doc = include_str!("../README.md")]

mod error;

mod route;

mod settings;

mod request;

mod decision;

mod scope;

mod api_key;

mod key_set;

mod key_source;

mod token;

pub mod policy;

mod engine;

mod event;

mod answer;

#[cfg(feature = "function")]
mod function;

pub use answer::{NoAnswer, answer};
pub use decision::{Decision, Denial, DenialReason, Grant, Unauthenticated};
pub use engine::Engine;
pub use error::{Error, ErrorKind};
#[cfg(feature = "function")]
pub use function::run;
pub use request::RequestView;
pub use route::{Route, RouteError};
pub use settings::{ContextValue, HttpApiAnswer, JwtSettings, KeySettings, Settings};
