//! A template's values come in with its parameters; the same values go out with `Ref`, `Sub`, `If` and the
//! others worked out, or why they cannot be. Pure.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::{Map, Value, json};

/// What stands for the account and the place: there is neither.
pub(super) const ACCOUNT: &str = "123456789012";
pub(super) const REGION: &str = "us-east-1";
pub(super) const PARTITION: &str = "aws";
/// The ID of every API here.
pub(super) const API_ID: &str = "emulated00";

/// How often conditions may name one another: deeper than this they name themselves.
const CONDITIONS_MAX: usize = 32;

/// What values are worked out with.
pub(super) struct Stack {
    parameters: BTreeMap<String, Value>,
    conditions: Map<String, Value>,
    /// Logical ids and their types.
    resources: BTreeMap<String, String>,
}

impl Stack {
    /// # Errors
    ///
    /// A parameter has no value, has one that it may not have, or is none of the template's.
    pub(super) fn new(template: &Value, given: &BTreeMap<String, String>) -> Result<Self, String> {
        let nothing = Map::new();
        let of = |name: &str| template.get(name).and_then(Value::as_object).unwrap_or(&nothing);
        let declared = of("Parameters");
        if let Some(unknown) = given.keys().find(|name| !declared.contains_key(*name)) {
            return Err(format!("the template has no parameter {unknown}"));
        }
        let mut parameters = BTreeMap::new();
        for (name, parameter) in declared {
            let value = match (given.get(name), parameter.get("Default")) {
                (Some(value), _) => Value::String(value.clone()),
                (None, Some(default)) => default.clone(),
                (None, None) => {
                    return Err(format!(
                        "the parameter {name} has no value: --parameter {name}=VALUE"
                    ));
                }
            };
            check(name, parameter, &value)?;
            let list = parameter.get("Type").and_then(Value::as_str).unwrap_or_default();
            let value = match list == "CommaDelimitedList" || list.starts_with("List<") {
                true => text(&value)?.split(',').map(|part| Value::from(part.trim())).collect(),
                false => value,
            };
            parameters.insert(name.clone(), value);
        }
        let kind = |resource: &Value| {
            resource.get("Type").and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let resources =
            of("Resources").iter().map(|(id, resource)| (id.clone(), kind(resource))).collect();
        Ok(Self { parameters, conditions: of("Conditions").clone(), resources })
    }

    /// The value without functions. `AWS::NoValue` takes its name out of an object.
    pub(super) fn resolve(&self, value: &Value) -> Result<Value, String> {
        Ok(self.value(value)?.unwrap_or(Value::Null))
    }

    /// Whether a condition of the template holds.
    pub(super) fn holds(&self, condition: &str) -> Result<bool, String> {
        self.condition(condition, CONDITIONS_MAX)
    }

    fn value(&self, value: &Value) -> Result<Option<Value>, String> {
        match value {
            Value::Object(object) => match function(object) {
                Some((name, argument)) => self.call(name, argument),
                None => {
                    let mut resolved = Map::new();
                    for (name, value) in object {
                        if let Some(value) = self.value(value)? {
                            resolved.insert(name.clone(), value);
                        }
                    }
                    Ok(Some(Value::Object(resolved)))
                }
            },
            Value::Array(items) => {
                let mut resolved = Vec::new();
                for item in items {
                    resolved.extend(self.value(item)?);
                }
                Ok(Some(Value::Array(resolved)))
            }
            plain => Ok(Some(plain.clone())),
        }
    }

    fn call(&self, name: &str, argument: &Value) -> Result<Option<Value>, String> {
        match name {
            "Ref" => self.reference(argument.as_str().ok_or("Ref of no name")?),
            "Fn::If" => match argument.as_array().map(Vec::as_slice) {
                Some([Value::String(condition), then, otherwise]) => {
                    self.value(if self.holds(condition)? { then } else { otherwise })
                }
                _ => Err("Fn::If wants a condition and two values".into()),
            },
            "Fn::Sub" => self.substitute(argument).map(Some),
            "Fn::GetAtt" => self.attribute(argument).map(Some),
            "Fn::Join" => {
                let (between, parts) = pair(name, &self.resolve(argument)?)?;
                let parts = parts.as_array().ok_or("Fn::Join wants a list")?;
                let parts: Result<Vec<String>, String> = parts.iter().map(text).collect();
                Ok(Some(Value::String(parts?.join(&text(&between)?))))
            }
            "Fn::Split" => {
                let (at, whole) = pair(name, &self.resolve(argument)?)?;
                let (at, whole) = (text(&at)?, text(&whole)?);
                Ok(Some(whole.split(&*at).map(Value::from).collect()))
            }
            "Fn::Select" => {
                let (index, items) = pair(name, &self.resolve(argument)?)?;
                let index: usize =
                    text(&index)?.parse().map_err(|_| "Fn::Select wants a number")?;
                let item = items.as_array().and_then(|items| items.get(index));
                Ok(Some(item.cloned().ok_or("Fn::Select has no such item")?))
            }
            // Of networks, which are no part of an API.
            "Fn::GetAZs" => Ok(Some(json!([format!("{REGION}a"), format!("{REGION}b")]))),
            other => Err(format!("{other} is not known here")),
        }
    }

    fn reference(&self, name: &str) -> Result<Option<Value>, String> {
        let pseudo = match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::Region" => REGION,
            "AWS::AccountId" => ACCOUNT,
            "AWS::Partition" => PARTITION,
            "AWS::URLSuffix" => "amazonaws.com",
            "AWS::StackName" => "emulated",
            "AWS::StackId" => "arn:aws:cloudformation:us-east-1:123456789012:stack/emulated/0",
            _ => {
                if let Some(value) = self.parameters.get(name) {
                    return Ok(Some(value.clone()));
                }
                return match self.resources.get(name).map(String::as_str) {
                    Some("AWS::Serverless::Api" | "AWS::ApiGateway::RestApi") => {
                        Ok(Some(API_ID.into()))
                    }
                    // What stands for its physical id.
                    Some(_) => Ok(Some(name.into())),
                    None => Err(format!("Ref {name}: there is no such parameter or resource")),
                };
            }
        };
        Ok(Some(pseudo.into()))
    }

