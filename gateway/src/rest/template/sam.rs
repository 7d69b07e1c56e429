//! Resources of `AWS::Serverless` come in; the REST API goes out that SAM would make of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    Access, Api, Authorizer, Method, Resource, Target, idle, is_true, number_of, target, text_of,
    timeout, verb,
};
use crate::config::KeySource;

/// What an answer of an authorizer is kept for unless it says otherwise (SAM, "LambdaTokenAuthorizationIdentity").
const TTL_DEFAULT: Duration = Duration::from_secs(300);

/// Where a token is unless it is said.
const TOKEN_HEADER: &str = "Authorization";

/// The stage of the API that SAM makes for events that name none.
const IMPLICIT_STAGE: &str = "Prod";

/// Properties of an API that change nothing here, or are looked at.
const QUIET: [&str; 9] = [
    "AccessLogSetting",
    "Auth",
    "ApiKeySourceType",
    "Description",
    "EndpointConfiguration",
    "Name",
    "StageName",
    "Tags",
    "TracingEnabled",
];

/// The same of an event.
const QUIET_OF_EVENT: [&str; 6] =
    ["Auth", "Method", "Path", "ResponseTransferMode", "RestApiId", "TimeoutInMillis"];

pub(super) fn read(resources: &[Resource<'_>], mut notes: Vec<String>) -> Result<Api, String> {
    let nothing = Map::new();
    let own = resources.iter().find(|resource| resource.kind == "AWS::Serverless::Api");
    let mut authorizers = BTreeMap::new();
    let mut auth = &nothing;
    let mut stage = IMPLICIT_STAGE.to_owned();
    let mut endpoint = None;
    let mut key_source = KeySource::Header;
    if let Some(api) = own {
        stage = api.text("StageName")?.ok_or_else(|| api.wrong("StageName", "is missing"))?;
        let configuration = api.properties.get("EndpointConfiguration");
        endpoint = configuration.and_then(|value| match value {
            Value::String(kind) => Some(kind.clone()),
            object => object.get("Type")?.as_str().map(str::to_owned),
        });
        if api.text("ApiKeySourceType")?.as_deref() == Some("AUTHORIZER") {
            key_source = KeySource::Authorizer;
        }
        for property in api.properties.keys().filter(|name| !QUIET.contains(&name.as_str())) {
            notes.push(format!("{}: {property} is not emulated", api.id));
        }
        auth = api.properties.get("Auth").and_then(Value::as_object).unwrap_or(&nothing);
        let known = ["ApiKeyRequired", "Authorizers", "DefaultAuthorizer"];
        for property in auth.keys().filter(|name| !known.contains(&name.as_str())) {
            notes.push(match property.as_str() {
                "UsagePlan" => format!(
                    "{}: UsagePlan: keys are checked; their rates and quotas are not emulated",
                    api.id
                ),
                other => format!("{}: Auth: {other} is not emulated", api.id),
            });
        }
        let written = auth.get("Authorizers").and_then(Value::as_object);
        for (name, authorizer) in written.into_iter().flatten() {
            let read = authorizer.as_object().ok_or_else(|| "is no object".to_owned());
            let read = read.and_then(of_authorizer);
            let read = read.map_err(|reason| api.wrong(&format!("authorizer {name}"), &reason))?;
            authorizers.insert(name.clone(), read);
        }
    }
    let mut methods = Vec::new();
    for function in resources.iter().filter(|r| r.kind == "AWS::Serverless::Function") {
        let qualifier = function.text("AutoPublishAlias")?;
        let target = Target { function: function.id.to_owned(), qualifier };
        let events = function.properties.get("Events").and_then(Value::as_object);
        for (name, event) in events.into_iter().flatten() {
            if event.get("Type").and_then(Value::as_str) != Some("Api") {
                notes.push(format!("{}: the event {name} is no Api, and left out", function.id));
                continue;
            }
            let properties = event.get("Properties").and_then(Value::as_object).unwrap_or(&nothing);
            for other in properties.keys().filter(|name| !QUIET_OF_EVENT.contains(&name.as_str())) {
                notes.push(format!("{}: {name}: {other} is not emulated", function.id));
            }
            let method = of_event(properties, auth, &authorizers, target.clone());
            methods.push(method.map_err(|reason| function.wrong(name, &reason))?);
        }
    }
    Ok(Api {
        stage,
        methods,
        authorizers,
        functions: BTreeMap::new(),
        api_keys: Vec::new(),
        key_source,
        idle: idle(endpoint.as_deref()),
        notes,
    })
}

fn of_event(
    event: &Map<String, Value>,
    of_api: &Map<String, Value>,
    authorizers: &BTreeMap<String, Authorizer>,
    function: Target,
) -> Result<Method, String> {
    let streams = match text_of(event, "ResponseTransferMode")?.as_deref() {
        None | Some("BUFFERED") => false,
        Some("RESPONSE_STREAM") => true,
        Some("STREAM") => {
            return Err("ResponseTransferMode: STREAM is CloudFormation's word. SAM makes a buffered integration \
                        of it and says nothing: write RESPONSE_STREAM"
                .into());
        }
        Some(other) => {
            return Err(format!("ResponseTransferMode: {other} is RESPONSE_STREAM or BUFFERED"));
        }
    };
    let nothing = Map::new();
    let own = event.get("Auth").and_then(Value::as_object).unwrap_or(&nothing);
    let named = match text_of(own, "Authorizer")? {
        Some(name) => Some(name),
        None => text_of(of_api, "DefaultAuthorizer")?,
    };
    let access = match named.as_deref() {
        None | Some("NONE") => Access::Everybody,
        Some("AWS_IAM") => Access::Signed,
        Some(name) if authorizers.contains_key(name) => Access::Authorizer(name.into()),
        Some(name) => return Err(format!("there is no authorizer {name}")),
    };
    let needs_key = match own.contains_key("ApiKeyRequired") {
        true => is_true(own, "ApiKeyRequired"),
        false => is_true(of_api, "ApiKeyRequired"),
    };
    Ok(Method {
        path: text_of(event, "Path")?.ok_or("Path is missing")?,
        verb: verb(&text_of(event, "Method")?.ok_or("Method is missing")?)?,
        function,
        streams,
        timeout: timeout(number_of(event, "TimeoutInMillis")?, streams)
            .map_err(|reason| format!("TimeoutInMillis: {reason}"))?,
        access,
        needs_key,
    })
}

fn of_authorizer(authorizer: &Map<String, Value>) -> Result<Authorizer, String> {
    let Some(function) = text_of(authorizer, "FunctionArn")? else {
        return Err("has no FunctionArn: only Lambda authorizers are emulated".into());
    };
    let is_token = match text_of(authorizer, "FunctionPayloadType")?.as_deref() {
        None | Some("TOKEN") => true,
        Some("REQUEST") => false,
        Some(other) => return Err(format!("FunctionPayloadType: {other} is TOKEN or REQUEST")),
    };
    let nothing = Map::new();
    let identity = authorizer.get("Identity").and_then(Value::as_object).unwrap_or(&nothing);
    let mut sources = Vec::new();
    if is_token {
        let header = text_of(identity, "Header")?.unwrap_or_else(|| TOKEN_HEADER.into());
        sources.push(format!("method.request.header.{header}"));
    } else {
        for (property, prefix) in [
            ("Headers", "method.request.header."),
            ("QueryStrings", "method.request.querystring."),
            ("Context", "context."),
            ("StageVariables", "stageVariables."),
        ] {
            let names = identity.get(property).and_then(Value::as_array);
            for name in names.into_iter().flatten() {
                sources.push(format!("{prefix}{}", super::text(name)?));
            }
        }
    }
    let ttl = number_of(identity, "ReauthorizeEvery")?;
    Ok(Authorizer {
        target: target(&function),
        is_token,
        identity: sources,
        validation: text_of(identity, "ValidationExpression")?,
        ttl: ttl.map_or(TTL_DEFAULT, Duration::from_secs),
    })
}
