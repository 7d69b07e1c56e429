//! A template of an API comes in, and commands for its functions; a gateway goes out that takes the part of that
//! API, with a Lambda service on loopback behind it.

mod document;
mod functions;
pub(crate) mod manner;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use local_lambda::{Function, Limits, LocalLambda};
use sha2::{Digest as _, Sha256};

use crate::config::{ApiArn, Complaints, Config, Rest, Rules};
use crate::server::{Error, Gateway};
use functions::{ACCOUNT, API_ID, PARTITION, REGION};
use template::{Access, Api, Target};

/// The version that aliases stand for.
const VERSION: &str = "1";

/// The largest body of a request, in bytes (API Gateway developer guide, "Quotas": 10 MB). The function's own
/// limit is below, and answers with the same status.
const BODY_MAX: u64 = 10 * 1024 * 1024;

/// A REST API of a template, to be started with commands for its functions.
#[must_use]
#[derive(Clone)]
pub struct Emulation {
    template: String,
    functions: BTreeMap<String, String>,
    parameters: BTreeMap<String, String>,
    stage: Option<String>,
    api_keys: Vec<String>,
    listen: SocketAddr,
    limits: Limits,
}

/// A REST API that answers. Dropping it ends its functions.
pub struct Emulated {
    gateway: Gateway,
    service: LocalLambda,
    stage: String,
    notes: Vec<String>,
    needs_key: bool,
    api_key: Option<String>,
}

impl Emulation {
    /// Of the text of a SAM or CloudFormation template, YAML or JSON.
    pub fn new(template: impl Into<String>) -> Self {
        Self {
            template: template.into(),
            functions: BTreeMap::new(),
            parameters: BTreeMap::new(),
            stage: None,
            api_keys: Vec::new(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            limits: Limits::aws(),
        }
    }

    /// The command line of a function: by its logical id, or by its name where the template has only an ARN.
    pub fn function(mut self, name: impl Into<String>, command: impl Into<String>) -> Self {
        self.functions.insert(name.into(), command.into());
        self
    }

    /// The value of a parameter of the template, in place of its default.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }

    /// Another name for the stage.
    pub fn stage(mut self, name: impl Into<String>) -> Self {
        self.stage = Some(name.into());
        self
    }

    /// An API key that is good. Without one, and without one in the template, one is made up if a method asks
    /// for it.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_keys.push(key.into());
        self
    }

    /// Where to listen: 127.0.0.1 and a free port if nothing is said.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Which limits of the Lambda service hold: [`Limits::aws`] if nothing is said.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Starts the functions' service and the API.
    ///
    /// # Errors
    ///
    /// What is wrong with the template, its parameters or the functions, in one line; or the address cannot be
    /// listened on.
    pub async fn start(mut self) -> Result<Emulated, String> {
        let mut api = Api::read(&self.template, &self.parameters)?;
        if let Some(stage) = self.stage.take() {
            api.stage = stage;
        }
        let arn = format!("arn:{PARTITION}:execute-api:{REGION}:{ACCOUNT}:{API_ID}/{}", api.stage);
        let arn = ApiArn::parse(&arn).ok_or_else(|| {
            format!("{:?} is no name of a stage: letters, digits, - and _", api.stage)
        })?;
        let needs_key = api.methods.iter().any(|method| method.needs_key);
        let mut keys = std::mem::take(&mut self.api_keys);
        keys.append(&mut api.api_keys);
        if keys.iter().any(String::is_empty) {
            return Err("an API key is empty: whoever sends an empty one would come in".into());
        }
        let mut api_key = None;
        if needs_key && keys.is_empty() {
            let key = uuid::Uuid::new_v4().simple().to_string();
            api_key = Some(key.clone());
            keys.push(key);
        }
        if api.methods.iter().any(|method| method.access == Access::Signed) {
            api.notes.push(
                "AWS_IAM: a request has to be signed, but nobody checks the signature".into(),
            );
        }
        let service = self.service(&api).await?;
        let text = configuration(&api, &arn, self.listen, &service.endpoint_url());
        let mut config =
            Config::parse(&text, "the template").map_err(|wrong| of_resources(&wrong, &text))?;
        config.aws.placeholder = true;
        let rule = |method: &template::Method| Rules {
            streams: method.streams,
            signed: method.access == Access::Signed,
            needs_key: method.needs_key,
        };
        config.rest = Some(Rest {
            api: arn,
            keys: keys.iter().map(|key| Sha256::digest(key).into()).collect(),
            key_source: api.key_source,
            rules: api.methods.iter().map(rule).collect(),
        });
        let gateway = Gateway::start(config).await.map_err(|error| match error {
            Error::Configuration(wrong) => of_resources(&wrong, &text),
            error => error.to_string(),
        })?;
        let Api { stage, notes, .. } = api;
        Ok(Emulated { gateway, service, stage, notes, needs_key, api_key })
    }

