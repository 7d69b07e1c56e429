//! A policy of anybody's comes in, an action and a resource; what the policy says of them goes out.
//!
//! Strict on purpose: what is not understood here denies, and where a wildcard could be read narrowly or
//! widely, a statement that allows is read narrowly and one that denies widely.

use super::LONGEST_RESOURCE;
use serde::Serialize;
use serde_json::{Map, Value};

/// What a policy says of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evaluation {
    /// A statement allows it, and none denies it.
    Allow,
    /// A statement denies it, or the policy has something that is not supported, which could.
    ExplicitDeny,
    /// No statement is about it: not allowed either.
    NoMatch,
}

/// Evaluates an IAM policy document as API Gateway does that of an authorizer: typed, or as a
/// [`serde_json::Value`], which is better for what others wrote: types drop what they do not know.
///
/// `*` and `?` are wildcards in `Action`, which is compared without regard to case, and in `Resource`. In a
/// statement that allows they stay within one of the six parts of an ARN between colons, of which the last
/// may have colons itself; `*` alone is anything. In one that denies they run over colons as well. `Action`
/// and `Resource` may be a text or an array.
///
/// Not supported, and therefore an explicit deny whatever else there is: `NotAction`, `NotResource`,
/// `Condition`, `Principal`, any other name, variables (`${...}`), a resource of more than 512 characters, and
/// what is no policy.
pub fn evaluate<D: Serialize + ?Sized>(document: &D, action: &str, resource: &str) -> Evaluation {
    let read = serde_json::to_value(document).map_err(|_| "it cannot be read");
    let statements = match read.as_ref().map_err(|why| *why).and_then(statements) {
        Ok(statements) => statements,
        Err(why) => {
            tracing::warn!(why, "a policy that is not supported denies");
            return Evaluation::ExplicitDeny;
        }
    };
    let mut evaluation = Evaluation::NoMatch;
    for statement in statements {
        if !statement.is_about(action, resource) {
            continue;
        }
        match statement.allows {
            true => evaluation = Evaluation::Allow,
            false => return Evaluation::ExplicitDeny,
        }
    }
    evaluation
}

struct Statement<'a> {
    allows: bool,
    actions: Vec<&'a str>,
    resources: Vec<&'a str>,
}

impl Statement<'_> {
    fn is_about(&self, action: &str, resource: &str) -> bool {
        let action = action.to_ascii_lowercase();
        let named = |pattern: &&str| matches(&pattern.to_ascii_lowercase(), &action);
        let covered = |pattern: &&str| match self.allows {
            true => matches_by_parts(pattern, resource),
            false => matches(pattern, resource),
        };
        self.actions.iter().any(named) && self.resources.iter().any(covered)
    }
}

fn statements(document: &Value) -> Result<Vec<Statement<'_>>, &'static str> {
    let document = document.as_object().ok_or("it is no object")?;
    let mut listed = None;
    for (name, value) in document {
        match (name.as_str(), value) {
            ("Version", Value::String(version)) if version == super::VERSION => {}
            ("Version", Value::String(version)) if version == "2008-10-17" => {}
            ("Id", Value::String(_)) => {}
            ("Statement", value) => listed = Some(value),
            _ => return Err("it has an element that is not supported"),
        }
    }
    let one_or_more = match listed.ok_or("it has no Statement")? {
        Value::Array(statements) => statements.iter().collect(),
        statement => vec![statement],
    };
    one_or_more
        .into_iter()
        .map(|one| statement(one.as_object().ok_or("a statement is no object")?))
        .collect()
}

fn statement(fields: &Map<String, Value>) -> Result<Statement<'_>, &'static str> {
    let (mut effect, mut actions, mut resources) = (None, None, None);
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("Sid", Value::String(_)) => {}
            ("Effect", Value::String(words)) if words == "Allow" => effect = Some(true),
            ("Effect", Value::String(words)) if words == "Deny" => effect = Some(false),
            ("Action", value) => actions = Some(texts(value)?),
            ("Resource", value) => resources = Some(texts(value)?),
            _ => return Err("a statement has an element that is not supported"),
        }
    }
    let resources = resources.ok_or("a statement has no Resource")?;
    if resources.iter().any(|resource| resource.contains("${")) {
        return Err("a resource has a variable");
    }
    if resources.iter().any(|resource| resource.chars().count() > LONGEST_RESOURCE) {
        return Err("a resource is too long");
    }
    Ok(Statement {
        allows: effect.ok_or("a statement has no Effect")?,
        actions: actions.ok_or("a statement has no Action")?,
        resources,
    })
}

fn texts(value: &Value) -> Result<Vec<&str>, &'static str> {
    let wrong = "an Action or a Resource is no text and no array of texts";
    match value {
        Value::String(text) => Ok(vec![text]),
        Value::Array(listed) if !listed.is_empty() => {
            listed.iter().map(|one| one.as_str().ok_or(wrong)).collect()
        }
        _ => Err(wrong),
    }
}

/// Of an ARN: `arn:partition:service:region:account:resource`.
const PARTS: usize = 6;

fn matches_by_parts(pattern: &str, resource: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let patterns: Vec<&str> = pattern.splitn(PARTS, ':').collect();
    let parts: Vec<&str> = resource.splitn(PARTS, ':').collect();
    patterns.len() == parts.len()
        && patterns.iter().zip(parts).all(|(pattern, part)| matches(pattern, part))
}

