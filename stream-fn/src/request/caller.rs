//! The request context of an HTTP event comes in; who the front door says is calling goes out, in one form
//! for all the ways in which REST APIs, HTTP APIs and Function URLs have it.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::fmt;

/// Who is calling, as the front door found out.
///
/// | front door | kind | principal | scopes | values |
/// |---|---|---|---|---|
/// | a Lambda authorizer, REST or HTTP API | `Authorizer` | `principalId`, else `principal` of its context | `scope` of its context | its context |
/// | a JWT authorizer of an HTTP API | `Jwt` | the claim `sub` | those it asked for, else the claim `scope` | the claims |
/// | Cognito before a REST API | `Jwt` | the claim `sub` | the claim `scope` | the claims |
/// | IAM, of any of them and of a Function URL | `Iam` | the ARN | none | none |
#[derive(Clone, PartialEq)]
pub struct Caller {
    kind: CallerKind,
    principal: Option<String>,
    scopes: Vec<String>,
    values: Map<String, Value>,
    account_id: Option<String>,
    user_id: Option<String>,
}

/// How a caller was found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallerKind {
    /// By a Lambda authorizer.
    Authorizer,
    /// By a token that the front door checked itself.
    Jwt,
    /// By the signature of an AWS identity.
    Iam,
}

/// What is said of callers, each part for itself, so that one that is strange does not hide the others.
#[derive(Deserialize)]
pub(super) struct Wire {
    #[serde(default)]
    authorizer: Value,
    #[serde(default)]
    identity: Value,
    /// A 2.0 event has it.
    http: Option<Value>,
}

impl Caller {
    pub(super) fn read(wire: Wire) -> Option<Self> {
        let mut said = match wire.authorizer {
            Value::Object(said) => said,
            _ => Map::new(),
        };
        if wire.http.is_some() {
            return Self::of_lambda(object(&mut said, "lambda"))
                .or_else(|| Self::of_jwt(object(&mut said, "jwt")))
                .or_else(|| Self::of_iam(&object(&mut said, "iam"), "userId"));
        }
        // An authorizer's time, which API Gateway has among what it said.
        said.remove("integrationLatency");
        match said.get("claims") {
            // An authorizer's own context has no objects in it.
            Some(Value::Object(_)) => Self::of_jwt(said),
            _ => Self::of_lambda(said).or_else(|| match &wire.identity {
                Value::Object(identity) => Self::of_iam(identity, "user"),
                _ => None,
            }),
        }
    }

    fn of_lambda(mut context: Map<String, Value>) -> Option<Self> {
        if context.is_empty() {
            return None;
        }
        // The one that API Gateway knows counts before the one that is only told.
        let principal = match context.remove("principalId") {
            Some(Value::String(principal)) if !principal.is_empty() => Some(principal),
            _ => text(&context, "principal").filter(|principal| !principal.is_empty()),
        };
        let scopes = words(context.get("scope"));
        Some(Self::new(CallerKind::Authorizer, principal, scopes, context))
    }

    fn of_jwt(mut said: Map<String, Value>) -> Option<Self> {
        let claims = object(&mut said, "claims");
        if claims.is_empty() {
            return None;
        }
        let scopes = match words(said.get("scopes")) {
            none if none.is_empty() => words(claims.get("scope")),
            scopes => scopes,
        };
        Some(Self::new(CallerKind::Jwt, text(&claims, "sub"), scopes, claims))
    }

    fn of_iam(identity: &Map<String, Value>, user: &str) -> Option<Self> {
        let arn = text(identity, "userArn")?;
        let mut caller = Self::new(CallerKind::Iam, Some(arn), Vec::new(), Map::new());
        caller.account_id = text(identity, "accountId");
        caller.user_id = text(identity, user);
        Some(caller)
    }

    fn new(
        kind: CallerKind,
        principal: Option<String>,
        scopes: Vec<String>,
        values: Map<String, Value>,
    ) -> Self {
        Self { kind, principal, scopes, values, account_id: None, user_id: None }
    }

    /// How they were found out.
    pub fn kind(&self) -> CallerKind {
        self.kind
    }

    /// Who it is: a name of the authorizer's, the subject of a token, or the ARN of an AWS identity. An
    /// authorizer or a token may leave it out.
    pub fn principal(&self) -> Option<&str> {
        self.principal.as_deref()
    }

    /// What they may, by the names that the authorizer or the token has for it.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(String::as_str)
    }

    /// Whether a scope is among theirs.
    pub fn has_scope(&self, name: &str) -> bool {
        self.scopes().any(|scope| scope == name)
    }

    /// A value of the authorizer's context, or a claim of the token. REST APIs make texts of numbers, of true
    /// and of false.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// The account of an AWS identity, of which an ARN has only some forms.
    pub fn account_id(&self) -> Option<&str> {
        self.account_id.as_deref()
    }

    /// The unique id of an AWS identity, which another of the same name does not get.
    pub fn user_id(&self) -> Option<&str> {
        self.user_id.as_deref()
    }
}

