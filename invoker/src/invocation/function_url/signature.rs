//! A request goes in; the same comes out with a signature of its sender (SigV4).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, Uri};

use crate::error::{Causes, Error, ErrorKind};

/// The service that a signature is for.
const SERVICE: &str = "lambda";

/// What stands before the region in the host of a Function URL, and what stands behind it.
const BEFORE_REGION: &str = ".lambda-url.";
const BEHIND_REGION: &str = ".on.aws";

/// How long before credentials expire others are asked for: longer than any call takes to be sent.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);

/// Signs requests; clones share the credentials that were found.
#[derive(Clone)]
pub(super) struct Signer {
    provider: SharedCredentialsProvider,
    found: Arc<tokio::sync::Mutex<Option<Credentials>>>,
    region: Option<String>,
    now: fn() -> SystemTime,
}

/// The region that an URL of the service itself names.
pub(super) fn region_in(url: &str) -> Option<&str> {
    let host = url.split_once("://")?.1.split(['/', '?', ':']).next()?;
    let (_, region) = host.split_once(BEFORE_REGION)?;
    region.split_once(BEHIND_REGION).map(|(region, _)| region)
}

impl Signer {
    pub(super) fn new(provider: SharedCredentialsProvider) -> Self {
        Self { provider, found: Arc::default(), region: None, now: SystemTime::now }
    }

    pub(super) fn with_region(mut self, region: String) -> Self {
        self.region = Some(region);
        self
    }

    pub(super) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    pub(super) async fn sign(&self, request: &mut Request<Bytes>) -> Result<(), Error> {
        let credentials = self.credentials().await?;
        spell_spaces(request)?;
        let uri = request.uri().to_string();
        let region = region_in(&uri).or(self.region()).ok_or_else(|| {
            let message = "no region to sign for: the URL names none, so it has to be set";
            Error::new(ErrorKind::Configuration, message)
        })?;
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(SERVICE)
            .time((self.now)())
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| unsigned())?
            .into();
        // What is not signed may be changed by a front door: ranges by a cache, encodings by anyone.
        let signed = [HOST, CONTENT_TYPE];
        let headers = signed
            .iter()
            .filter_map(|name| Some((name.as_str(), request.headers().get(name)?.to_str().ok()?)));
        let body = SignableBody::Bytes(request.body());
        let signable = SignableRequest::new(request.method().as_str(), &uri, headers, body);
        let signed = signable.and_then(|signable| sign(signable, &parameters));
        // Its words are left out: the errors of the signer quote what was to be signed.
        let (instructions, _) = signed.map_err(|_| unsigned())?.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }

    /// The last ones, as long as they are good; of many calls that find none, one asks.
    async fn credentials(&self) -> Result<Credentials, Error> {
        let mut found = self.found.lock().await;
        let good_until = (self.now)() + RENEW_BEFORE;
        let good = |found: &&Credentials| found.expiry().is_none_or(|end| end > good_until);
        if let Some(found) = found.as_ref().filter(good) {
            return Ok(found.clone());
        }
        let new = self.provider.provide_credentials().await.map_err(|error| {
            Error::new(ErrorKind::Configuration, "no usable credentials")
                .with_source(Causes::of(&error))
        })?;
        *found = Some(new.clone());
        Ok(new)
    }
}