    fn attribute(&self, argument: &Value) -> Result<Value, String> {
        let words = match argument {
            Value::Array(words) => words.iter().map(text).collect::<Result<Vec<_>, _>>()?.join("."),
            other => text(other)?,
        };
        let (id, attribute) =
            words.split_once('.').ok_or("Fn::GetAtt wants a name and an attribute")?;
        let kind = self.resources.get(id);
        let kind = kind.ok_or_else(|| format!("Fn::GetAtt {words}: there is no such resource"))?;
        Ok(match (kind.as_str(), attribute) {
            ("AWS::Serverless::Function" | "AWS::Lambda::Function", "Arn") => {
                format!("arn:{PARTITION}:lambda:{REGION}:{ACCOUNT}:function:{id}").into()
            }
            // What stands for whatever it is.
            _ => words.into(),
        })
    }

    fn substitute(&self, argument: &Value) -> Result<Value, String> {
        let nothing = Map::new();
        let (pattern, local) = match argument {
            Value::String(pattern) => (pattern, &nothing),
            Value::Array(parts) => match &parts[..] {
                [Value::String(pattern), Value::Object(local)] => (pattern, local),
                _ => return Err("Fn::Sub wants a text and values".into()),
            },
            _ => return Err("Fn::Sub wants a text".into()),
        };
        let mut rest = pattern.as_str();
        let mut result = String::new();
        while let Some(at) = rest.find("${") {
            result.push_str(&rest[..at]);
            let behind = &rest[at + 2..];
            let end = behind.find('}').ok_or("Fn::Sub has a ${ without its }")?;
            let name = behind[..end].trim();
            match name.strip_prefix('!') {
                Some(literal) => result.push_str(&format!("${{{literal}}}")),
                None => {
                    let value = match local.get(name) {
                        Some(value) => self.resolve(value)?,
                        None if name.contains('.') => self.attribute(&name.into())?,
                        None => self.reference(name)?.unwrap_or_default(),
                    };
                    result.push_str(&text(&value)?);
                }
            }
            rest = &behind[end + 1..];
        }
        result.push_str(rest);
        Ok(result.into())
    }

