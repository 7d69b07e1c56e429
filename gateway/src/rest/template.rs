//! A template's text and parameters come in; the one REST API in it goes out, as far as it is known here, with
//! a line for each thing that is not. Pure.

mod native;
mod sam;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::document;
use super::functions::{Stack, text};
use crate::config::{KeySource, METHODS};

/// How long an answer may take that is not streamed, unless the method says less (API Gateway developer guide,
/// "Quotas": 29 seconds).
const BUFFERED_MAX: Duration = Duration::from_secs(29);
/// The same for one that is (API Gateway developer guide, "Stream the integration response": 15 minutes).
const STREAMED_MAX: Duration = Duration::from_secs(15 * 60);
/// The shortest time that there can be.
const TIMEOUT_MIN: Duration = Duration::from_millis(50);

/// How long a stream may be silent (the same page): from an edge location, and otherwise.
const IDLE_EDGE: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_secs(5 * 60);

/// A REST API.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) stage: String,
    pub(super) methods: Vec<Method>,
    pub(super) authorizers: BTreeMap<String, Authorizer>,
    pub(super) functions: BTreeMap<String, FunctionSettings>,
    /// Values of keys that the template has itself.
    pub(super) api_keys: Vec<String>,
    pub(super) key_source: KeySource,
    /// How long a stream may be silent.
    pub(super) idle: Duration,
    /// What is not emulated, a line for each.
    pub(super) notes: Vec<String>,
}

/// A method of a resource, with its function.
#[derive(Debug)]
pub(super) struct Method {
    /// Of the resource: `/{proxy+}`.
    pub(super) path: String,
    /// None is any.
    pub(super) verb: Option<String>,
    pub(super) function: Target,
    pub(super) streams: bool,
    /// In all.
    pub(super) timeout: Duration,
    pub(super) access: Access,
    pub(super) needs_key: bool,
}

/// Who may call a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Everybody,
    /// Whoever signs, which is not checked.
    Signed,
    /// Whom the authorizer of this name lets in.
    Authorizer(String),
}

/// What an integration calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) function: String,
    pub(super) qualifier: Option<String>,
}

/// A Lambda authorizer.
#[derive(Debug)]
pub(super) struct Authorizer {
    pub(super) target: Target,
    pub(super) is_token: bool,
    /// As REST APIs write them.
    pub(super) identity: Vec<String>,
    pub(super) validation: Option<String>,
    pub(super) ttl: Duration,
}

/// What a function of the template is run with.
#[derive(Debug, Default)]
pub(super) struct FunctionSettings {
    pub(super) environment: BTreeMap<String, String>,
    pub(super) timeout: Option<Duration>,
    pub(super) memory_mb: Option<u32>,
}

/// A resource that is there.
pub(super) struct Resource<'a> {
    pub(super) id: &'a str,
    pub(super) kind: &'a str,
    pub(super) properties: Map<String, Value>,
}

impl Api {
    /// # Errors
    ///
    /// It is no template, has no REST API or several, or has one that the service would not take, or would
    /// take for something else than is meant.
    pub(super) fn read(
        template: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let template = document::read(template)?;
        let stack = Stack::new(&template, parameters)?;
        let written = template.get("Resources").and_then(Value::as_object);
        let written = written.ok_or("it has no Resources")?;
        let globals = globals(&template, &stack)?;
        let mut resources = Vec::new();
        for (id, resource) in written {
            let kind = resource.get("Type").and_then(Value::as_str).unwrap_or_default();
            if let Some(condition) = resource.get("Condition").and_then(Value::as_str)
                && !stack.holds(condition)?
            {
                continue;
            }
            let properties = match resource.get("Properties") {
                Some(properties) if is_known(kind) => {
                    stack.resolve(properties).map_err(|reason| format!("{id}: {reason}"))?
                }
                _ => Value::Null,
            };
            let mut properties = properties.as_object().cloned().unwrap_or_default();
            if let Some(all) = globals.get(kind) {
                properties = merged(all, properties);
            }
            resources.push(Resource { id, kind, properties });
        }
        let mut notes = Vec::new();
        let others: Vec<&str> =
            resources.iter().filter(|r| !is_known(r.kind)).map(|resource| resource.id).collect();
        if !others.is_empty() {
            notes
                .push(format!("left out, since they are no part of an API: {}", others.join(", ")));
        }
        let count = |kind: &str| resources.iter().filter(|resource| resource.kind == kind).count();
        let apis = (count("AWS::Serverless::Api"), count("AWS::ApiGateway::RestApi"));
        let mut api = match apis {
            (0, 1) => native::read(&resources, notes)?,
            (0 | 1, 0) => sam::read(&resources, globals.get(sam::API), notes)?,
            (sam, native) => {
                return Err(format!("it has {} REST APIs; one can be emulated", sam + native));
            }
        };
        if api.methods.is_empty() {
            return Err(
                "it has no method of a REST API: no Events of type Api, no AWS::ApiGateway::Method"
                    .into(),
            );
        }
        for resource in &resources {
            if resource.kind == "AWS::Lambda::Function"
                || resource.kind == "AWS::Serverless::Function"
            {
                let settings = FunctionSettings::read(resource)?;
                api.functions.insert(resource.id.to_owned(), settings);
            }
        }
        Ok(api)
    }
}

