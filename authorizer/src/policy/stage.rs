//! The ARN of a method or a route comes in, as an event has it; what of it a policy is built on goes out: the
//! stage, if it is one beyond doubt, and the method and path behind.

/// `arn:PARTITION:execute-api:REGION:ACCOUNT:API/STAGE`, and what is behind.
pub(crate) struct Stage {
    arn: String,
    /// Of the ARN, in bytes.
    prefix: usize,
}

impl Stage {
    /// `None` if it is no such ARN, or has something in front of the method that a policy would take for a
    /// wildcard or for a variable: a policy built on that would allow more than one stage.
    pub(crate) fn parse(arn: &str) -> Option<Self> {
        let mut fields = arn.splitn(6, ':');
        let mut next = || fields.next();
        let (scheme, partition, service) = (next()?, next()?, next()?);
        let (region, account, path) = (next()?, next()?, next()?);
        let (api, path) = path.split_once('/')?;
        let (stage, behind) = path.split_once('/')?;
        let plain = |text: &str, marks: &[u8]| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || marks.contains(&byte);
            !text.is_empty() && text.bytes().all(known)
        };
        let good = scheme == "arn"
            && plain(partition, b"-")
            && service == "execute-api"
            && plain(region, b"-")
            && plain(account, b"")
            && plain(api, b"-")
            // "Stage names can contain only alphanumeric characters, hyphens, and underscores, or be
            // $default" (CreateStage of API Gateway V2).
            && (plain(stage, b"-_") || stage == "$default");
        let prefix = arn.len() - behind.len() - 1;
        good.then(|| Self { arn: arn.to_owned(), prefix })
    }

    /// The ARN up to the stage, without a slash behind.
    pub(crate) fn prefix(&self) -> &str {
        &self.arn[..self.prefix]
    }

    /// The method and the path that were asked, or the route of a WebSocket and no path.
    pub(crate) fn asked(&self) -> (&str, &str) {
        let behind = &self.arn[self.prefix + 1..];
        match behind.find('/') {
            Some(slash) => behind.split_at(slash),
            None => (behind, ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_beyond_doubt() {
        for (arn, prefix, method, path) in [
            ("arn:aws:execute-api:us-east-1:1:api/test/GET/", "api/test", "GET", "/"),
            ("arn:aws:execute-api:us-east-1:1:api/test/GET/a/b:c", "api/test", "GET", "/a/b:c"),
            ("arn:aws-cn:execute-api:cn-north-1:1:api/$default/PUT/*", "api/$default", "PUT", "/*"),
            ("arn:aws:execute-api:us-east-1:1:api/test/$connect", "api/test", "$connect", ""),
        ] {
            let stage = Stage::parse(arn).unwrap();
            assert!(stage.prefix().ends_with(prefix), "{}", stage.prefix());
            assert!(arn.starts_with(&format!("{}/", stage.prefix())));
            assert_eq!(stage.asked(), (method, path), "{arn}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for arn in [
            "",
            "*",
            "arn:aws:execute-api:us-east-1:1:api/*/GET/",
            "arn:aws:execute-api:us-east-1:1:*/test/GET/",
            "arn:aws:execute-api:*:1:api/test/GET/",
            "arn:aws:execute-api:us-east-1:1:api/te?t/GET/",
            "arn:aws:execute-api:us-east-1:1:api/${aws:x}/GET/",
            "arn:aws:execute-api:us-east-1:1:api/test",
            "arn:aws:execute-api:us-east-1:1:api//GET/",
            "arn:aws:execute-api:us-east-1::api/test/GET/",
            "arn:aws:lambda:us-east-1:1:api/test/GET/",
            "urn:aws:execute-api:us-east-1:1:api/test/GET/",
        ] {
            assert!(Stage::parse(arn).is_none(), "{arn}");
        }
    }
}
