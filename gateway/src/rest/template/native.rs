//! Resources of `AWS::ApiGateway` come in; the REST API goes out that they are.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    Access, Api, Authorizer, Method, Resource, Target, idle, is_true, number_of, target, text_of,
    timeout, verb,
};
use crate::config::KeySource;

/// What an answer of an authorizer is kept for unless it says otherwise (CloudFormation,
/// "AWS::ApiGateway::Authorizer").
const TTL_DEFAULT: Duration = Duration::from_secs(300);

/// Ways of the service to call a function: as a stream, and whole.
const STREAMED: (&str, &str) = ("path/2021-11-15/functions/", "/response-streaming-invocations");
const WHOLE: (&str, &str) = ("path/2015-03-31/functions/", "/invocations");

/// How deep resources may be in one another.
const DEPTH_MAX: usize = 64;

pub(super) fn read(resources: &[Resource<'_>], mut notes: Vec<String>) -> Result<Api, String> {
    let of = |kind: &'static str| resources.iter().filter(move |resource| resource.kind == kind);
    let Some(own) = of("AWS::ApiGateway::RestApi").next() else {
        return Err("it has no AWS::ApiGateway::RestApi".into());
    };
    for body in ["Body", "BodyS3Location"] {
        if own.properties.contains_key(body) {
            return Err(own.wrong(body, "OpenAPI is not read: write Resource and Method"));
        }
    }
    if own.properties.contains_key("Policy") {
        notes.push(format!(
            "{}: Policy is not applied: whoever reaches this machine's port may call",
            own.id
        ));
    }
    let types = own.properties.get("EndpointConfiguration").and_then(|value| value.get("Types"));
    let endpoint = types.and_then(|types| types.get(0)?.as_str());
    let key_source = match own.text("ApiKeySourceType")?.as_deref() {
        Some("AUTHORIZER") => KeySource::Authorizer,
        _ => KeySource::Header,
    };
    let mut stages = Vec::new();
    for stage in of("AWS::ApiGateway::Stage") {
        stages.extend(stage.text("StageName")?);
    }
    for deployment in of("AWS::ApiGateway::Deployment") {
        stages.extend(deployment.text("StageName")?);
    }
    let stage = match &stages[..] {
        [stage] => stage.clone(),
        [] => return Err("the API has no stage: no AWS::ApiGateway::Stage with a StageName".into()),
        several => {
            return Err(format!(
                "the API has several stages ({}); one can be emulated",
                several.join(", ")
            ));
        }
    };
    let mut authorizers = BTreeMap::new();
    for authorizer in of("AWS::ApiGateway::Authorizer") {
        let read = of_authorizer(&authorizer.properties);
        authorizers.insert(
            authorizer.id.to_owned(),
            read.map_err(|why| format!("{}: {why}", authorizer.id))?,
        );
    }
    let mut api_keys = Vec::new();
    for key in of("AWS::ApiGateway::ApiKey") {
        let enabled = is_true(&key.properties, "Enabled");
        if enabled.map_err(|reason| format!("{}: {reason}", key.id))? == Some(true) {
            api_keys.extend(key.text("Value")?);
        }
    }
    if of("AWS::ApiGateway::UsagePlan").next().is_some() {
        notes.push("usage plans: keys are checked; their rates and quotas are not emulated".into());
    }
    let quiet = [
        "Account",
        "ApiKey",
        "Authorizer",
        "Deployment",
        "Method",
        "Resource",
        "RestApi",
        "Stage",
        "UsagePlan",
        "UsagePlanKey",
    ];
    for other in resources {
        let name = other.kind.strip_prefix("AWS::ApiGateway::");
        if name.is_some_and(|name| !quiet.contains(&name)) {
            notes.push(format!("{}: {} is not emulated", other.id, other.kind));
        }
    }
    let paths = Paths(of("AWS::ApiGateway::Resource").map(|r| (r.id, r)).collect());
    let mut methods = Vec::new();
    for method in of("AWS::ApiGateway::Method") {
        let read = of_method(method, &paths, &authorizers, &mut notes);
        methods.extend(read.map_err(|reason| format!("{}: {reason}", method.id))?);
    }
    let (idle, functions) = (idle(endpoint), BTreeMap::new());
    Ok(Api { stage, methods, authorizers, functions, api_keys, key_source, idle, notes })
}

/// Resources by their logical ids.
struct Paths<'a>(BTreeMap<&'a str, &'a Resource<'a>>);