    fn condition(&self, name: &str, depth: usize) -> Result<bool, String> {
        let condition = self.conditions.get(name);
        let condition = condition.ok_or_else(|| format!("there is no condition {name}"))?;
        self.truth(condition, depth)
    }

    fn truth(&self, condition: &Value, depth: usize) -> Result<bool, String> {
        let depth = depth.checked_sub(1).ok_or("conditions that name themselves")?;
        let called = condition.as_object().and_then(function);
        let (name, argument) = called.ok_or("a condition that is no function")?;
        let all = || argument.as_array().ok_or_else(|| format!("{name} wants a list"));
        match name {
            "Fn::Equals" => {
                let (one, other) = pair(name, &self.resolve(argument)?)?;
                Ok(text(&one)? == text(&other)?)
            }
            "Fn::Not" => match &all()?[..] {
                [one] => Ok(!self.truth(one, depth)?),
                _ => Err("Fn::Not wants one condition".into()),
            },
            "Fn::And" => all()?.iter().try_fold(true, |so, one| Ok(so & self.truth(one, depth)?)),
            "Fn::Or" => all()?.iter().try_fold(false, |so, one| Ok(so | self.truth(one, depth)?)),
            "Condition" => self.condition(&text(argument)?, depth),
            other => Err(format!("{other} is no condition that is known here")),
        }
    }
}

/// The one name and argument of an object that is a function.
fn function(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut entries = object.iter();
    match (entries.next(), entries.next()) {
        (Some((name, argument)), None) => {
            // `Condition` alone is a condition's name in a list of conditions, and an IAM element elsewhere.
            let known = name == "Ref"
                || name.starts_with("Fn::")
                || (name == "Condition" && argument.is_string());
            known.then_some((name.as_str(), argument))
        }
        _ => None,
    }
}

fn pair(name: &str, value: &Value) -> Result<(Value, Value), String> {
    match value.as_array().map(Vec::as_slice) {
        Some([one, other]) => Ok((one.clone(), other.clone())),
        _ => Err(format!("{name} wants two values")),
    }
}

/// As CloudFormation has texts: numbers, true and false are some as well.
pub(super) fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(yes) => Ok(yes.to_string()),
        _ => Err("a text is wanted, and this is a list, an object or nothing".into()),
    }
}