/// What all resources of a type have, of those types that are read (SAM, "Globals section").
fn globals(
    template: &Value,
    stack: &Stack,
) -> Result<BTreeMap<&'static str, Map<String, Value>>, String> {
    let mut globals = BTreeMap::new();
    for (name, kind) in [("Api", sam::API), ("Function", "AWS::Serverless::Function")] {
        let Some(written) = template.get("Globals").and_then(|globals| globals.get(name)) else {
            continue;
        };
        let resolved =
            stack.resolve(written).map_err(|reason| format!("Globals: {name}: {reason}"))?;
        match resolved {
            Value::Object(properties) => _ = globals.insert(kind, properties),
            Value::Null => {}
            _ => return Err(format!("Globals: {name}: is no object")),
        }
    }
    Ok(globals)
}

/// What a resource has, on top of what all have: objects go into one another, lists behind one another, and of
/// all else the resource's own counts.
fn merged(all: &Map<String, Value>, own: Map<String, Value>) -> Map<String, Value> {
    let mut merged = all.clone();
    for (name, value) in own {
        let value = match (merged.remove(&name), value) {
            (Some(Value::Object(all)), Value::Object(own)) => {
                Value::Object(self::merged(&all, own))
            }
            (Some(Value::Array(mut all)), Value::Array(mut own)) => {
                all.append(&mut own);
                Value::Array(all)
            }
            (_, own) => own,
        };
        merged.insert(name, value);
    }
    merged
}

/// What is looked into. The rest may be written with whatever is not known here.
fn is_known(kind: &str) -> bool {
    kind.starts_with("AWS::ApiGateway::")
        || matches!(
            kind,
            "AWS::Serverless::Api" | "AWS::Serverless::Function" | "AWS::Lambda::Function"
        )
}

impl FunctionSettings {
    fn read(resource: &Resource<'_>) -> Result<Self, String> {
        let mut settings = Self::default();
        let variables = resource.properties.get("Environment");
        let variables = variables.and_then(|value| value.get("Variables")?.as_object());
        for (name, value) in variables.into_iter().flatten() {
            let value = text(value).map_err(|reason| resource.wrong(name, &reason))?;
            settings.environment.insert(name.clone(), value);
        }
        settings.timeout = resource.number("Timeout")?.map(Duration::from_secs);
        settings.memory_mb = match resource.number("MemorySize")? {
            Some(megabytes) => Some(
                u32::try_from(megabytes)
                    .map_err(|_| resource.wrong("MemorySize", "is too large"))?,
            ),
            None => None,
        };
        Ok(settings)
    }
}

impl Resource<'_> {
    pub(super) fn wrong(&self, property: &str, reason: &str) -> String {
        format!("{}: {property}: {reason}", self.id)
    }

    pub(super) fn text(&self, property: &str) -> Result<Option<String>, String> {
        text_of(&self.properties, property).map_err(|reason| self.wrong(property, &reason))
    }

    pub(super) fn number(&self, property: &str) -> Result<Option<u64>, String> {
        number_of(&self.properties, property).map_err(|reason| self.wrong(property, &reason))
    }
}

pub(super) fn text_of(object: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => text(value).map(Some),
    }
}

