//! Arguments that say what is wanted go in; what is sent to the function comes out.

use std::io::Read;

use invoker::Invocation;

use crate::args::Question;
use crate::report::Failure;

/// The event for the function, if one was given; checked, because the service's answer to a
/// malformed one does not say where.
pub(crate) fn payload(question: &Question) -> Result<Option<Vec<u8>>, Failure> {
    let Some(argument) = &question.payload else { return Ok(None) };
    let (place, json) = match (argument.as_str(), argument.strip_prefix('@')) {
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
        (json, None) => ("-p".to_owned(), json.as_bytes().to_vec()),
    };
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&json) {
        let message = format!(
            "the payload from {place} is not JSON: line {}, column {}",
            error.line(),
            error.column()
        );
        return Err(Failure::Usage(message));
    }
    Ok(Some(json))
}

/// What is asked of the function.
pub(crate) fn invocation(
    question: &Question,
    function: &str,
    payload: Option<Vec<u8>>,
) -> Invocation {
    let mut invocation = Invocation::new(function);
    if let Some(payload) = payload {
        invocation = invocation.payload(payload);
    }
    if let Some(qualifier) = &question.qualifier {
        invocation = invocation.qualifier(qualifier);
    }
    if let Some(tenant_id) = &question.tenant_id {
        invocation = invocation.tenant_id(tenant_id);
    }
    invocation
}
