//! A function of this very program goes in; the Lambda service on loopback runs it, with the limits
//! that AWS documents. So an example needs neither an account nor a second terminal.

use local_lambda::{Function, LocalLambda, Logs};

/// The first argument by which a program of this folder is told to be the function.
pub(crate) const FUNCTION: &str = "function";

/// Starts the service with functions of these names, all of them this program.
pub(crate) async fn serve(names: &[&str]) -> Result<LocalLambda, Box<dyn std::error::Error>> {
    let this = std::env::current_exe()?;
    let functions = names.iter().map(|name| Function::new(*name, &this).arg(FUNCTION).arg(name));
    let service = LocalLambda::builder().logs(Logs::Stderr);
    Ok(functions.fold(service, |service, function| service.function(function)).start().await?)
}

/// Whether this process is to be a function, and which.
pub(crate) fn function() -> Option<String> {
    let mut arguments = std::env::args().skip(1);
    arguments.next().filter(|first| first == FUNCTION).and_then(|_| arguments.next())
}
