//! What somebody may, and the ARN of a method, come in; the policy goes out that API Gateway is to apply. And
//! the other way round: a policy comes in, and what it says of one request goes out ([`evaluate`]).
//!
//! API Gateway keeps a policy and applies it to whatever the same caller asks next. So it has all that they
//! may at the stage, by scope, and does not depend on the request that it was asked for; what it does not
//! have is refused (403).

mod evaluation;
mod stage;

use crate::decision::Grant;
use crate::error::Error;
use crate::route::Route;
use aws_lambda_events::apigw::ApiGatewayCustomAuthorizerPolicy;
use aws_lambda_events::iam::{IamPolicyEffect, IamPolicyStatement};

pub use evaluation::{Evaluation, evaluate};
pub(crate) use stage::Stage;

/// The one action of callers.
pub const INVOKE: &str = "execute-api:Invoke";

/// The language that policies have had since: with variables.
const VERSION: &str = "2012-10-17";

/// Of a resource, in characters ("Output from an API Gateway Lambda authorizer").
pub(crate) const LONGEST_RESOURCE: usize = 512;

/// Of a policy, in bytes of JSON. What API Gateway documents for the policy of an API ("Amazon API Gateway
/// quotas"); for that of an authorizer it documents nothing.
const LONGEST_POLICY: usize = 8192;

/// As short as that of a stage is in life: what does not fit with it never will.
const SHORTEST_STAGE: &str = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/v";

/// Why there is no policy for somebody.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPolicy {
    #[error("a resource of {0} characters, at most {LONGEST_RESOURCE} can be in a policy")]
    Resource(usize),
    #[error("a policy of {0} bytes, at most {LONGEST_POLICY} are sent")]
    Size(usize),
}

/// All that is allowed to somebody at a stage. What they may not is not in it, and if they may nothing,
/// that is said.
pub(crate) fn of_grant(
    grant: &Grant,
    stage: &Stage,
) -> Result<ApiGatewayCustomAuthorizerPolicy, NoPolicy> {
    of_routes(grant.routes(), stage.prefix())
}

/// Nothing at a stage is allowed.
pub(crate) fn deny_all(stage: Option<&Stage>) -> ApiGatewayCustomAuthorizerPolicy {
    let resource = stage.map_or("*".to_owned(), |stage| format!("{}/*", stage.prefix()));
    policy(IamPolicyEffect::Deny, vec![resource])
}

/// Whether what these routes allow can be said in a policy at all.
pub(crate) fn fits<'a>(place: &str, routes: impl Iterator<Item = &'a Route>) -> Result<(), Error> {
    of_routes(routes, SHORTEST_STAGE).map(drop).map_err(|why| Error::setting(place, why))
}

fn of_routes<'a>(
    routes: impl Iterator<Item = &'a Route>,
    stage: &str,
) -> Result<ApiGatewayCustomAuthorizerPolicy, NoPolicy> {
    let mut resources: Vec<String> = Vec::new();
    for behind in routes.flat_map(Route::resources) {
        let resource = format!("{stage}/{behind}");
        if resource.len() > LONGEST_RESOURCE {
            return Err(NoPolicy::Resource(resource.len()));
        }
        if !resources.contains(&resource) {
            resources.push(resource);
        }
    }
    if resources.is_empty() {
        return Ok(policy(IamPolicyEffect::Deny, vec![format!("{stage}/*")]));
    }
    let policy = policy(IamPolicyEffect::Allow, resources);
    let size = serde_json::to_vec(&policy).map_or(usize::MAX, |json| json.len());
    if size > LONGEST_POLICY { Err(NoPolicy::Size(size)) } else { Ok(policy) }
}

