//! The status and the name of an error of the service go in; whether another call may fare better
//! comes out. Pure.

use super::retry::Class;

/// What a refusal means for another try. A name that is known counts for more than the status: the
/// service says 502 for much that stays as it is.
pub(super) fn class(status: u16, code: &str) -> Class {
    match code {
        // The function or its network is being made ready, or there is no room for it now.
        "CodeArtifactUserPendingException"
        | "ENILimitReachedException"
        | "ResourceConflictException"
        | "ResourceNotReadyException"
        | "SnapStartNotReadyException"
        | "SubnetIPAddressLimitReachedException" => Class::NotReady,
        // Something did not work this time.
        "EC2UnexpectedException"
        | "EFSIOException"
        | "EFSMountConnectivityException"
        | "EFSMountTimeoutException"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "S3FilesMountConnectivityException"
        | "S3FilesMountTimeoutException"
        | "ServiceException"
        | "SnapStartTimeoutException" => Class::Transient,
        // Somebody has to change something first: the function, a key, a permission, a quota.
        "CodeArtifactUserDeletedException"
        | "CodeArtifactUserFailedException"
        | "EC2AccessDeniedException"
        | "EFSMountFailureException"
        | "InvalidParameterValueException"
        | "InvalidRequestContentException"
        | "InvalidRuntimeException"
        | "InvalidSecurityGroupIDException"
        | "InvalidSubnetIDException"
        | "InvalidZipFileException"
        | "KMSAccessDeniedException"
        | "KMSDisabledException"
        | "KMSInvalidStateException"
        | "KMSNotFoundException"
        | "NoPublishedVersionException"
        | "RecursiveInvocationException"
        | "RequestTooLargeException"
        | "ResourceNotFoundException"
        | "RuntimeAliasDeletedException"
        | "RuntimeVersionDeletedException"
        | "S3FilesMountFailureException"
        | "SerializedRequestEntityTooLargeException"
        | "ServiceQuotaExceededException"
        | "SnapStartException"
        | "SnapStartRegenerationFailureException"
        | "UnsupportedMediaTypeException" => Class::Final,
        _ => match status {
            // 200: the service broke off a stream that had begun.
            200 | 408 | 500 | 502 | 503 | 504 => Class::Transient,
            _ => Class::Final,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every error of the operation, as the service's model has them (botocore 1.44.5), but for the
    /// two throttles, which are a kind of their own.
    #[test]
    fn every_error_of_the_model_has_its_class() {
        const FINAL: Class = Class::Final;
        const TRANSIENT: Class = Class::Transient;
        const NOT_READY: Class = Class::NotReady;
        let table = [
            (400, "InvalidParameterValueException", FINAL),
            (400, "InvalidRequestContentException", FINAL),
            (400, "NoPublishedVersionException", FINAL),
            (400, "RecursiveInvocationException", FINAL),
            (400, "SnapStartException", FINAL),
            (402, "ServiceQuotaExceededException", FINAL),
            (403, "EFSMountFailureException", FINAL),
            (403, "S3FilesMountFailureException", FINAL),
            (404, "ResourceNotFoundException", FINAL),
            (408, "EFSMountConnectivityException", TRANSIENT),
            (408, "EFSMountTimeoutException", TRANSIENT),
            (408, "S3FilesMountConnectivityException", TRANSIENT),
            (408, "S3FilesMountTimeoutException", TRANSIENT),
            (408, "SnapStartTimeoutException", TRANSIENT),
            (409, "CodeArtifactUserDeletedException", FINAL),
            (409, "CodeArtifactUserFailedException", FINAL),
            (409, "CodeArtifactUserPendingException", NOT_READY),
            (409, "ResourceConflictException", NOT_READY),
            (409, "RuntimeAliasDeletedException", FINAL),
            (409, "RuntimeVersionDeletedException", FINAL),
            (409, "SnapStartNotReadyException", NOT_READY),
            (409, "SnapStartRegenerationFailureException", FINAL),
            (410, "EFSIOException", TRANSIENT),
            (413, "RequestTooLargeException", FINAL),
            (413, "SerializedRequestEntityTooLargeException", FINAL),
            (415, "UnsupportedMediaTypeException", FINAL),
            (500, "ServiceException", TRANSIENT),
            (502, "EC2AccessDeniedException", FINAL),
            (502, "EC2UnexpectedException", TRANSIENT),
            (502, "ENILimitReachedException", NOT_READY),
            (502, "InvalidRuntimeException", FINAL),
            (502, "InvalidSecurityGroupIDException", FINAL),
            (502, "InvalidSubnetIDException", FINAL),
            (502, "InvalidZipFileException", FINAL),
            (502, "KMSAccessDeniedException", FINAL),
            (502, "KMSDisabledException", FINAL),
            (502, "KMSInvalidStateException", FINAL),
            (502, "KMSNotFoundException", FINAL),
            (502, "ResourceNotReadyException", NOT_READY),
            (502, "SubnetIPAddressLimitReachedException", NOT_READY),
        ];
        for (status, code, expected) in table {
            assert_eq!(class(status, code), expected, "{status} {code}");
            // The name alone decides: in mid-stream there is no status.
            assert_eq!(class(200, code), expected, "{code} in mid-stream");
        }
    }

    #[test]
    fn what_has_no_known_name_is_told_by_its_status() {
        let table = [
            (200, "InternalFailure", Class::Transient),
            (301, "", Class::Final),
            (400, "ValidationException", Class::Final),
            (400, "RequestTimeoutException", Class::Transient),
            (403, "ExpiredTokenException", Class::Final),
            (403, "AccessDeniedException", Class::Final),
            (408, "", Class::Transient),
            (500, "", Class::Transient),
            (501, "", Class::Final),
            (502, "", Class::Transient),
            (503, "ServiceUnavailable", Class::Transient),
            (504, "", Class::Transient),
            (505, "", Class::Final),
        ];
        for (status, code, expected) in table {
            assert_eq!(class(status, code), expected, "{status} {code}");
        }
    }
}
