//! The text of a template comes in, YAML or JSON; its values go out as JSON, with CloudFormation's tags in
//! their long form: `!Sub x` is `{"Fn::Sub": "x"}`.

use saphyr::{LoadableYamlNode as _, ScalarOwned, YamlOwned};
use serde_json::{Map, Number, Value};

/// How deep values may be in one another: no template is half as deep, and reading it takes stack.
const DEPTH_MAX: usize = 64;

/// # Errors
///
/// The text is neither, or has something that no template has.
pub(super) fn read(text: &str) -> Result<Value, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"));
    }
    let documents = YamlOwned::load_from_str(text);
    let documents = documents.map_err(|error| format!("it is no YAML: {error}"))?;
    match &documents[..] {
        [document] => value(document, DEPTH_MAX),
        several => Err(format!("a template is one document, and here are {}", several.len())),
    }
}

fn value(node: &YamlOwned, depth: usize) -> Result<Value, String> {
    let depth = depth.checked_sub(1).ok_or("it is nested too deep")?;
    match node {
        YamlOwned::Value(scalar) => Ok(of_scalar(scalar)),
        YamlOwned::Sequence(items) => items.iter().map(|item| value(item, depth)).collect(),
        YamlOwned::Mapping(entries) => {
            let mut object = Map::new();
            for (key, entry) in entries {
                object.insert(name(key)?, value(entry, depth)?);
            }
            Ok(Value::Object(object))
        }
        YamlOwned::Tagged(tag, inner) => {
            let inner = value(inner, depth)?;
            Ok(if tag.handle == "!" { tagged(&tag.suffix, inner) } else { inner })
        }
        YamlOwned::Representation(text, ..) => Ok(Value::String(text.clone())),
        YamlOwned::Alias(_) => Err("it has an alias (*name), which is not read".into()),
        YamlOwned::BadValue => Err("it has a value that is not of its type".into()),
    }
}

fn of_scalar(scalar: &ScalarOwned) -> Value {
    match scalar {
        ScalarOwned::Null => Value::Null,
        ScalarOwned::Boolean(yes) => Value::Bool(*yes),
        ScalarOwned::Integer(number) => Value::Number((*number).into()),
        ScalarOwned::FloatingPoint(number) => {
            Number::from_f64(number.into_inner()).map_or(Value::Null, Value::Number)
        }
        ScalarOwned::String(text) => Value::String(text.clone()),
    }
}

fn name(key: &YamlOwned) -> Result<String, String> {
    match key {
        YamlOwned::Value(ScalarOwned::String(text)) => Ok(text.clone()),
        YamlOwned::Value(scalar) => Ok(of_scalar(scalar).to_string()),
        _ => Err("it has a name that is no text".into()),
    }
}

/// `!Ref` and `!Condition` have no `Fn::`, and `!GetAtt A.B` is two words.
fn tagged(tag: &str, inner: Value) -> Value {
    let (name, inner) = match (tag, inner) {
        ("Ref" | "Condition", inner) => (tag.to_owned(), inner),
        ("GetAtt", Value::String(text)) => {
            let words: Vec<Value> = text.splitn(2, '.').map(Value::from).collect();
            ("Fn::GetAtt".into(), Value::Array(words))
        }
        (tag, inner) => (format!("Fn::{tag}"), inner),
    };
    Value::Object(Map::from_iter([(name, inner)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tags_are_read_in_their_long_form() {
        let read = read(
            "A: !Ref B\nC: !GetAtt D.E.F\nG: !Sub x${H}\nI: !If [J, !Ref K, 1]\nL: {M: !Not [!Equals [a, b]]}\n\
             N: {Fn::Sub: y}\nO: 2012-10-17\nP: true\nQ: \"1\"\nR: {Ref: S}\nT: !Select [0, !GetAZs {Ref: U}]\n",
        );
        assert_eq!(
            read.unwrap(),
            json!({
                "A": {"Ref": "B"},
                "C": {"Fn::GetAtt": ["D", "E.F"]},
                "G": {"Fn::Sub": "x${H}"},
                "I": {"Fn::If": ["J", {"Ref": "K"}, 1]},
                "L": {"M": {"Fn::Not": [{"Fn::Equals": ["a", "b"]}]}},
                "N": {"Fn::Sub": "y"},
                "O": "2012-10-17",
                "P": true,
                "Q": "1",
                "R": {"Ref": "S"},
                "T": {"Fn::Select": [0, {"Fn::GetAZs": {"Ref": "U"}}]},
            })
        );
    }

    #[test]
    fn json_is_read_and_what_is_neither_is_refused() {
        assert_eq!(read(r#" {"A": {"Ref": "B"}}"#).unwrap(), json!({"A": {"Ref": "B"}}));
        for text in ["{", "a: [", "a: 1\n---\nb: 2\n", "a: \"\n"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(&format!("a: {}", "[".repeat(1000))).is_err());
    }
}
