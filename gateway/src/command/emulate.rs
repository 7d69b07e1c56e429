//! Arguments come in: a template and commands for its functions; the REST API of that template answers until a
//! signal ends it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use local_lambda::Limits;
use stream_gateway::Emulation;

use super::signals::{Signal, Signals};
use super::{Failure, print, say};

const API_KEY_VARIABLE: &str = "STREAM_GATEWAY_API_KEY";

/// What is emulated, and with what.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Emulate {
    /// A SAM or CloudFormation template, YAML or JSON
    template: PathBuf,
    /// The command of a function: by its logical id, or by its name where the template has only an ARN; may be
    /// repeated
    #[arg(long, value_name = "NAME=COMMAND", value_parser = pair)]
    function: Vec<(String, String)>,
    /// The value of a parameter of the template; may be repeated. @FILE is what the file says
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    parameter: Vec<(String, String)>,
    /// An API key that is good; may be repeated. Without one, one is made up and told on stderr
    #[arg(long, value_name = "KEY", env = API_KEY_VARIABLE, hide_env_values = true)]
    api_key: Vec<String>,
    /// The name of the stage, in place of the template's
    #[arg(long)]
    stage: Option<String>,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Whether the limits of the Lambda service hold
    #[arg(long, value_enum, default_value_t = Which::Aws)]
    limits: Which,
}

const EXAMPLES: &str = "\
Example:
  stream-gateway emulate deploy/rest-stream.yaml \\
    --function Function=target/debug/stream-fn \\
    --function AuthorizerFunction=target/debug/stream-authorizer \\
    --parameter AuthorizerSettings=@authorizer.toml --api-key secret
  curl -H 'x-api-key: secret' -H \"authorization: Bearer $TOKEN\" http://127.0.0.1:PORT/live/1MiB";

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    Aws,
    Off,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("write NAME=VALUE".into()),
    }
}

pub(super) async fn emulate(arguments: Emulate) -> Result<ExitCode, Failure> {
    let mut signals = Signals::listen()
        .map_err(|error| Failure::System(format!("cannot listen to signals: {error}")))?;
    let name = arguments.template.display().to_string();
    let template = std::fs::read_to_string(&arguments.template)
        .map_err(|why| Failure::Refused(format!("{name}: {why}")))?;
    let mut emulation = Emulation::new(template).listen(arguments.listen);
    for (name, command) in arguments.function {
        emulation = emulation.function(name, command);
    }
    for (name, value) in arguments.parameter {
        let value = match value.strip_prefix('@') {
            Some(file) => std::fs::read_to_string(file)
                .map_err(|why| Failure::Refused(format!("{file}: {why}")))?,
            None => value,
        };
        emulation = emulation.parameter(name, value);
    }
    // An empty variable is one that is not set.
    let from_flags = std::env::var_os(API_KEY_VARIABLE).is_none_or(|value| !value.is_empty());
    for key in arguments.api_key.into_iter().filter(|key| from_flags || !key.is_empty()) {
        emulation = emulation.api_key(key);
    }
    if let Some(stage) = arguments.stage {
        emulation = emulation.stage(stage);
    }
    if let Which::Off = arguments.limits {
        emulation = emulation.limits(Limits::off());
    }
    let emulated = emulation.start().await;
    let emulated = emulated.map_err(|reason| Failure::Refused(format!("{name}: {reason}")))?;
    for note in emulated.notes() {
        say(&format!("{name}: {note}"));
    }
    if let Some(key) = emulated.api_key() {
        say(&format!("x-api-key: {key}"));
    }
    print(&format!("listening on {}", emulated.url()));
    while !matches!(signals.next().await, Signal::End { .. }) {}
    emulated.shutdown().await;
    Ok(ExitCode::SUCCESS)
}