/// As CloudFormation has numbers: a text is one as well.
pub(super) fn number_of(object: &Map<String, Value>, name: &str) -> Result<Option<u64>, String> {
    let parse = |text: String| text.parse().map_err(|_| "is no number".to_owned());
    text_of(object, name)?.map(parse).transpose()
}

/// Whether a word is `true`, as CloudFormation has it; none is nothing said.
pub(super) fn is_true(object: &Map<String, Value>, name: &str) -> Result<Option<bool>, String> {
    match text_of(object, name).map_err(|reason| format!("{name}: {reason}"))?.as_deref() {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(format!("{name}: is true or false")),
    }
}

/// How long a method may take, by what it says and how it answers.
pub(super) fn timeout(milliseconds: Option<u64>, streams: bool) -> Result<Duration, String> {
    let max = if streams { STREAMED_MAX } else { BUFFERED_MAX };
    let timeout = match milliseconds {
        Some(milliseconds) => Duration::from_millis(milliseconds),
        // Nothing else is said of streams, so it is the same for them.
        None => return Ok(BUFFERED_MAX),
    };
    if timeout < TIMEOUT_MIN || timeout > max {
        let kind = if streams { "a method that streams" } else { "a method that does not stream" };
        return Err(format!(
            "{} ms: {kind} has from {} to {}",
            timeout.as_millis(),
            TIMEOUT_MIN.as_millis(),
            max.as_millis()
        ));
    }
    Ok(timeout)
}

/// How long a stream may be silent behind an endpoint of this type.
pub(super) fn idle(endpoint: Option<&str>) -> Duration {
    match endpoint {
        Some("REGIONAL" | "PRIVATE") => IDLE,
        // What an API is of which nothing is said.
        _ => IDLE_EDGE,
    }
}

/// The function in an ARN, or in a name.
pub(super) fn target(text: &str) -> Target {
    let behind = text.split_once(":function:").map_or(text, |(_, behind)| behind);
    match behind.split_once(':') {
        Some((function, qualifier)) => {
            Target { function: function.into(), qualifier: Some(qualifier.into()) }
        }
        None => Target { function: behind.into(), qualifier: None },
    }
}

