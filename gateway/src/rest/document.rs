//! The text of a template comes in, YAML or JSON; its values go out as JSON, with CloudFormation's tags in
//! their long form: `!Sub x` is `{"Fn::Sub": "x"}`.

use serde_json::{Map, Value};

use crate::document;

/// # Errors
///
/// The text is neither, or has something that no template has.
pub(super) fn read(text: &str) -> Result<Value, String> {
    document::read(text, tagged)
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
