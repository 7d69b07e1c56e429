//! `local`: functions and limits go in; the Lambda service on loopback runs until a signal. And
//! the function behind `local:`, which is this program again, in a process of its own.

use std::io::Write;

use local_lambda::{ErrorKind, Function, LocalLambda, Logs};

use crate::args::{Limits, Local};
use crate::report::{Failure, in_one_line};
use crate::signals;

/// Runs the service in the foreground.
pub(crate) async fn local(arguments: Local) -> Result<(), Failure> {
    let limits = match arguments.limits {
        Limits::Aws => local_lambda::Limits::aws(),
        Limits::Off => local_lambda::Limits::off(),
    };
    let logs = if arguments.quiet { Logs::Discard } else { Logs::Stderr };
    let mut builder = LocalLambda::builder().listen(arguments.listen).limits(limits).logs(logs);
    let has = |name: &String| arguments.functions.iter().any(|(known, _)| known == name);
    if let Some(name) = arguments.function_urls.iter().find(|name| !has(name)) {
        let what = "is for a function that is not there: add --function";
        return Err(Failure::Usage(format!("--function-url {name}: {what} {name}=COMMAND")));
    }
    for (name, command) in &arguments.functions {
        let function = Function::from_command_line(name, command)
            .map_err(|error| Failure::Usage(format!("--function {name}={command}: {error}")))?
            .timeout(arguments.timeout)
            .concurrency(arguments.concurrency)
            .url(arguments.function_urls.contains(name));
        builder = builder.function(function);
    }
    for rule in arguments.faults {
        builder = builder.fault(rule);
    }
    let listen = arguments.listen;
    let local = builder.start().await.map_err(|error| match error.kind() {
        ErrorKind::Listen => {
            let why = std::io::Error::other(in_one_line(&error));
            Failure::file(format!("cannot serve on {listen}"), why)
        }
        _ => Failure::Usage(in_one_line(&error)),
    })?;
    let mut lines = format!("listening on {}\n", local.endpoint_url());
    for (name, _) in &arguments.functions {
        if let Some(url) = local.function_url(name) {
            lines.push_str(&format!("{name} at {url}\n"));
        }
    }
    say(&lines)
        .map_err(|error| Failure::file("cannot say on stdout where the service is", error))?;

    let failure = signals::interrupted().await;
    local.shutdown().await;
    Err(failure)
}

fn say(lines: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(lines.as_bytes())?;
    stdout.flush()
}

/// Runs the function that its environment describes, as the ready function `stream-fn` does.
pub(crate) async fn function() -> Result<(), Failure> {
    let setting = std::env::var("STREAM_FN_SOURCE").unwrap_or_default();
    let wrong = |name, error| Failure::Usage(format!("{name}: {}", in_one_line(&error)));
    let plain =
        stream_fn::source::parse(&setting).map_err(|error| wrong("STREAM_FN_SOURCE", error))?;
    let source = match std::env::var("STREAM_FN_CHECKSUM") {
        Ok(checksum) => stream_fn::source::parse_with_checksum(&setting, &checksum)
            .map_err(|error| wrong("STREAM_FN_CHECKSUM", error))?,
        Err(_) => plain,
    };
    stream_fn::serve(source)
        .await
        .map_err(|error| Failure::file("the function cannot run", std::io::Error::other(error)))
}
