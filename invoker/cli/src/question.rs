//! Arguments that say what is wanted go in; what is sent to the function comes out.

use std::io::Read;

use invoker::Invocation;
use serde_json::Value;

use crate::args::Question;
use crate::report::Failure;

/// The event for the function, if one was given; checked, because the service's answer to a
/// malformed one does not say where.
pub(crate) fn payload(question: &Question) -> Result<Option<Vec<u8>>, Failure> {
    question.payload.as_deref().map(|argument| json(argument, "-p", "the payload")).transpose()
}

/// The JSON that an argument of the flag `flag` gives or names.
pub(crate) fn json(argument: &str, flag: &str, what: &str) -> Result<Vec<u8>, Failure> {
    let (place, json) = match (argument, argument.strip_prefix('@')) {
        ("-", _) => {
            let mut json = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut json);
            read.map_err(|error| Failure::file("cannot read stdin", error))?;
            ("stdin".to_owned(), json)
        }
        (_, Some(path)) => {
            let read = std::fs::read(path);
            let json = read.map_err(|error| Failure::file(format!("cannot read {path}"), error))?;
            (path.to_owned(), json)
        }
        (json, None) => (flag.to_owned(), json.as_bytes().to_vec()),
    };
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&json) {
        let message = format!(
            "{what} from {place} is not JSON: line {}, column {}",
            error.line(),
            error.column()
        );
        return Err(Failure::Usage(message));
    }
    Ok(json)
}

/// What is asked of the function.
pub(crate) fn invocation(
    question: &Question,
    function: &str,
    payload: Option<Vec<u8>>,
) -> Result<Invocation, Failure> {
    let mut invocation = Invocation::new(function);
    invocation = match (&question.object, payload) {
        (Some(name), _) => invocation.object(name),
        (None, Some(payload)) => invocation.payload(payload),
        (None, None) => invocation,
    };
    if let Some(qualifier) = &question.qualifier {
        invocation = invocation.qualifier(qualifier);
    }
    if let Some(tenant_id) = &question.tenant_id {
        invocation = invocation.tenant_id(tenant_id);
    }
    if let Some(argument) = &question.client_context {
        invocation = invocation.client_context(client_context(argument)?);
    }
    Ok(invocation)
}

fn client_context(argument: &str) -> Result<serde_json::Map<String, Value>, Failure> {
    const FLAG: &str = "--client-context";
    let not_an_object =
        || Failure::Usage(format!("{FLAG} is a JSON object, such as {{\"env\": {{}}}}"));
    // Stdin may be the payload's.
    if argument == "-" {
        return Err(not_an_object());
    }
    let json = json(argument, FLAG, "the client context")?;
    serde_json::from_slice(&json).map_err(|_| not_an_object())
}
