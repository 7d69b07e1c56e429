//! A request goes in; the same comes out with a signature of the gateway (SigV4), made with credentials that are
//! kept until shortly before they expire.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{HeaderName, Request, StatusCode, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::config::{self, Sign};
use crate::upstream::{Ending, Failure};

/// How long before credentials expire others are asked for: longer than any call takes to be sent.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);

/// How long credentials are looked for: a provider has limits of its own for each thing it asks, and asks many.
const LOOK_WITHIN: Duration = Duration::from_secs(10);

/// How long nobody looks again after there were none. Requests that come meanwhile are told at once.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What the signature is made of, or stands in. Of a client they would be somebody else's.
const OF_A_SIGNATURE: [HeaderName; 4] = [
    header::AUTHORIZATION,
    HeaderName::from_static("x-amz-content-sha256"),
    HeaderName::from_static("x-amz-date"),
    HeaderName::from_static("x-amz-security-token"),
];

/// Headers with this beginning are signed, beside `host` and `content-type`. All others may be changed on their
/// way: ranges by a cache, encodings by anyone.
const SIGNED_PREFIX: &str = "x-amz-";

/// What a canonical query leaves as it is (AWS general reference, "Create a signed AWS API request").
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Signs requests for one service.
pub(super) struct Signer {
    service: Sign,
    region: String,
    provider: SharedCredentialsProvider,
    found: Mutex<Found>,
}

/// What the last look for credentials has brought.
#[derive(Default)]
struct Found {
    credentials: Option<Credentials>,
    /// When there were none.
    none_at: Option<Instant>,
}

impl Signer {
    pub(super) fn new(
        service: Sign,
        http: &config::Http,
        loaded: &SdkConfig,
    ) -> Result<Self, String> {
        let of_url = region_in(&http.url.0).map(str::to_owned);
        let of_sdk = || loaded.region().map(|region| region.as_ref().to_owned());
        let region = http.region.clone().or(of_url).or_else(of_sdk).ok_or(
            "no region to sign for: the URL names none, so write region = \"...\" beside `sign`",
        )?;
        let provider = loaded.credentials_provider().ok_or("no credentials to sign with")?;
        Ok(Self { service, region, provider, found: Mutex::default() })
    }

    pub(super) async fn sign(
        &self,
        request: &mut Request<Bytes>,
        now: SystemTime,
    ) -> Result<(), Failure> {
        for name in OF_A_SIGNATURE {
            request.headers_mut().remove(name);
        }
        respell_query(request)?;
        let credentials = self.credentials(now).await?;
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(match self.service {
                Sign::Lambda => "lambda",
                Sign::ExecuteApi => "execute-api",
            })
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| unsigned())?
            .into();
        let uri = request.uri().to_string();
        let signed = |name: &HeaderName| {
            [header::HOST, header::CONTENT_TYPE].contains(name)
                || name.as_str().starts_with(SIGNED_PREFIX)
        };
        let headers = request.headers().iter().filter(|(name, _)| signed(name));
        let headers = headers.map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let headers = headers.collect::<Option<Vec<_>>>().ok_or_else(unsigned)?;
        let body = SignableBody::Bytes(request.body());
        let method = request.method().as_str();
        let signable = SignableRequest::new(method, &uri, headers.into_iter(), body);
        let signed = signable.and_then(|signable| sign(signable, &parameters));
        // Its words are left out: the errors of the signer quote what was to be signed.
        let (instructions, _) = signed.map_err(|_| unsigned())?.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }

    /// The last ones, as long as they are good; of many requests that find none, one asks.
    async fn credentials(&self, now: SystemTime) -> Result<Credentials, Failure> {
        let mut found = self.found.lock().await;
        let good = |found: &&Credentials| found.expiry().is_none_or(|end| end > now + RENEW_BEFORE);
        if let Some(credentials) = found.credentials.as_ref().filter(good) {
            return Ok(credentials.clone());
        }
        // Who waited while somebody looked in vain does not look as well.
        if found.none_at.is_some_and(|at| at.elapsed() < LOOK_AGAIN) {
            return Err(no_credentials());
        }
        let looked = timeout(LOOK_WITHIN, self.provider.provide_credentials()).await;
        let new = match looked {
            Ok(Ok(new)) => new,
            Ok(Err(error)) => {
                tracing::error!(%error, "no credentials to sign with");
                found.none_at = Some(Instant::now());
                return Err(no_credentials());
            }
            Err(_) => {
                tracing::error!(limit = ?LOOK_WITHIN, "no credentials to sign with in time");
                found.none_at = Some(Instant::now());
                return Err(no_credentials());
            }
        };
        *found = Found { credentials: Some(new.clone()), none_at: None };
        Ok(new)
    }
}

fn no_credentials() -> Failure {
    let detail = "the gateway has no credentials to sign this request with";
    Failure::new(Ending::Unreachable, StatusCode::BAD_GATEWAY, detail)
}

/// The region that an URL of AWS itself names: `ID.lambda-url.REGION.on.aws`, and
/// `ID.execute-api.REGION.amazonaws.com` with the suffix of any partition.
fn region_in(url: &str) -> Option<&str> {
    let host = url.split_once("://")?.1.split(['/', '?', ':']).next()?;
    if let Some((_, rest)) = host.split_once(".lambda-url.") {
        return rest.split_once(".on.aws").map(|(region, _)| region);
    }
    let (_, rest) = host.split_once(".execute-api.")?;
    rest.split_once(".amazonaws.com").map(|(region, _)| region)
}