/// Of a `+` in a query signers differ: botocore signs it as it is, this one as a space. The service sees
/// the same signature of `%20`, whoever makes it, and the function the same parameters.
fn spell_spaces(request: &mut Request<Bytes>) -> Result<(), Error> {
    let uri = request.uri();
    let Some(query) = uri.query().filter(|query| query.contains('+')) else { return Ok(()) };
    let spelled = format!("{}?{}", uri.path(), query.replace('+', "%20"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(spelled.parse().map_err(|_| unsigned())?);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| unsigned())?;
    Ok(())
}

fn unsigned() -> Error {
    Error::new(ErrorKind::InvalidInput, "the call cannot be signed as it is")
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("region", &self.region).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_credential_types::provider::{self, future};
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn an_url_of_the_service_names_its_region() {
        let table = [
            ("https://abc.lambda-url.eu-west-1.on.aws/x", Some("eu-west-1")),
            ("https://abc.lambda-url.us-gov-east-1.on.aws", Some("us-gov-east-1")),
            ("https://example.com/.lambda-url.eu-west-1.on.aws", None),
            ("http://127.0.0.1:9000", None),
        ];
        for (url, region) in table {
            assert_eq!(region_in(url), region, "{url}");
        }
    }

    /// 2026-11-21 12:00:00 UTC.
    fn noon() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_262_400)
    }

    fn signer(provider: impl ProvideCredentials + 'static) -> Signer {
        Signer { now: noon, ..Signer::new(SharedCredentialsProvider::new(provider)) }
    }

    /// The signatures were made by botocore 1.44.5 (`SigV4Auth`, service `lambda`) at that time, of the
    /// query as it is sent.
    #[tokio::test]
    async fn it_signs_as_botocore_does() {
        let table = [
            (
                "x=1&y=2",
                "x=1&y=2",
                "1fee4aa477da187dcc2d835982f99b249895901d17d685d655ed78a4e43f2f50",
            ),
            ("x=a+b&y=2", "x=a%20b&y=2", OF_A_SPACE),
            ("x=a%20b&y=2", "x=a%20b&y=2", OF_A_SPACE),
            (
                "x=a%2Bb&y=2",
                "x=a%2Bb&y=2",
                "428ccc7268b9725b9786cb252124f369a3da4ad3bcc183a68ea991c033d746c3",
            ),
        ];
        for (query, sent, signature) in table {
            let token = Some("token".into());
            let credentials =
                Credentials::new("AKIDOFATEST", "secret-of-a-test", token, None, "test");
            let url = format!("https://abc.lambda-url.eu-west-1.on.aws/a%20b/c?{query}");
            let mut request = Request::post(url)
                .header("host", "abc.lambda-url.eu-west-1.on.aws")
                .header("content-type", "application/json")
                .header("range", "bytes=0-9")
                .body(Bytes::from_static(b"{}"))
                .unwrap();
            signer(credentials).sign(&mut request).await.unwrap();
            let authorization = request.headers()["authorization"].to_str().unwrap();
            assert_eq!(request.headers()["x-amz-date"], "20261121T120000Z");
            assert_eq!(request.headers()["x-amz-security-token"], "token");
            assert_eq!(authorization, format!("{SIGNED_BY_BOTOCORE}{signature}"));
            assert_eq!(request.uri().query(), Some(sent));
        }
    }

    const OF_A_SPACE: &str = "1fabd782498eec17f760d9d6ce77186f6f4508ca4d6d1e170bf31d8c9edeca39";

    const SIGNED_BY_BOTOCORE: &str = "AWS4-HMAC-SHA256 \
        Credential=AKIDOFATEST/20261121/eu-west-1/lambda/aws4_request, \
        SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, \
        Signature=";

    #[derive(Debug)]
    struct Counting {
        expires_in: Duration,
        asked: Arc<AtomicUsize>,
    }

    impl ProvideCredentials for Counting {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let expiry = Some(noon() + self.expires_in);
            let found: provider::Result = Ok(Credentials::new("a", "b", None, expiry, "counting"));
            future::ProvideCredentials::ready(found)
        }
    }

    #[tokio::test]
    async fn credentials_are_asked_for_when_they_run_out() {
        for (seconds, expected) in [(3_600, 1), (60, 3)] {
            let asked = Arc::new(AtomicUsize::new(0));
            let provider =
                Counting { expires_in: Duration::from_secs(seconds), asked: Arc::clone(&asked) };
            let signer = signer(provider);
            for _ in 0..3 {
                signer.clone().credentials().await.unwrap();
            }
            assert_eq!(asked.load(Ordering::Relaxed), expected);
        }
    }
}