impl Paths<'_> {
    fn of(&self, id: &str) -> Result<String, String> {
        let mut parts = Vec::new();
        let mut id = id.to_owned();
        // What stands for the attribute of an API.
        while !id.ends_with(".RootResourceId") {
            let resource =
                self.0.get(id.as_str()).ok_or_else(|| format!("there is no resource {id}"))?;
            if parts.len() >= DEPTH_MAX {
                return Err("resources that are in themselves".into());
            }
            parts.push(
                resource
                    .text("PathPart")?
                    .ok_or_else(|| resource.wrong("PathPart", "is missing"))?,
            );
            id = resource
                .text("ParentId")?
                .ok_or_else(|| resource.wrong("ParentId", "is missing"))?;
        }
        parts.reverse();
        Ok(format!("/{}", parts.join("/")))
    }
}

/// None is a method that is left out.
fn of_method(
    method: &Resource<'_>,
    paths: &Paths<'_>,
    authorizers: &BTreeMap<String, Authorizer>,
    notes: &mut Vec<String>,
) -> Result<Option<Method>, String> {
    let properties = &method.properties;
    let nothing = Map::new();
    let integration = properties.get("Integration").and_then(Value::as_object).unwrap_or(&nothing);
    let kind = text_of(integration, "Type")?.unwrap_or_default();
    if kind != "AWS_PROXY" {
        notes.push(format!(
            "{}: an integration of type {kind:?} is not emulated: the method is left out",
            method.id
        ));
        return Ok(None);
    }
    let uri = text_of(integration, "Uri")?.ok_or("the integration has no Uri")?;
    let called = |(before, behind): (&str, &str)| {
        uri.split_once(before).and_then(|(_, rest)| rest.strip_suffix(behind)).map(target)
    };
    let mode = text_of(integration, "ResponseTransferMode")?;
    let streams = match mode.as_deref() {
        None | Some("BUFFERED") => false,
        Some("STREAM") => true,
        Some(other) => return Err(format!("ResponseTransferMode: {other} is STREAM or BUFFERED")),
    };
    let function: Target = match (streams, called(STREAMED), called(WHOLE)) {
        (true, Some(target), _) | (false, None, Some(target)) => target,
        (true, None, Some(_)) => {
            return Err(format!(
                "ResponseTransferMode STREAM needs the Uri of streams: {}...{}",
                STREAMED.0, STREAMED.1
            ));
        }
        (false, Some(_), _) => {
            return Err(
                "the Uri is that of streams: write ResponseTransferMode: STREAM with it".into()
            );
        }
        _ => return Err("the Uri is that of no function".into()),
    };
    let access = match text_of(properties, "AuthorizationType")?.as_deref() {
        None | Some("NONE") => Access::Everybody,
        Some("AWS_IAM") => Access::Signed,
        Some("CUSTOM") => {
            let name =
                text_of(properties, "AuthorizerId")?.ok_or("CUSTOM needs an AuthorizerId")?;
            if !authorizers.contains_key(&name) {
                return Err(format!("there is no authorizer {name}"));
            }
            Access::Authorizer(name)
        }
        // Left out, nobody can come in; emulated without it, everybody could.
        Some(other) => {
            notes.push(format!("{}: {other} is not emulated: the method is left out", method.id));
            return Ok(None);
        }
    };
    let resource = text_of(properties, "ResourceId")?.ok_or("ResourceId is missing")?;
    Ok(Some(Method {
        path: paths.of(&resource)?,
        verb: verb(&text_of(properties, "HttpMethod")?.ok_or("HttpMethod is missing")?)?,
        function,
        streams,
        timeout: timeout(number_of(integration, "TimeoutInMillis")?, streams)
            .map_err(|reason| format!("TimeoutInMillis: {reason}"))?,
        access,
        needs_key: is_true(properties, "ApiKeyRequired")?.unwrap_or(false),
    }))
}

fn of_authorizer(authorizer: &Map<String, Value>) -> Result<Authorizer, String> {
    let is_token = match text_of(authorizer, "Type")?.as_deref() {
        Some("TOKEN") => true,
        Some("REQUEST") => false,
        other => return Err(format!("Type {} is not emulated", other.unwrap_or("nothing"))),
    };
    let uri = text_of(authorizer, "AuthorizerUri")?.ok_or("has no AuthorizerUri")?;
    let called = uri.split_once(WHOLE.0).and_then(|(_, rest)| rest.strip_suffix(WHOLE.1));
    let called = called
        .ok_or("AuthorizerUri: an authorizer is called the plain way (2015-03-31, /invocations)")?;
    let sources = text_of(authorizer, "IdentitySource")?.unwrap_or_default();
    let sources = sources.split(',').map(str::trim).filter(|source| !source.is_empty());
    let ttl = number_of(authorizer, "AuthorizerResultTtlInSeconds")?;
    Ok(Authorizer {
        target: target(called),
        is_token,
        identity: sources.map(str::to_owned).collect(),
        validation: text_of(authorizer, "IdentityValidationExpression")?,
        ttl: ttl.map_or(TTL_DEFAULT, Duration::from_secs),
    })
}