/// What a parameter says about its values. Neither may a secret be in a message.
fn check(name: &str, parameter: &Value, value: &Value) -> Result<(), String> {
    let value = text(value).map_err(|reason| format!("the parameter {name}: {reason}"))?;
    let is_number = parameter.get("Type").and_then(Value::as_str) == Some("Number");
    let number = value.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    if is_number && number.is_none() {
        return Err(format!("the parameter {name} is a number"));
    }
    let letters = Some(value.chars().count() as f64);
    for (bound, measured, least, of) in [
        ("MinValue", number, true, "its value"),
        ("MaxValue", number, false, "its value"),
        ("MinLength", letters, true, "its length"),
        ("MaxLength", letters, false, "its length"),
    ] {
        let Some(said) = parameter.get(bound) else { continue };
        let limit = text(said).ok().and_then(|said| said.trim().parse::<f64>().ok());
        let limit = limit.ok_or_else(|| format!("the parameter {name}: {bound} is no number"))?;
        // What is no number is outside of all bounds of numbers.
        if !measured
            .is_some_and(|measured| if least { measured >= limit } else { measured <= limit })
        {
            let way = if least { "least" } else { "most" };
            return Err(format!(
                "the parameter {name} is not as it must be: {of} is at {way} {limit}"
            ));
        }
    }
    if let Some(allowed) = parameter.get("AllowedValues").and_then(Value::as_array)
        && !allowed.iter().any(|one| text(one).is_ok_and(|one| one == value))
    {
        let allowed: Vec<String> = allowed.iter().filter_map(|one| text(one).ok()).collect();
        return Err(format!("the parameter {name} is one of {}", allowed.join(", ")));
    }
    if let Some(pattern) = parameter.get("AllowedPattern").and_then(Value::as_str) {
        let whole = Regex::new(&format!("^(?:{pattern})$"));
        let whole =
            whole.map_err(|error| format!("the pattern of the parameter {name}: {error}"))?;
        if !whole.is_match(&value) {
            let wanted = parameter.get("ConstraintDescription").and_then(Value::as_str);
            let wanted = wanted.unwrap_or(pattern);
            return Err(format!("the parameter {name} is not as it must be: {wanted}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::document::read;
    use super::*;

    const TEMPLATE: &str = r#"
Parameters:
  Name: {Type: String, Default: ""}
  Kind: {Type: String, Default: a, AllowedValues: [a, b]}
  Subnets: {Type: CommaDelimitedList, Default: "x, y"}
Conditions:
  HasName: !Not [!Equals [!Ref Name, ""]]
  Both: !And [!Condition HasName, !Equals [!Ref Kind, b]]
  Loop: !Not [!Condition Loop]
Resources:
  Fn: {Type: AWS::Serverless::Function}
  Api: {Type: AWS::Serverless::Api}
"#;

    fn stack(given: &[(&str, &str)]) -> Result<Stack, String> {
        let given = given.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Stack::new(&read(TEMPLATE).unwrap(), &given.collect())
    }

    #[test]
    fn functions_are_worked_out() {
        let stack = stack(&[("Name", "n"), ("Kind", "b")]).unwrap();
        for (written, expected) in [
            ("!Ref Name", json!("n")),
            ("!Ref Api", json!(API_ID)),
            ("!Ref Subnets", json!(["x", "y"])),
            ("!GetAtt Fn.Arn", json!("arn:aws:lambda:us-east-1:123456789012:function:Fn")),
            (
                "!Sub '${Name}-${AWS::Region}-${Fn.Arn}-${!Literal}'",
                json!("n-us-east-1-arn:aws:lambda:us-east-1:123456789012:function:Fn-${Literal}"),
            ),
            ("!Sub ['${A}${Name}', {A: !Ref Kind}]", json!("bn")),
            ("!If [Both, 1, 2]", json!(1)),
            ("{a: !If [HasName, !Ref AWS::NoValue, 2], b: 3}", json!({"b": 3})),
            ("!Join ['-', [a, 1, !Ref Name]]", json!("a-1-n")),
            ("!Select [1, !Split [':', 'a:b']]", json!("b")),
        ] {
            let value = read(&format!("v: {written}")).unwrap();
            assert_eq!(stack.resolve(&value["v"]).unwrap(), expected, "{written}");
        }
        for wrong in
            ["!Ref Nobody", "!GetAtt Nobody.Arn", "!FindInMap [a, b, c]", "!If [Nothing, 1, 2]"]
        {
            let value = read(&format!("v: {wrong}")).unwrap();
            assert!(stack.resolve(&value["v"]).is_err(), "{wrong}");
        }
        assert!(stack.holds("Loop").is_err());
    }

    #[test]
    fn parameters_are_held_to_what_they_may_be() {
        assert!(!stack(&[]).unwrap().holds("HasName").unwrap());
        assert!(stack(&[("Kind", "c")]).is_err_and(|why| why.contains("a, b")));
        assert!(stack(&[("Other", "c")]).is_err_and(|why| why.contains("Other")));
        for (parameter, value, reason) in [
            (json!({"Type": "Number", "MinValue": 1}), "0", "its value is at least 1"),
            (json!({"Type": "Number", "MaxValue": "10"}), "10.5", "its value is at most 10"),
            (json!({"Type": "Number"}), "ten", "is a number"),
            (json!({"Type": "String", "MinLength": 2}), "\u{e4}", "its length is at least 2"),
            (json!({"Type": "String", "MaxLength": 1}), "ab", "its length is at most 1"),
        ] {
            let wrong = check("P", &parameter, &value.into()).unwrap_err();
            assert!(wrong.contains(reason) && !wrong.contains("ab"), "{wrong}");
        }
        let both = json!({"Type": "Number", "MinValue": 1, "MaxValue": 10});
        assert_eq!(check("P", &both, &json!(10)), Ok(()));
    }
}
