//! The text of a document of others comes in, a template or a configuration in YAML or JSON; its values go out as
//! JSON, with what its reader makes of tags. Pure.

use saphyr::{LoadableYamlNode as _, ScalarOwned, YamlOwned};
use serde_json::{Map, Number, Value};

/// How deep values may be in one another: no template and no configuration is half as deep, and reading it takes stack.
const DEPTH_MAX: usize = 64;

/// The key of YAML whose entries are those of the mapping that has it, unless it says otherwise.
const MERGE: &str = "<<";

/// What becomes of a value with a tag (`!Sub x`), whose name is given without its mark.
pub(crate) type Tagged = fn(&str, Value) -> Value;

/// # Errors
///
/// What it is not, in one line, without any of its text: that may be a secret.
pub(crate) fn read(text: &str, tagged: Tagged) -> Result<Value, String> {
    if text.trim_start().starts_with(['{', '[']) {
        return json(text);
    }
    let documents = YamlOwned::load_from_str(text).map_err(|error| {
        format!("line {}: this is neither YAML nor JSON", error.marker().line())
    })?;
    match &documents[..] {
        [document] => value(document, tagged, DEPTH_MAX),
        several => Err(format!("this has to be one document, and here are {}", several.len())),
    }
}

/// # Errors
///
/// As [`read`].
pub(crate) fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("line {}: this is no JSON", error.line()))
}

fn value(node: &YamlOwned, tagged: Tagged, depth: usize) -> Result<Value, String> {
    let depth = depth.checked_sub(1).ok_or("this is nested too deep")?;
    match node {
        YamlOwned::Value(scalar) => Ok(of_scalar(scalar)),
        YamlOwned::Sequence(items) => items.iter().map(|item| value(item, tagged, depth)).collect(),
        YamlOwned::Mapping(entries) => {
            let (mut object, mut merged) = (Map::new(), Vec::new());
            for (key, entry) in entries {
                let (key, entry) = (name(key)?, value(entry, tagged, depth)?);
                match entry {
                    Value::Object(entries) if key == MERGE => merged.extend(entries),
                    entry => _ = object.insert(key, entry),
                }
            }
            for (key, entry) in merged {
                object.entry(key).or_insert(entry);
            }
            Ok(Value::Object(object))
        }
        YamlOwned::Tagged(tag, inner) => {
            let inner = value(inner, tagged, depth)?;
            Ok(if tag.handle == "!" { tagged(&tag.suffix, inner) } else { inner })
        }
        YamlOwned::Representation(text, ..) => Ok(Value::String(text.clone())),
        YamlOwned::Alias(_) => Err("an alias (*name) here stands for nothing".into()),
        YamlOwned::BadValue => Err("a value here is not of its type".into()),
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
        _ => Err("a key here is no text".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Result<Value, String> {
        super::read(text, |_, value| value)
    }

    #[test]
    fn yaml_and_json_are_the_same() {
        let yaml = "a: [1, true, null]\nb: &b { c: x, d: 2.5 }\ne: *b\nf: { <<: *b, c: \"1\" }\n";
        let expected = json!({
            "a": [1, true, null], "b": {"c": "x", "d": 2.5}, "e": {"c": "x", "d": 2.5}, "f": {"c": "1", "d": 2.5},
        });
        assert_eq!(read(yaml).unwrap(), expected);
        assert_eq!(read(&expected.to_string()).unwrap(), expected);
    }

    #[test]
    fn what_is_neither_is_refused_without_its_text() {
        for text in ["{ hush", "a: [hush", "a: hush\n---\nb: hush\n", "a: \"hush\n", "a: *hush"] {
            let told = read(text).unwrap_err();
            assert!(!told.contains("hush") && told.lines().count() == 1, "{text}: {told}");
        }
        assert!(read(&format!("a: {}", "[".repeat(1000))).is_err());
    }
}