    /// The service with every function that the API calls.
    async fn service(&self, api: &Api) -> Result<LocalLambda, String> {
        let methods = api.methods.iter().map(|method| &method.function);
        let authorizers = api.authorizers.values().map(|authorizer| &authorizer.target);
        let mut called: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for Target { function, qualifier } in methods.chain(authorizers) {
            called.entry(function).or_default().extend(qualifier.as_deref());
        }
        if let Some(unknown) =
            self.functions.keys().find(|name| !called.contains_key(name.as_str()))
        {
            let names: Vec<&str> = called.into_keys().collect();
            return Err(format!(
                "the API calls no function {unknown}; it calls {}",
                names.join(", ")
            ));
        }
        let mut builder = LocalLambda::builder().limits(self.limits.clone()).region(REGION);
        for (name, qualifiers) in called {
            let command = self.functions.get(name);
            let command = command.ok_or_else(|| {
                format!("the function {name} has no command: --function {name}=COMMAND")
            })?;
            let mut function =
                Function::from_command_line(name, command).map_err(|error| error.to_string())?;
            if let Some(settings) = api.functions.get(name) {
                for (name, value) in &settings.environment {
                    function = function.env(name, value);
                }
                if let Some(timeout) = settings.timeout {
                    function = function.timeout(timeout);
                }
                if let Some(megabytes) = settings.memory_mb {
                    function = function.memory_mb(megabytes);
                }
            }
            let mut versions = BTreeSet::new();
            for qualifier in qualifiers.into_iter().filter(|qualifier| *qualifier != "$LATEST") {
                if qualifier.bytes().all(|byte| byte.is_ascii_digit()) {
                    versions.insert(qualifier);
                } else {
                    versions.insert(VERSION);
                    function = function.alias(qualifier, VERSION);
                }
            }
            for version in versions {
                function = function.version(version);
            }
            builder = builder.function(function);
        }
        builder.start().await.map_err(|error| error.to_string())
    }
}

/// What the gateway is told: its own configuration, so that there is one way to serve.
fn configuration(api: &Api, arn: &ApiArn, listen: SocketAddr, service: &str) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(text, "listen = {}", quoted(&listen.to_string()));
    let _ =
        writeln!(text, "[aws]\nregion = {}\nendpoint_url = {}", quoted(REGION), quoted(service));
    for (name, authorizer) in &api.authorizers {
        let _ = writeln!(text, "[authorizers.{}]\nkind = \"lambda\"", quoted(&named(name)));
        let _ = writeln!(text, "lambda = {}", of_target(&authorizer.target, ""));
        let kind = if authorizer.is_token { "TOKEN" } else { "REQUEST" };
        let identity: Vec<String> = authorizer.identity.iter().map(|text| quoted(text)).collect();
        let _ = writeln!(text, "type = \"{kind}\"\nidentity = [{}]", identity.join(", "));
        if let Some(expression) = &authorizer.validation {
            let _ = writeln!(text, "validation = {}", quoted(expression));
        }
        let _ = writeln!(text, "ttl = \"{}s\"", authorizer.ttl.as_secs());
        let _ = writeln!(text, "api = {}", quoted(&arn.to_string()));
    }
    for method in &api.methods {
        let _ = writeln!(text, "[[routes]]\npath = {}", quoted(&method.path));
        if let Some(verb) = &method.verb {
            let _ = writeln!(text, "methods = [{}]", quoted(verb));
        }
        let mode = if method.streams { "mode = \"stream\"" } else { "mode = \"buffered\"" };
        let more = format!(", event = \"1.0\", {mode}");
        let _ = writeln!(text, "lambda = {}", of_target(&method.function, &more));
        let authorizer = match &method.access {
            Access::Authorizer(name) => named(name),
            Access::Everybody | Access::Signed => "none".into(),
        };
        let _ = writeln!(
            text,
            "authorizer = {}\nbody_max = {BODY_MAX}\nretries = 0",
            quoted(&authorizer)
        );
        let total = milliseconds(method.timeout);
        let idle = milliseconds(api.idle.min(method.timeout));
        let _ =
            writeln!(text, "timeouts = {{ first_byte = {total}, idle = {idle}, total = {total} }}");
    }
    text
}

/// What is wrong with a configuration that nobody sees, by what of the template it was made of.
fn of_resources(wrong: &Complaints, configuration: &str) -> String {
    let lines: Vec<String> = wrong
        .iter()
        .map(|complaint| {
            let until = complaint.line().unwrap_or_default();
            let place = configuration.lines().take(until).filter_map(|line| {
                let of_authorizer = line.strip_prefix("[authorizers.");
                let of_authorizer = of_authorizer.and_then(|line| line.strip_suffix(']'));
                let of_method =
                    line.strip_prefix("path = ").map(|path| format!("the method of {path}"));
                of_authorizer.map(|name| format!("the {}", name.trim_matches('"'))).or(of_method)
            });
            match place.last() {
                Some(place) => format!("{place}: {}", complaint.reason()),
                None => complaint.reason().to_owned(),
            }
        })
        .collect();
    lines.join("; ")
}

/// What an authorizer of a template is called in a configuration, where one cannot be called "none".
fn named(name: &str) -> String {
    format!("authorizer {name}")
}

fn of_target(target: &Target, more: &str) -> String {
    let qualifier =
        target.qualifier.as_deref().map(|text| format!(", qualifier = {}", quoted(text)));
    format!("{{ function = {}{}{more} }}", quoted(&target.function), qualifier.unwrap_or_default())
}

fn milliseconds(time: Duration) -> String {
    format!("\"{}ms\"", time.as_millis())
}

/// A text of JSON is one of TOML, but for one character that need not be escaped there.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

impl Emulated {
    /// The URL of the stage, with a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}/{}/", self.gateway.addr(), self.stage)
    }

    /// What of the template is not emulated, a line for each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether a method asks for an API key.
    pub fn needs_api_key(&self) -> bool {
        self.needs_key
    }

    /// The API key that was made up, if one was.
    pub fn api_key(&self) -> Option<&str> {
        self.api_key.as_deref()
    }

    /// Ends it: no request is answered any more, and no process of a function is left.
    pub async fn shutdown(self) {
        drop(self.gateway);
        self.service.shutdown().await;
    }
}

impl fmt::Debug for Emulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulation").field("listen", &self.listen).finish_non_exhaustive()
    }
}

impl fmt::Debug for Emulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulated").field("url", &self.url()).finish_non_exhaustive()
    }
}