/// Writes a query as signers and the service both have it: what may be encoded is, in one way, a `+` as the space
/// that it stands for. Its parameters, their order and what has no value stay.
fn respell_query(request: &mut Request<Bytes>) -> Result<(), Failure> {
    let uri = request.uri();
    let Some(query) = uri.query() else { return Ok(()) };
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let mut spelled = Vec::new();
        for part in pair.splitn(2, '=') {
            let spaced = part.replace('+', " ");
            let text = percent_decode_str(&spaced).decode_utf8().map_err(|_| unsigned())?;
            spelled.push(utf8_percent_encode(&text, ENCODED).to_string());
        }
        pairs.push(spelled.join("="));
    }
    let query = pairs.join("&");
    let spelled = match query.is_empty() {
        true => uri.path().to_owned(),
        false => format!("{}?{query}", uri.path()),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(spelled.parse().map_err(|_| unsigned())?);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| unsigned())?;
    Ok(())
}

fn unsigned() -> Failure {
    let detail =
        "the request cannot be signed as it is: its query and headers have to be text (UTF-8)";
    Failure::new(Ending::Rejected, StatusCode::BAD_REQUEST, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_url_of_aws_names_its_region() {
        let table = [
            ("https://abc.lambda-url.eu-west-1.on.aws/x", Some("eu-west-1")),
            ("https://abc.execute-api.eu-west-1.amazonaws.com/prod", Some("eu-west-1")),
            ("https://abc.execute-api.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("https://example.com/.lambda-url.eu-west-1.on.aws", None),
            ("http://127.0.0.1:9000", None),
        ];
        for (url, region) in table {
            assert_eq!(region_in(url), region, "{url}");
        }
    }

    fn signer(service: Sign) -> Signer {
        let token = Some("token".into());
        let credentials = Credentials::new("AKIDOFATEST", "secret-of-a-test", token, None, "test");
        Signer {
            service,
            region: "eu-west-1".into(),
            provider: SharedCredentialsProvider::new(credentials),
            found: Mutex::default(),
        }
    }

    /// The signatures were made by botocore 1.43.11 (`SigV4Auth`), of the query as it is sent, at
    /// 2026-11-21 12:00:00 UTC.
    #[tokio::test]
    async fn it_signs_as_botocore_does() {
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_262_400);
        let table = include!("signature/of_botocore.rs");
        for (service, url, sent, signature) in table {
            let (service, scope, host) = match service {
                "lambda" => (Sign::Lambda, "lambda", "abc.lambda-url.eu-west-1.on.aws"),
                _ => (Sign::ExecuteApi, "execute-api", "abc.execute-api.eu-west-1.amazonaws.com"),
            };
            let mut request = Request::post(format!("https://{host}{url}"))
                .header("host", host)
                .header("content-type", "application/json")
                .header("x-amz-own", "1")
                .header("range", "bytes=0-9")
                .header("authorization", "of the client")
                .header("x-amz-date", "of the client")
                .header("x-amz-security-token", "of the client")
                .body(Bytes::from_static(b"{}"))
                .unwrap();
            signer(service).sign(&mut request, noon).await.unwrap();
            let header = |name: &str| {
                let values: Vec<_> = request.headers().get_all(name).iter().collect();
                assert_eq!(values.len(), 1, "{name}");
                values[0].to_str().unwrap()
            };
            assert_eq!(request.uri().path_and_query().unwrap().as_str(), sent);
            assert_eq!(header("x-amz-date"), "20261121T120000Z");
            assert_eq!(header("x-amz-security-token"), "token");
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDOFATEST/20261121/eu-west-1/{scope}/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date;x-amz-own;x-amz-security-token, \
                 Signature={signature}"
            );
            assert_eq!(header("authorization"), expected, "{url}");
        }
    }

    /// Finds nothing, and takes its time.
    #[derive(Debug, Default)]
    struct Nobody(std::sync::Arc<std::sync::atomic::AtomicUsize>);

    impl ProvideCredentials for Nobody {
        fn provide_credentials<'a>(
            &'a self,
        ) -> aws_credential_types::provider::future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            aws_credential_types::provider::future::ProvideCredentials::new(std::future::pending())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_requests_without_credentials_wait_for_one_look() {
        let looks = std::sync::Arc::default();
        let nobody = Nobody(std::sync::Arc::clone(&looks));
        let provider = SharedCredentialsProvider::new(nobody);
        let signer = Signer { provider, ..signer(Sign::Lambda) };
        let began = Instant::now();
        let asked = (0..50).map(|_| signer.credentials(SystemTime::UNIX_EPOCH));
        let told = futures_util::future::join_all(asked).await;
        assert!(told.iter().all(Result::is_err));
        assert_eq!(began.elapsed(), LOOK_WITHIN); // of a clock that the test turns
        assert_eq!(looks.load(std::sync::atomic::Ordering::Relaxed), 1);
        tokio::time::advance(LOOK_AGAIN).await;
        assert!(signer.credentials(SystemTime::UNIX_EPOCH).await.is_err());
        assert_eq!(looks.load(std::sync::atomic::Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn what_is_no_text_is_refused_and_not_signed_wrongly() {
        for (url, header) in [("/?a=%FF", "1"), ("/", "\u{ff}")] {
            let mut request = Request::get(format!("https://h{url}"))
                .header("host", "h")
                .header("x-amz-own", header.as_bytes())
                .body(Bytes::new())
                .unwrap();
            let refused = signer(Sign::Lambda).sign(&mut request, SystemTime::UNIX_EPOCH).await;
            assert_eq!(refused.unwrap_err().status, StatusCode::BAD_REQUEST);
            assert!(!request.headers().contains_key("authorization"));
        }
    }
}