/// One statement. The types are made by `Default` because they may get more fields.
fn policy(effect: IamPolicyEffect, resources: Vec<String>) -> ApiGatewayCustomAuthorizerPolicy {
    let mut statement = IamPolicyStatement::default();
    statement.effect = effect;
    statement.action = vec![INVOKE.to_owned()];
    statement.resource = resources;
    let mut policy = ApiGatewayCustomAuthorizerPolicy::default();
    policy.version = Some(VERSION.to_owned());
    policy.statement = vec![statement];
    policy
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    const ARN: &str = "arn:aws:execute-api:eu-west-1:123456789012:api1/prod/GET/whatever";

    fn stage(arn: &str) -> Stage {
        Stage::parse(arn).unwrap()
    }

    fn of(words: &[&str]) -> Result<ApiGatewayCustomAuthorizerPolicy, NoPolicy> {
        let routes: Vec<Route> = words.iter().map(|words| Route::parse(words).unwrap()).collect();
        of_routes(routes.iter(), stage(ARN).prefix())
    }

    #[test]
    fn a_policy_as_api_gateway_takes_it() {
        let json = serde_json::to_value(of(&["GET,HEAD /objects/*", "GET /objects/*"]).unwrap());
        let stage = "arn:aws:execute-api:eu-west-1:123456789012:api1/prod";
        assert_eq!(
            json.unwrap(),
            serde_json::json!({
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Action": ["execute-api:Invoke"],
                    "Resource": [format!("{stage}/GET/objects/*"), format!("{stage}/HEAD/objects/*")],
                }]
            })
        );
        let nothing = of(&[]).unwrap();
        assert_eq!(nothing, deny_all(Some(&self::stage(ARN))));
        assert_eq!(evaluate(&nothing, INVOKE, ARN), Evaluation::ExplicitDeny);
        assert_eq!(evaluate(&deny_all(None), INVOKE, ARN), Evaluation::ExplicitDeny);
    }

    #[test]
    fn what_does_not_fit_is_no_wider_policy() {
        let long =
            format!("arn:aws:execute-api:eu-west-1:123456789012:api1/{}/GET/", "s".repeat(128));
        let path = format!("GET /{}", "a".repeat(255));
        let route = Route::parse(&path).unwrap();
        let fits = of_routes([&route].into_iter(), stage(&long).prefix()).unwrap();
        assert!(fits.statement[0].resource[0].len() <= LONGEST_RESOURCE);
        let many: Vec<Route> = (0..40)
            .map(|n| Route::parse(&format!("GET /{n}/{}", "a".repeat(200))).unwrap())
            .collect();
        let error = of_routes(many.iter(), stage(ARN).prefix()).unwrap_err();
        assert!(matches!(error, NoPolicy::Size(size) if size > LONGEST_POLICY));
        let error = self::fits("keys[0].scopes", many.iter()).unwrap_err().to_string();
        assert!(error.starts_with("keys[0].scopes: a policy of "), "{error}");
        let stage = "s".repeat(LONGEST_RESOURCE);
        let error = of_routes([&route].into_iter(), &stage).unwrap_err();
        assert!(matches!(error, NoPolicy::Resource(_)));
    }

    fn part() -> impl Strategy<Value = &'static str> {
        select(vec!["a", "b", "ab", "objects", "GET", "a.b", "a:b", "-"])
    }

    fn a_path() -> impl Strategy<Value = String> {
        proptest::collection::vec(part(), 0..4).prop_map(|parts| format!("/{}", parts.join("/")))
    }

    fn a_route() -> impl Strategy<Value = Route> {
        let methods = select(vec!["GET", "POST", "GET,HEAD", "DELETE,PUT,PATCH", "*"]);
        let ends = select(vec!["", "/", "*"]);
        let http = (methods, a_path(), ends).prop_map(|(methods, path, end)| {
            let path = match (path.as_str(), end) {
                ("/", "/") => path,
                (path, "*") if path != "/" => format!("{path}/*"),
                (path, end) => format!("{path}{end}"),
            };
            Route::parse(&format!("{methods} {path}")).unwrap()
        });
        prop_oneof![9 => http, 1 => Just(Route::parse("$connect").unwrap())]
    }

    /// What clients send, wildcards of their own included.
    fn a_client_path() -> impl Strategy<Value = String> {
        let end = select(vec!["", "/", "/x", "*", "/*", "?", "/prod/GET/a", "//a", "/a:b"]);
        (a_path(), end).prop_map(|(path, end)| format!("{path}{end}"))
    }

    proptest! {
        /// The heart of it: for whatever is asked later at the stage, under a cached policy, API Gateway
        /// decides as the engine would; and at no other stage, API, account, region or partition does it
        /// allow anything.
        #[test]
        fn a_policy_allows_what_the_scopes_do_and_nothing_else(
            routes in proptest::collection::vec(a_route(), 0..5),
            method in select(vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]),
            asked_first in a_client_path(),
            path in a_client_path(),
        ) {
            let first = format!("arn:aws:execute-api:eu-west-1:123456789012:api1/prod/GET{asked_first}");
            let policy = of_routes(routes.iter(), stage(&first).prefix()).unwrap();
            let may = |method: &str, path: &str| routes.iter().any(|route| route.matches(method, path));
            let allows = |arn: &str| evaluate(&policy, INVOKE, arn) == Evaluation::Allow;

            let here = format!("arn:aws:execute-api:eu-west-1:123456789012:api1/prod/{method}{path}");
            prop_assert_eq!(allows(&here), may(method, &path), "{}", here);
            // Nor would anybody who reads its wildcards widely, as denying statements are read here.
            let mut reversed = policy.clone();
            if reversed.statement[0].effect == IamPolicyEffect::Allow {
                reversed.statement[0].effect = IamPolicyEffect::Deny;
                let widely = evaluate(&reversed, INVOKE, &here) == Evaluation::ExplicitDeny;
                prop_assert_eq!(widely, may(method, &path), "{}", here);
            }
            let connect = "arn:aws:execute-api:eu-west-1:123456789012:api1/prod/$connect";
            prop_assert_eq!(allows(connect), may("$connect", ""));
            for (part, other) in [
                ("arn:aws:", "arn:aws-cn:"), ("execute-api", "lambda"), ("eu-west-1", "eu-west-2"),
                ("123456789012", "123456789013"), ("api1", "api2"), ("api1", "api1/prod"),
                ("/prod/", "/test/"), ("/prod/", "/prod2/"), ("/prod/", "/"), ("/prod/", "/x/prod/"),
            ] {
                let elsewhere = here.replacen(part, other, 1);
                prop_assert!(!allows(&elsewhere), "{}", elsewhere);
            }
            prop_assert_ne!(evaluate(&policy, "execute-api:ManageConnections", &here), Evaluation::Allow);
        }
    }
}