/// Without who it is and what is said of them: names of values alone.
impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("kind", &self.kind)
            .field("values", &self.values.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

fn object(said: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match said.remove(name) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

fn text(said: &Map<String, Value>, name: &str) -> Option<String> {
    said.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A text with spaces between, or an array.
fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(listed)) => {
            listed.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(context: Value) -> Option<Caller> {
        Caller::read(serde_json::from_value(context).unwrap())
    }

    fn of_http_api(authorizer: Value) -> Option<Caller> {
        read(json!({"http": {"method": "GET"}, "authorizer": authorizer}))
    }

    fn scopes(caller: &Caller) -> Vec<&str> {
        caller.scopes().collect()
    }

    #[test]
    fn of_a_lambda_authorizer_before_a_rest_api() {
        let caller = read(json!({
            "authorizer": {
                "principalId": "reporting", "principal": "told", "scope": "objects:read status",
                "tier": "2", "integrationLatency": 7,
            },
            "identity": {"sourceIp": "10.0.0.7", "userArn": null, "accountId": null},
        }))
        .unwrap();
        assert_eq!(caller.kind(), CallerKind::Authorizer);
        assert_eq!(caller.principal(), Some("reporting"));
        assert_eq!(scopes(&caller), ["objects:read", "status"]);
        assert!(caller.has_scope("status") && !caller.has_scope("stat"));
        assert_eq!(caller.value("tier"), Some(&json!("2")));
        assert_eq!(caller.value("integrationLatency"), None);
        assert_eq!((caller.account_id(), caller.user_id()), (None, None));
    }

    #[test]
    fn of_a_lambda_authorizer_before_an_http_api() {
        let context = json!({"principal": "anna", "scope": "", "tier": 2, "beta": true});
        let caller = of_http_api(json!({ "lambda": context })).unwrap();
        assert_eq!(caller.kind(), CallerKind::Authorizer);
        assert_eq!(caller.principal(), Some("anna"));
        assert_eq!(scopes(&caller), Vec::<&str>::new());
        assert_eq!(caller.value("tier"), Some(&json!(2)));
        assert_eq!(caller.value("beta"), Some(&json!(true)));
        let unnamed = of_http_api(json!({"lambda": {"key": "value"}})).unwrap();
        assert_eq!(unnamed.principal(), None);
        let empty =
            of_http_api(json!({"lambda": {"principalId": "", "principal": "anna"}})).unwrap();
        assert_eq!(empty.principal(), Some("anna"));
        let nobody = of_http_api(json!({"lambda": {"principalId": "", "key": "value"}})).unwrap();
        assert_eq!(nobody.principal(), None);
        assert_eq!(unnamed.value("key"), Some(&json!("value")));
    }

    #[test]
    fn of_a_token() {
        let claims = json!({"sub": "anna", "scope": "a b", "exp": "1800000000"});
        let caller = of_http_api(json!({"jwt": {"claims": claims, "scopes": ["b"]}})).unwrap();
        assert_eq!((caller.kind(), caller.principal()), (CallerKind::Jwt, Some("anna")));
        assert_eq!(scopes(&caller), ["b"]);
        assert_eq!(caller.value("exp"), Some(&json!("1800000000")));
        let caller = of_http_api(json!({"jwt": {"claims": claims, "scopes": null}})).unwrap();
        assert_eq!(scopes(&caller), ["a", "b"]);
        let cognito = read(json!({"authorizer": {"claims": claims}, "identity": {}})).unwrap();
        assert_eq!((cognito.kind(), cognito.principal()), (CallerKind::Jwt, Some("anna")));
        assert_eq!(scopes(&cognito), ["a", "b"]);
    }

    #[test]
    fn of_an_aws_identity() {
        let arn = "arn:aws:iam::123456789012:user/anna";
        // An HTTP API and a Function URL have the same.
        let url = of_http_api(json!({"iam": {
            "accessKey": "AKIAHUNTER2", "accountId": "123456789012", "callerId": "AIDA1",
            "cognitoIdentity": null, "principalOrgId": null, "userArn": arn, "userId": "AIDA1",
        }}))
        .unwrap();
        let rest = read(json!({"identity": {
            "accessKey": "AKIAHUNTER2", "accountId": "123456789012", "caller": "AIDA1",
            "sourceIp": "10.0.0.7", "userArn": arn, "user": "AIDA1", "cognitoIdentityId": null,
        }}))
        .unwrap();
        assert_eq!(url, rest);
        assert_eq!((url.kind(), url.principal()), (CallerKind::Iam, Some(arn)));
        assert_eq!((url.account_id(), url.user_id()), (Some("123456789012"), Some("AIDA1")));
        assert!(!format!("{url:?}").contains("anna"), "{url:?}");
    }

    #[test]
    fn where_nobody_was_asked_there_is_nobody() {
        for context in [
            json!({}),
            json!({"authorizer": null, "identity": null}),
            json!({"authorizer": {}, "identity": {"sourceIp": "10.0.0.7", "userArn": null}}),
            json!({"authorizer": {"integrationLatency": 7}}),
            json!({"authorizer": "text", "identity": "text"}),
            json!({"authorizer": {"claims": {}}}),
            json!({"http": {}}),
            json!({"http": {}, "authorizer": {}}),
            json!({"http": {}, "authorizer": {"lambda": null, "jwt": null, "iam": null}}),
            json!({"http": {}, "authorizer": {"jwt": {"claims": {}, "scopes": ["a"]}}}),
            json!({"http": {}, "authorizer": {"iam": {"userArn": ""}}}),
            // Of a REST API, in an event of an HTTP API: nobody's word.
            json!({"http": {}, "authorizer": {"principalId": "admin"}}),
            json!({"http": {}, "identity": {"userArn": "arn:aws:iam::1:user/a"}}),
        ] {
            assert_eq!(read(context.clone()), None, "{context}");
        }
    }

    #[test]
    fn debug_shows_names_alone() {
        let caller = of_http_api(json!({"lambda": {"principal": "anna", "tenant": "t1"}})).unwrap();
        let text = format!("{caller:?}");
        assert!(
            text.contains("tenant") && !text.contains("anna") && !text.contains("t1"),
            "{text}"
        );
    }
}
