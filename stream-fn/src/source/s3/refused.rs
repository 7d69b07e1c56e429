//! An error of the AWS SDK comes in; what it means for the object that was asked for goes out: not found,
//! changed, or a failure.

use crate::failure::Failure;
use crate::source::OpenError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_smithy_types::error::metadata::ErrorMetadata;
use std::error::Error as StdError;

/// Of the HTTP response, whose type is the SDK's.
type Raw = aws_sdk_s3::config::http::HttpResponse;

/// Why an object could not be found out about. `by_version`: it was asked for by its `versionId`.
pub(super) fn to_open(error: &SdkError<HeadObjectError, Raw>, by_version: bool) -> OpenError {
    match status(error) {
        Some(404) => OpenError::NotFound("no such object".to_owned()),
        // A marker of a deletion, and what is no id of a version.
        Some(405 | 400) if by_version => OpenError::NotFound("no such version".to_owned()),
        // Without s3:ListBucket this is all that S3 says of what is not there.
        Some(403) => {
            tracing::warn!(
                "S3 refused an object (403): if it exists, the function's role needs s3:GetObject for \
                 it, or s3:GetObjectVersion; without s3:ListBucket this is also said of what is missing"
            );
            OpenError::NotFound("no such object, or the function may not read it".to_owned())
        }
        status => OpenError::Failed(unavailable(error, status)),
    }
}

/// Why the bytes of an object that was found could not be read.
pub(super) fn to_read(error: &SdkError<GetObjectError, Raw>) -> Failure {
    match (status(error), error.code()) {
        (Some(404 | 405 | 412 | 416), _) => changed(),
        (Some(403), Some("InvalidObjectState")) => {
            let words =
                "the object is archived: restore it before it is asked for (InvalidObjectState)";
            Failure::new("SourceUnavailable", words)
        }
        (status, _) => unavailable(error, status),
    }
}

/// What was found is not there any more.
pub(super) fn changed() -> Failure {
    Failure::new("ObjectChanged", "the object was changed or deleted in S3 while it was read")
}

/// With the code of S3 or the kind of the error, and the words of the SDK's sources, which have neither
/// credentials nor signatures.
fn unavailable<E>(error: &SdkError<E, Raw>, status: Option<u16>) -> Failure
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let code = ErrorMetadata::code(error.meta()).unwrap_or("no code");
    let words = match (error, status) {
        (_, Some(301 | 307 | 308)) => {
            "S3 sends to another region: set AWS_REGION to that of the bucket".to_owned()
        }
        (_, Some(status)) => format!("S3 answered {status}, {code}"),
        (SdkError::TimeoutError(_), _) => "S3 did not answer in time".to_owned(),
        (SdkError::DispatchFailure(_), _) => "S3 could not be reached".to_owned(),
        (SdkError::ConstructionFailure(_), _) => "S3 could not be asked".to_owned(),
        _ => "S3 answered what its SDK cannot read".to_owned(),
    };
    let words = match StdError::source(error) {
        Some(source) if status.is_none() => {
            format!("{words}: {}", crate::failure::words_of(source))
        }
        _ => words,
    };
    Failure::new("SourceUnavailable", words)
}

fn status<E>(error: &SdkError<E, Raw>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}