/// `*` is any run of characters and `?` any one. At most one step back for each `*`, so it takes no longer
/// than both lengths multiplied.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where the last star was, and where the text was that it is taken to end at.
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(one) if *one == '?' || *one == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, end)) => {
                    star = Some((at, end + 1));
                    p = at + 1;
                    t = end + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|left| *left == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ARN: &str = "arn:aws:execute-api:eu-west-1:1:api/prod/GET/a/b:c";

    fn of(statement: Value) -> Evaluation {
        let document = json!({"Version": "2012-10-17", "Statement": statement});
        evaluate(&document, "execute-api:Invoke", ARN)
    }

    fn allow(resource: &str) -> Value {
        json!({"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resource})
    }

    fn deny(resource: &str) -> Value {
        json!({"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": resource})
    }

    #[test]
    fn wildcards() {
        for (pattern, text, is) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "abcd", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "acb", false),
            ("?", "", false),
            ("?", "ä", true),
            ("a?c", "ac", false),
            ("*?", "a", true),
            ("**", "ab", true),
            ("a", "A", false),
        ] {
            assert_eq!(matches(pattern, text), is, "{pattern} {text}");
        }
    }

    #[test]
    fn hostile_patterns_end_soon() {
        let text = "a".repeat(2000);
        assert!(!matches(&format!("{}b", "*a".repeat(200)), &text));
    }

    #[test]
    fn statements_that_allow_are_read_narrowly_and_those_that_deny_widely() {
        for (resource, allowed, denied) in [
            ("*", true, true),
            (ARN, true, true),
            ("arn:aws:execute-api:*:*:*", true, true),
            ("arn:aws:execute-api:*:*:api/*", true, true),
            ("arn:aws:execute-api:eu-west-?:1:api/prod/*/a/*", true, true),
            ("arn:aws:execute-api:eu-west-1:1:api/prod/GET/a/b:?", true, true),
            ("arn:aws:execute-api:*", false, true),
            ("arn:*", false, true),
            ("*:api/*", false, true),
            ("arn:aws:execute-api:eu-west-1:1:API/*", false, false),
            ("arn:aws:execute-api:eu-west-1:1:api/prod/POST/*", false, false),
            ("", false, false),
        ] {
            let is = |evaluation, yes| if yes { evaluation } else { Evaluation::NoMatch };
            assert_eq!(of(allow(resource)), is(Evaluation::Allow, allowed), "{resource}");
            assert_eq!(of(deny(resource)), is(Evaluation::ExplicitDeny, denied), "{resource}");
        }
    }

    #[test]
    fn a_deny_counts_wherever_it_stands() {
        assert_eq!(of(json!([allow("*"), deny("*")])), Evaluation::ExplicitDeny);
        assert_eq!(of(json!([deny("*"), allow("*")])), Evaluation::ExplicitDeny);
        assert_eq!(of(json!([allow("*"), deny("arn:x")])), Evaluation::Allow);
        assert_eq!(of(json!([])), Evaluation::NoMatch);
    }

    #[test]
    fn actions() {
        for (action, is) in [
            (json!("execute-api:Invoke"), Evaluation::Allow),
            (json!("EXECUTE-API:invoke"), Evaluation::Allow),
            (json!("execute-api:*"), Evaluation::Allow),
            (json!("*"), Evaluation::Allow),
            (json!(["s3:GetObject", "execute-api:In?oke"]), Evaluation::Allow),
            (json!("execute-api:InvalidateCache"), Evaluation::NoMatch),
            (json!("lambda:Invoke"), Evaluation::NoMatch),
            (json!([]), Evaluation::ExplicitDeny),
            (json!(null), Evaluation::ExplicitDeny),
            (json!(["*", 1]), Evaluation::ExplicitDeny),
        ] {
            let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
            assert_eq!(of(statement), is, "{action}");
        }
    }

    #[test]
    fn what_is_not_understood_denies() {
        for (name, value) in [
            ("Condition", json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}})),
            ("Condition", json!(null)),
            ("NotAction", json!("s3:*")),
            ("NotResource", json!("arn:x")),
            ("Principal", json!("*")),
            ("resource", json!("*")),
            ("Sid", json!(1)),
            ("Effect", json!("allow")),
            ("Resource", json!("arn:aws:execute-api:eu-west-1:1:api/${aws:username}/*")),
            ("Resource", json!(["*", "a".repeat(513)])),
        ] {
            let mut statement = allow("*");
            statement[name] = value.clone();
            // Also beside a statement that is good.
            let both = json!([statement, allow("*")]);
            assert_eq!(of(both), Evaluation::ExplicitDeny, "{name} {value}");
        }
        for document in [
            json!(null),
            json!("text"),
            json!({}),
            json!({"Version": "2012-10-17"}),
            json!({"Version": "2020-01-01", "Statement": [allow("*")]}),
            json!({"Version": null, "Statement": [allow("*")]}),
            json!({"Statement": [allow("*"), 1]}),
            json!({"Statement": [allow("*")], "More": 1}),
        ] {
            let evaluation = evaluate(&document, "execute-api:Invoke", ARN);
            assert_eq!(evaluation, Evaluation::ExplicitDeny, "{document}");
        }
        let without_version = json!({"Statement": allow("*")});
        assert_eq!(evaluate(&without_version, "execute-api:Invoke", ARN), Evaluation::Allow);
    }
}
