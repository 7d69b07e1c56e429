//! A media type comes in; whether it is text, which compresses well, goes out.

use http::HeaderValue;

/// Text that is not called so, and what is nearly text. From the IANA registry and from use.
const ALSO_TEXT: [&str; 20] = [
    "application/ecmascript",
    "application/graphql",
    "application/javascript",
    "application/json",
    "application/json-lines",
    "application/json-seq",
    "application/jsonl",
    "application/jsonlines",
    "application/ndjson",
    "application/rtf",
    "application/sql",
    "application/toml",
    "application/wasm",
    "application/x-javascript",
    "application/x-jsonlines",
    "application/x-ndjson",
    "application/x-www-form-urlencoded",
    "application/x-yaml",
    "application/xml",
    "application/yaml",
];

/// Structured syntaxes, as in `image/svg+xml` (RFC 6839 and the registry it began).
const TEXT_SUFFIXES: [&str; 4] = ["+json", "+json-seq", "+xml", "+yaml"];

pub(super) fn is_text(content_type: Option<&HeaderValue>) -> bool {
    let Some(content_type) = content_type.and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || ALSO_TEXT.contains(&essence.as_str())
        || TEXT_SUFFIXES.iter().any(|suffix| essence.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_the_rest() {
        for (content_type, text) in [
            ("text/csv; charset=utf-8", true),
            ("text/event-stream", true),
            ("TEXT/HTML", true),
            ("application/json", true),
            ("application/x-ndjson ; charset=utf-8", true),
            ("application/problem+json", true),
            ("image/svg+xml", true),
            ("application/octet-stream", false),
            ("application/zip", false),
            ("image/png", false),
            ("video/mp4", false),
            ("application/vnd.apache.parquet", false),
            ("", false),
        ] {
            assert_eq!(
                is_text(Some(&HeaderValue::from_static(content_type))),
                text,
                "{content_type}"
            );
        }
        assert!(!is_text(None));
    }
}
