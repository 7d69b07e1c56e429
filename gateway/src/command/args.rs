//! The command line, as `--help` tells it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// An HTTP gateway that streams AWS Lambda functions.
///
/// Answers go out as they arrive, in bounded memory; an answer that broke never looks whole.
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  stream-gateway check gateway.toml
  stream-gateway run gateway.toml
  stream-gateway run gateway.toml --listen 127.0.0.1:0
  kill -HUP PID                                  # read the file again; it is watched as well
  stream-gateway import kong kong.yml > gateway.toml
  stream-gateway import apisix route.json >> gateway.toml
  curl -s localhost:9180/apisix/admin/routes/1 -H \"X-API-KEY: $KEY\" | stream-gateway import apisix -

Exit codes:
  0 all answers came to their end; 1 it could not start; 2 the configuration or the arguments are
  wrong; 130 (SIGINT), 143 (SIGTERM) a signal ended it and answers were cut, or it had not started";

#[derive(Subcommand)]
pub(super) enum Command {
    /// Serve a configuration until a signal ends it
    ///
    /// Prints `listening on http://ADDRESS` for each address when it is ready. A file that changes, or SIGHUP,
    /// is read again: new requests are served by it, running answers go on; a file with something wrong is
    /// told on stderr and changes nothing. SIGTERM and SIGINT let running answers come to their end within
    /// `shutdown_grace`; a second signal cuts them.
    #[command(after_help = EXAMPLES)]
    Run {
        /// The configuration, in TOML
        file: PathBuf,
        /// Listen here in place of what the file says; may be repeated
        #[arg(long, value_name = "ADDRESS")]
        listen: Vec<SocketAddr>,
    },
    /// Say everything that is wrong with a configuration
    ///
    /// Starts nothing and asks nobody. Each line is FILE:LINE: REASON, on stderr; the exit code is 2.
    Check {
        /// The configuration, in TOML
        file: PathBuf,
    },
    /// Take the part of the REST API in a template, with commands for its functions
    ///
    /// Reads a SAM or CloudFormation template, starts its functions under a Lambda service on loopback, and answers
    /// as API Gateway does for an API with response streaming: stage, authorizers, API keys, errors, headers, limits.
    /// Prints `listening on URL` when it is ready. What of the template is not emulated is told on stderr.
    #[cfg(feature = "local")]
    Emulate(super::emulate::Emulate),
    /// Make routes of another gateway's configuration
    Import {
        #[command(subcommand)]
        from: Import,
    },
}

#[derive(Subcommand)]
pub(super) enum Import {
    /// From a route of Apache APISIX with its `aws-lambda` plugin, or that plugin's object alone; JSON
    ///
    /// Prints `[[routes]]` for a gateway.toml on stdout, and on stderr what will be otherwise. Keys are never
    /// printed: they belong into variables of the environment, which are named. Nobody is let in before you
    /// have written an authorizer: `check` says where.
    Apisix {
        /// The file, or - for stdin
        file: PathBuf,
    },
    /// From a declarative configuration of Kong whose routes have the plugin `aws-lambda`; YAML or JSON
    ///
    /// Takes a kong.yml, a list of plugins, or the plugin alone. Prints `[aws]` and `[[routes]]` for a gateway.toml
    /// on stdout, and on stderr what will be otherwise. Keys are never printed: they belong into variables of the
    /// environment, which are named. Nobody is let in before you have written an authorizer: `check` says where.
    Kong {
        /// The file, or - for stdin
        file: PathBuf,
    },
}
