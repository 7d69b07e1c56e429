//! Where each plugin calls its function, and as whom, comes in; one `[aws]` goes out, for all routes, with a
//! warning for each that says otherwise. Pure.

use serde_json::{Map, Value};

use super::plugin::{flag, text};
use crate::command::import::imported::quoted;

/// Where Kong asks where nothing is said.
const PORT_DEFAULT: u64 = 443;

/// Of all routes so far.
#[derive(Default)]
pub(super) struct Aws {
    routes: Vec<Said>,
}

/// Of one.
struct Said {
    route: String,
    region: Option<String>,
    role_arn: Option<String>,
    endpoint_url: Option<String>,
    /// Only compared.
    key: Option<Value>,
}

impl Aws {
    pub(super) fn add(
        &mut self,
        route: &str,
        settings: &Map<String, Value>,
        warnings: &mut Vec<String>,
    ) -> Result<(), String> {
        let region = text(settings, "aws_region")?.map(str::to_owned);
        let letters = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        if region.as_ref().is_some_and(|region| !region.chars().all(letters)) {
            return Err("aws_region is no region".into());
        }
        let (region, endpoint_url) = endpoint(settings, region)?;
        let role_arn = text(settings, "aws_assume_role_arn")?.map(str::to_owned);
        if role_arn.as_ref().is_some_and(|role| !is_role(role)) {
            return Err("aws_assume_role_arn is no role: arn:aws:iam::ACCOUNT:role/NAME".into());
        }
        if settings.contains_key("aws_key") || settings.contains_key("aws_secret") {
            let reason = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to what were aws_key and aws_secret, for all \
                          routes; or better, leave them out for a profile or a role ([aws])";
            warnings.push(reason.into());
        }
        let elsewhere = [
            ("aws_role_session_name", "the session is called stream-gateway"),
            ("aws_sts_endpoint_url", "AWS SDKs take AWS_ENDPOINT_URL_STS"),
            ("aws_imds_protocol_version", "machines are asked by version 2"),
            ("proxy_url", "set HTTPS_PROXY (and NO_PROXY), which count for all routes"),
            ("proxy_scheme", "it is that of HTTPS_PROXY"),
        ];
        for (key, instead) in elsewhere {
            if settings.contains_key(key) {
                warnings.push(format!("{key}: not carried over: {instead}"));
            }
        }
        let key = settings.get("aws_key").cloned();
        self.routes.push(Said { route: route.to_owned(), region, role_arn, endpoint_url, key });
        Ok(())
    }

    /// With what the first one says that says it.
    pub(super) fn table(&self, warnings: &mut Vec<String>) -> String {
        let settings: [(&str, fn(&Said) -> Option<&String>); 3] = [
            ("region", |said| said.region.as_ref()),
            ("role_arn", |said| said.role_arn.as_ref()),
            ("endpoint_url", |said| said.endpoint_url.as_ref()),
        ];
        let mut table = String::new();
        for (name, of) in settings {
            let Some(first) = self.routes.iter().find_map(of) else { continue };
            table.push_str(&format!("{name} = {}\n", quoted(first)));
            let others = self.routes.iter().filter(|said| of(said) != Some(first));
            let others: Vec<&str> = others.map(|said| said.route.as_str()).collect();
            if !others.is_empty() {
                let others = others.join(", ");
                warnings.push(format!(
                    "{name} = {} now counts for all routes, and was not that of: {others}; [aws] is one for a \
                     gateway: have another gateway for those",
                    quoted(first)
                ));
            }
        }
        if self.routes.iter().any(|said| said.key != self.routes[0].key) {
            let reason =
                "the routes have not all the same aws_key: a gateway has one pair of keys for all";
            warnings.push(reason.into());
        }
        if table.is_empty() { table } else { format!("[aws]\n{table}\n") }
    }
}

/// The region, and the URL of a service that is not the usual one.
fn endpoint(
    settings: &Map<String, Value>,
    region: Option<String>,
) -> Result<(Option<String>, Option<String>), String> {
    let host = text(settings, "host")?;
    let letters = |letter: char| letter.is_ascii_alphanumeric() || "-.:[]".contains(letter);
    if host.is_some_and(|host| host.is_empty() || !host.chars().all(letters)) {
        return Err("host is no host".into());
    }
    let port = match settings.get("port") {
        None => PORT_DEFAULT,
        Some(port) => {
            let port = port.as_u64().filter(|port| (1..=u64::from(u16::MAX)).contains(port));
            port.ok_or("port is no port")?
        }
    };
    let scheme = if flag(settings, "disable_https", false)? { "http" } else { "https" };
    let usual = scheme == "https" && port == PORT_DEFAULT;
    let of_region = |region: &str| format!("lambda.{region}.amazonaws.com");
    let host = match (host, &region) {
        (None, _) if usual => return Ok((region, None)),
        (None, Some(region)) => of_region(region),
        (None, None) => {
            let reason = "port and disable_https are of no host: write aws_region or host";
            return Err(reason.into());
        }
        (Some(host), None) if usual => {
            let named = host.strip_prefix("lambda.").and_then(|rest| rest.split('.').next());
            match named.filter(|region| of_region(region) == host) {
                Some(region) => return Ok((Some(region.to_owned()), None)),
                None => host.to_owned(),
            }
        }
        (Some(host), Some(region)) if usual && of_region(region) == host => {
            return Ok((Some(region.clone()), None));
        }
        (Some(host), _) => host.to_owned(),
    };
    let port = if usual { String::new() } else { format!(":{port}") };
    Ok((region, Some(format!("{scheme}://{host}{port}"))))
}

fn is_role(arn: &str) -> bool {
    arn.starts_with("arn:") && arn.contains(":role/")
}