/// GET for `get`, and nothing for `any`.
pub(super) fn verb(text: &str) -> Result<Option<String>, String> {
    let text = text.to_ascii_uppercase();
    match text.as_str() {
        "ANY" | "X-AMAZON-APIGATEWAY-ANY-METHOD" => Ok(None),
        known if METHODS.contains(&known) => Ok(Some(text)),
        _ => Err(format!("{text} is no method of an API")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(template: &str) -> Result<Api, String> {
        Api::read(template, &BTreeMap::new())
    }

    /// A SAM function with one event of these properties.
    fn sam(event: &str) -> Result<Api, String> {
        read(&format!(
            "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      Timeout: 7\n      \
             Events:\n        E: {{Type: Api, Properties: {{{event}}}}}\n        S: {{Type: SQS}}\n"
        ))
    }

    #[test]
    fn the_words_of_sam_and_what_they_mean() {
        let api =
            sam("Path: '/a/{b}', Method: any, ResponseTransferMode: RESPONSE_STREAM").unwrap();
        assert_eq!(api.stage, "Prod");
        assert_eq!(api.idle, IDLE_EDGE);
        let method = &api.methods[0];
        assert_eq!((method.path.as_str(), method.verb.as_ref()), ("/a/{b}", None));
        assert!(method.streams && !method.needs_key);
        assert_eq!((&method.access, method.timeout), (&Access::Everybody, BUFFERED_MAX));
        assert_eq!(api.functions["F"].timeout, Some(Duration::from_secs(7)));
        assert!(api.notes.iter().any(|note| note.contains("the event S")), "{:?}", api.notes);
        let api = sam("Path: /a, Method: get, TimeoutInMillis: '500'").unwrap();
        assert!(!api.methods[0].streams);
        assert_eq!(api.methods[0].timeout, Duration::from_millis(500));
        assert_eq!(api.methods[0].verb.as_deref(), Some("GET"));
        for (event, reason) in [
            ("Path: /a, Method: get, ResponseTransferMode: STREAM", "write RESPONSE_STREAM"),
            ("Path: /a, Method: get, TimeoutInMillis: 30000", "does not stream"),
            (
                "Path: /a, Method: get, ResponseTransferMode: RESPONSE_STREAM, TimeoutInMillis: 900001",
                "900000",
            ),
            ("Path: /a, Method: fetch", "FETCH is no method"),
            ("Method: get", "Path is missing"),
            ("Path: /a, Method: get, Auth: {Authorizer: Nobody}", "no authorizer Nobody"),
        ] {
            let wrong = sam(event).unwrap_err();
            assert!(wrong.contains(reason), "{event}: {wrong}");
        }
    }

    /// A native API with one method of this integration and access.
    fn native(integration: &str, access: &str) -> Result<Api, String> {
        read(&format!(
            "Resources:\n  A: {{Type: AWS::ApiGateway::RestApi}}\n  \
             S: {{Type: AWS::ApiGateway::Stage, Properties: {{StageName: s}}}}\n  \
             P: {{Type: AWS::ApiGateway::Resource, Properties: {{ParentId: !GetAtt A.RootResourceId, PathPart: p}}}}\n  \
             Q: {{Type: AWS::ApiGateway::Resource, Properties: {{ParentId: !Ref P, PathPart: '{{q+}}'}}}}\n  \
             M:\n    Type: AWS::ApiGateway::Method\n    Properties:\n      ResourceId: !Ref Q\n      \
             HttpMethod: GET\n      {access}\n      Integration: {{Type: AWS_PROXY, {integration}}}\n"
        ))
    }

    #[test]
    fn a_mode_and_its_uri_belong_together() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f:live";
        let uri = |way: &str, end: &str| {
            format!("Uri: 'arn:aws:apigateway:us-east-1:lambda:path/{way}/functions/{arn}/{end}'")
        };
        let streamed = uri("2021-11-15", "response-streaming-invocations");
        let whole = uri("2015-03-31", "invocations");
        let api = native(&format!("ResponseTransferMode: STREAM, {streamed}"), "").unwrap();
        assert_eq!(api.methods[0].path, "/p/{q+}");
        assert_eq!(api.methods[0].function, target(arn));
        assert_eq!(target(arn).qualifier.as_deref(), Some("live"));
        assert!(api.methods[0].streams);
        assert!(!native(&whole, "").unwrap().methods[0].streams);
        for (integration, reason) in [
            (format!("ResponseTransferMode: STREAM, {whole}"), "needs the Uri of streams"),
            (streamed.clone(), "write ResponseTransferMode: STREAM"),
            (format!("ResponseTransferMode: RESPONSE_STREAM, {streamed}"), "is STREAM or BUFFERED"),
            ("Uri: 'https://example.com'".into(), "that of no function"),
        ] {
            let wrong = native(&integration, "").unwrap_err();
            assert!(wrong.contains(reason), "{integration}: {wrong}");
        }
        // Nobody can come in by what is not known here.
        let cognito = "AuthorizationType: COGNITO_USER_POOLS";
        let wrong = native(&whole, cognito).unwrap_err();
        assert!(wrong.contains("no method"), "{wrong}");
        let unknown =
            native(&whole, "AuthorizationType: CUSTOM\n      AuthorizerId: X").unwrap_err();
        assert!(unknown.contains("no authorizer X"), "{unknown}");
    }

    /// What `Globals` and an API of its own, as `Auth` or otherwise, make of the access to one method.
    fn access(globals: &str, api: &str, event: &str) -> Result<(Access, bool), String> {
        let api = match api {
            "" => String::new(),
            more => format!(
                "  A: {{Type: AWS::Serverless::Api, Properties: {{StageName: s, {more}}}}}\n"
            ),
        };
        let template = format!(
            "Globals: {{{globals}}}\nResources:\n{api}  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      \
             Events: {{E: {{Type: Api, Properties: {{Path: /a, Method: get{event}}}}}}}\n  D: {{Type: AWS::Lambda::Function}}\n"
        );
        let mut api = read(&template)?;
        let method = api.methods.remove(0);
        Ok((method.access, method.needs_key))
    }

    #[test]
    fn an_access_that_globals_want_is_wanted() {
        let door = "DefaultAuthorizer: Door, Authorizers: {Door: {FunctionArn: !GetAtt D.Arn}}";
        let (of_all, of_api) = (format!("Api: {{Auth: {{{door}}}}}"), format!("Auth: {{{door}}}"));
        let by_door = Ok((Access::Authorizer("Door".into()), false));
        assert_eq!(access(&of_all, "", ""), by_door);
        assert_eq!(access(&of_all, "TracingEnabled: true", ""), by_door);
        assert_eq!(access("", &of_api, ""), by_door);
        assert_eq!(
            access(&of_all, "Auth: {ApiKeyRequired: true}", ""),
            by_door.map(|(a, _)| (a, true))
        );
        let signed = Ok((Access::Signed, false));
        assert_eq!(access(&of_all, "Auth: {DefaultAuthorizer: AWS_IAM}", ""), signed);
        assert_eq!(access(&of_all, "", ", Auth: {Authorizer: AWS_IAM}"), signed);
        assert!(access("Api: {Auth: {ApiKeyRequired: true}}", "", "").unwrap().1);
        assert_eq!(access("Function: {Timeout: 3}", "", ""), Ok((Access::Everybody, false)));
        // What is not understood lets nobody in.
        for (globals, api, event, reason) in [
            ("", "DefinitionBody: {paths: {}}", "", "A: DefinitionBody"),
            ("", "DefinitionUri: a.yaml", "", "A: DefinitionUri"),
            ("Api: {DefinitionUri: a.yaml}", "", "", "DefinitionUri"),
            ("", "Auth: {DefaultAuthoriser: Door}", "", "Auth: DefaultAuthoriser"),
            ("Api: {Auth: {Nobody: true}}", "", "", "Auth: Nobody"),
            ("", "Auth: Door", "", "Auth: is no object"),
            ("", "Auth: {Authorizers: Door}", "", "Authorizers: is no object"),
            ("", "TracingEnabled: true", ", Auth: {Authorizor: Door}", "Auth: Authorizor"),
            ("", "TracingEnabled: true", ", Auth: AWS_IAM", "Auth: is no object"),
            ("", "Auth: {ApiKeyRequired: sure}", "", "ApiKeyRequired: is true or false"),
            ("", "", ", Auth: {ApiKeyRequired: [1]}", "ApiKeyRequired"),
            ("Api: 7", "", "", "Globals: Api: is no object"),
        ] {
            let wrong = access(globals, api, event).unwrap_err();
            assert!(wrong.contains(reason), "{globals} {api} {event}: {wrong}");
        }
    }

    #[test]
    fn a_method_for_others_is_left_out_and_the_rest_is_not() {
        let template = "Resources:\n  A:\n    Type: AWS::Serverless::Api\n    Properties:\n      StageName: s\n      Auth:\n        \
            DefaultAuthorizer: Pool\n        Authorizers: {Pool: {UserPoolArn: arn}}\n  F:\n    \
            Type: AWS::Serverless::Function\n    Properties:\n      Events:\n        \
            E: {Type: Api, Properties: {Path: /a, Method: get}}\n        \
            O: {Type: Api, Properties: {Path: /b, Method: get, Auth: {Authorizer: NONE}}}\n";
        let api = read(template).unwrap();
        let paths: Vec<&str> = api.methods.iter().map(|method| method.path.as_str()).collect();
        assert_eq!(paths, ["/b"]);
        let note = "F: E: its authorizer Pool is of Cognito, which is not emulated: the method is left out";
        assert!(api.notes.iter().any(|told| told == note), "{:?}", api.notes);
    }

    #[test]
    fn what_is_no_template_of_one_api_is_refused() {
        for (template, reason) in [
            ("a: 1", "no Resources"),
            ("Resources: {}", "no method"),
            (
                "Resources: {A: {Type: AWS::Serverless::Api}, B: {Type: AWS::ApiGateway::RestApi}}",
                "2 REST APIs",
            ),
            ("Resources: {B: {Type: AWS::ApiGateway::RestApi, Properties: {Body: {}}}}", "OpenAPI"),
            ("Resources: {B: {Type: AWS::ApiGateway::RestApi}}", "no stage"),
        ] {
            let wrong = read(template).unwrap_err();
            assert!(wrong.contains(reason), "{template}: {wrong}");
        }
    }
}
