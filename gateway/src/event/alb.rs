//! The event of a load balancer (Elastic Load Balancing, "Lambda functions as targets"): parameters as they came,
//! not decoded; of repeated headers and parameters the last one, or all of them in maps of their own.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Shown, body, last, multiple};

/// What stands for the target group: there is none.
const TARGET_GROUP: &str = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/stream-gateway/0000000000000000";

pub(super) fn event(shown: &Shown<'_>, multi_value: bool) -> Value {
    let request = shown.request;
    let headers = shown.all_headers();
    let parameters = as_they_came(request.uri.query().unwrap_or_default());
    let (body, encoded) = body(shown).unwrap_or_default();
    let mut event = json!({
        "requestContext": { "elb": { "targetGroupArn": TARGET_GROUP } },
        "httpMethod": request.method.as_str(),
        "path": request.uri.path(),
        "body": body,
        "isBase64Encoded": encoded,
    });
    if multi_value {
        event["multiValueHeaders"] = multiple(&headers);
        event["multiValueQueryStringParameters"] = multiple(&parameters);
    } else {
        event["headers"] = last(&headers);
        event["queryStringParameters"] = last(&parameters);
    }
    event
}

fn as_they_came(query: &str) -> BTreeMap<String, Vec<String>> {
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        parameters.entry(name.to_owned()).or_default().push(value.to_owned());
    }
    parameters
}
