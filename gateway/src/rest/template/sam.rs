//! Resources of `AWS::Serverless` come in; the REST API goes out that SAM would make of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    Access, Api, Authorizer, Method, Resource, Target, idle, is_true, number_of, target, text_of,
    timeout, verb,
};
use crate::config::KeySource;

/// The type of an API.
pub(super) const API: &str = "AWS::Serverless::Api";

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

/// Of the API's `Auth`: what is looked at, and what changes nothing here, with a reason.
const AUTH: [(&str, Option<&str>); 8] = [
    ("ApiKeyRequired", None),
    ("Authorizers", None),
    ("DefaultAuthorizer", None),
    ("AddDefaultAuthorizerToCorsPreflight", Some("preflight requests are not answered here")),
    ("AddApiKeyRequiredToCorsPreflight", Some("preflight requests are not answered here")),
    ("InvokeRole", Some("no role is taken")),
    ("ResourcePolicy", Some("it is not applied: whoever reaches this machine's port may call")),
    ("UsagePlan", Some("keys are checked; their rates and quotas are not emulated")),
];

/// Of an event's.
const AUTH_OF_EVENT: [(&str, Option<&str>); 4] = [
    ("ApiKeyRequired", None),
    ("Authorizer", None),
    ("InvokeRole", Some("no role is taken")),
    ("ResourcePolicy", Some("it is not applied: whoever reaches this machine's port may call")),
];

/// `of_all` is what `Globals` say of APIs, for the one that SAM makes where the template has none.
pub(super) fn read(
    resources: &[Resource<'_>],
    of_all: Option<&Map<String, Value>>,
    mut notes: Vec<String>,
) -> Result<Api, String> {
    let nothing = Map::new();
    let own = resources.iter().find(|resource| resource.kind == API);
    let mut authorizers = BTreeMap::new();
    let mut stage = IMPLICIT_STAGE.to_owned();
    if let Some(api) = own {
        stage = api.text("StageName")?.ok_or_else(|| api.wrong("StageName", "is missing"))?;
    }
    let (id, properties) = match own {
        Some(api) => (api.id, &api.properties),
        None => ("Globals: Api", of_all.unwrap_or(&nothing)),
    };
    let wrong = |property: &str, reason: &str| format!("{id}: {property}: {reason}");
    for body in ["DefinitionBody", "DefinitionUri"] {
        if properties.contains_key(body) {
            let reason =
                "OpenAPI is not read, nor what it says of who may call: write Events of type Api";
            return Err(wrong(body, reason));
        }
    }
    let endpoint = properties.get("EndpointConfiguration").and_then(|value| match value {
        Value::String(kind) => Some(kind.clone()),
        object => object.get("Type")?.as_str().map(str::to_owned),
    });
    let key_source = text_of(properties, "ApiKeySourceType");
    let key_source = match key_source.map_err(|why| wrong("ApiKeySourceType", &why))?.as_deref() {
        Some("AUTHORIZER") => KeySource::Authorizer,
        _ => KeySource::Header,
    };
    for property in properties.keys().filter(|name| !QUIET.contains(&name.as_str())) {
        notes.push(format!("{id}: {property} is not emulated"));
    }
    let auth = auth_of(properties, &AUTH, id, &mut notes)?;
    for (name, authorizer) in
        object_of(&auth, "Authorizers").map_err(|reason| wrong("Auth", &reason))?
    {
        let read = authorizer.as_object().ok_or_else(|| "is no object".to_owned());
        // None is of a kind that is not known here.
        let read = match read {
            Ok(authorizer) if authorizer.contains_key("UserPoolArn") => Ok(None),
            read => read.and_then(of_authorizer).map(Some),
        };
        let read = read.map_err(|reason| wrong(&format!("authorizer {name}"), &reason))?;
        authorizers.insert(name.clone(), read);
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
            let place = format!("{}: {name}", function.id);
            let own = auth_of(properties, &AUTH_OF_EVENT, &place, &mut notes)?;
            let access = access(&own, &auth, &authorizers);
            let access = match access.map_err(|reason| function.wrong(name, &reason))? {
                Wanted::Known(access) => access,
                Wanted::Cognito(authorizer) => {
                    notes.push(format!(
                        "{place}: its authorizer {authorizer} is of Cognito, which is not emulated: the method is left out"
                    ));
                    continue;
                }
            };
            let needs_key = is_true(&own, "ApiKeyRequired").and_then(|needs| match needs {
                Some(needs) => Ok(needs),
                None => Ok(is_true(&auth, "ApiKeyRequired")?.unwrap_or(false)),
            });
            let needs_key = needs_key.map_err(|reason| function.wrong(name, &reason))?;
            let method = of_event(properties, target.clone(), access, needs_key);
            methods.push(method.map_err(|reason| function.wrong(name, &reason))?);
        }
    }
    let authorizers =
        authorizers.into_iter().filter_map(|(name, read)| Some((name, read?))).collect();
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

/// The object of this name; nothing at all is an empty one.
fn object_of(object: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, String> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(found)) => Ok(found.clone()),
        Some(_) => Err(format!("{name}: is no object")),
    }
}

/// What `Auth` says. A word that is not known here may say that not everybody may call.
fn auth_of(
    properties: &Map<String, Value>,
    known: &[(&str, Option<&str>)],
    place: &str,
    notes: &mut Vec<String>,
) -> Result<Map<String, Value>, String> {
    let auth = object_of(properties, "Auth").map_err(|reason| format!("{place}: {reason}"))?;
    for name in auth.keys() {
        match known.iter().find(|(known, _)| known == name) {
            Some((_, None)) => {}
            Some((_, Some(why))) => notes.push(format!("{place}: Auth: {name}: {why}")),
            None => {
                return Err(format!(
                    "{place}: Auth: {name} is not known here, and may be about who may call"
                ));
            }
        }
    }
    Ok(auth)
}

/// Who may call a method.
enum Wanted {
    Known(Access),
    /// Whom an authorizer of this name lets in, that nobody is here.
    Cognito(String),
}

/// `authorizers` has those of Cognito as nothing.
fn access(
    own: &Map<String, Value>,
    of_api: &Map<String, Value>,
    authorizers: &BTreeMap<String, Option<Authorizer>>,
) -> Result<Wanted, String> {
    let named = match text_of(own, "Authorizer")? {
        Some(name) => Some(name),
        None => text_of(of_api, "DefaultAuthorizer")?,
    };
    Ok(Wanted::Known(match named {
        None => Access::Everybody,
        Some(name) if name == "NONE" => Access::Everybody,
        Some(name) if name == "AWS_IAM" => Access::Signed,
        Some(name) => match authorizers.get(&name) {
            Some(Some(_)) => Access::Authorizer(name),
            Some(None) => return Ok(Wanted::Cognito(name)),
            None => return Err(format!("there is no authorizer {name}")),
        },
    }))
}

fn of_event(
    event: &Map<String, Value>,
    function: Target,
    access: Access,
    needs_key: bool,
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
