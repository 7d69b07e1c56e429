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

/// The service that a signature is for, where the URL names none.
const LAMBDA: &str = "lambda";

/// That of the APIs of API Gateway, which may have functions behind them.
const EXECUTE_API: &str = "execute-api";

/// What stands before the region in the host of a Function URL, and what stands behind it.
const BEFORE_REGION: &str = ".lambda-url.";
const BEHIND_REGION: &str = ".on.aws";

/// What stands before the region in the host of an API, of its own or of an endpoint
/// (`ID-vpce-ID.execute-api.REGION.`), and the suffixes of the partitions behind it: the most of them,
/// China, and the European Sovereign Cloud (AWS, "AWS service endpoints" of API Gateway).
const BEFORE_REGION_OF_API: &str = ".execute-api.";
const SUFFIXES_OF_API: [&str; 3] = ["amazonaws.com", "amazonaws.com.cn", "amazonaws.eu"];

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

/// The region that an URL of AWS itself names.
pub(super) fn region_in(url: &str) -> Option<&str> {
    named_in(url).map(|(_, region)| region)
}

/// Service and region that an URL of AWS itself names: of a Function URL, or of an API.
fn named_in(url: &str) -> Option<(&'static str, &str)> {
    let host = url.split_once("://")?.1.split(['/', '?', ':']).next()?;
    if let Some((_, region)) = host.split_once(BEFORE_REGION) {
        return region.split_once(BEHIND_REGION).map(|(region, _)| (LAMBDA, region));
    }
    let (_, region) = host.split_once(BEFORE_REGION_OF_API)?;
    let (region, suffix) = region.split_once('.')?;
    SUFFIXES_OF_API.contains(&suffix).then_some((EXECUTE_API, region))
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
        let named = named_in(&uri).or_else(|| Some((LAMBDA, self.region()?)));
        let (service, region) = named.ok_or_else(|| {
            let message = "no region to sign for: the URL names none, so it has to be set";
            Error::new(ErrorKind::Configuration, message)
        })?;
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service)
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
    fn an_url_of_aws_names_its_service_and_region() {
        let table = [
            ("https://abc.lambda-url.eu-west-1.on.aws/x", Some(("lambda", "eu-west-1"))),
            ("https://abc.lambda-url.us-gov-east-1.on.aws", Some(("lambda", "us-gov-east-1"))),
            ("https://example.com/.lambda-url.eu-west-1.on.aws", None),
            ("https://abc.execute-api.eu-west-1.amazonaws.com/a", Some((EXECUTE_API, "eu-west-1"))),
            (
                "https://abc-vpce-0123456789abcdef0.execute-api.us-east-1.amazonaws.com?x=1",
                Some((EXECUTE_API, "us-east-1")),
            ),
            (
                "https://abc.execute-api.cn-north-1.amazonaws.com.cn:443/a",
                Some((EXECUTE_API, "cn-north-1")),
            ),
            (
                "https://abc.execute-api.eusc-de-east-1.amazonaws.eu",
                Some((EXECUTE_API, "eusc-de-east-1")),
            ),
            ("https://abc.execute-api.eu-west-1.amazonaws.com.example.com", None),
            ("https://abc.execute-api.eu-west-1", None),
            ("https://example.com/.execute-api.eu-west-1.amazonaws.com", None),
            ("http://127.0.0.1:9000", None),
        ];
        for (url, named) in table {
            assert_eq!(named_in(url), named, "{url}");
        }
    }

    /// 2026-11-21 12:00:00 UTC.
    fn noon() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_262_400)
    }

    fn signer(provider: impl ProvideCredentials + 'static) -> Signer {
        Signer { now: noon, ..Signer::new(SharedCredentialsProvider::new(provider)) }
    }

    /// The signatures were made by botocore 1.44.5 (`SigV4Auth`) at that time, of the query as it is sent.
    #[tokio::test]
    async fn it_signs_as_botocore_does() {
        let of_lambda = ("abc.lambda-url.eu-west-1.on.aws", "eu-west-1/lambda");
        let of_api = ("abc.execute-api.eu-west-1.amazonaws.com", "eu-west-1/execute-api");
        let of_endpoint = (
            "abc-vpce-0123456789abcdef0.execute-api.cn-north-1.amazonaws.com.cn",
            "cn-north-1/execute-api",
        );
        let table = [
            (
                of_lambda,
                "x=1&y=2",
                "x=1&y=2",
                "1fee4aa477da187dcc2d835982f99b249895901d17d685d655ed78a4e43f2f50",
            ),
            (of_lambda, "x=a+b&y=2", "x=a%20b&y=2", OF_A_SPACE),
            (of_lambda, "x=a%20b&y=2", "x=a%20b&y=2", OF_A_SPACE),
            (
                of_lambda,
                "x=a%2Bb&y=2",
                "x=a%2Bb&y=2",
                "428ccc7268b9725b9786cb252124f369a3da4ad3bcc183a68ea991c033d746c3",
            ),
            (
                of_api,
                "x=1&y=2",
                "x=1&y=2",
                "21f3481dcf15b309eef54090fc5b02dd82978d659a7592ca1e7e3869f268c0a6",
            ),
            (
                of_endpoint,
                "x=1&y=2",
                "x=1&y=2",
                "49b18ac31f2f30cb08e5f5d65237ab250cd59a0cf482040dbc1213187a94e764",
            ),
        ];
        for ((host, scope), query, sent, signature) in table {
            let token = Some("token".into());
            let credentials =
                Credentials::new("AKIDOFATEST", "secret-of-a-test", token, None, "test");
            let url = format!("https://{host}/a%20b/c?{query}");
            let mut request = Request::post(url)
                .header("host", host)
                .header("content-type", "application/json")
                .header("range", "bytes=0-9")
                .body(Bytes::from_static(b"{}"))
                .unwrap();
            // A region that is set is for URLs that name none.
            let signer = signer(credentials).with_region("us-east-1".into());
            signer.sign(&mut request).await.unwrap();
            let authorization = request.headers()["authorization"].to_str().unwrap();
            assert_eq!(request.headers()["x-amz-date"], "20261121T120000Z");
            assert_eq!(request.headers()["x-amz-security-token"], "token");
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDOFATEST/20261121/{scope}/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, \
                 Signature={signature}"
            );
            assert_eq!(authorization, expected);
            assert_eq!(request.uri().query(), Some(sent));
        }
    }

    const OF_A_SPACE: &str = "1fabd782498eec17f760d9d6ce77186f6f4508ca4d6d1e170bf31d8c9edeca39";

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
