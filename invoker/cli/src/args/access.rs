//! What was typed about who calls, and by which way, goes in; what is meant comes out.

use std::path::PathBuf;

use clap::Args;

/// Who calls, and by which way.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Access {
    /// Call as this role, which the found credentials may assume
    #[arg(long, hide_short_help = true, value_name = "ARN", value_parser = role)]
    pub(crate) role_arn: Option<String>,
    /// The name of the session as that role [default: invoker]
    #[arg(long, hide_short_help = true, value_name = "NAME", requires = "role_arn")]
    pub(crate) role_session_name: Option<String>,
    /// Trust the certificates of this file (PEM) in place of the system's [env: AWS_CA_BUNDLE]
    #[arg(long, hide_short_help = true, value_name = "FILE")]
    pub(crate) ca_bundle: Option<PathBuf>,
    /// The region's FIPS endpoint [env: AWS_USE_FIPS_ENDPOINT]
    #[arg(long, hide_short_help = true)]
    pub(crate) fips: bool,
    /// The region's endpoint for IPv4 and IPv6 [env: AWS_USE_DUALSTACK_ENDPOINT]
    #[arg(long, hide_short_help = true)]
    pub(crate) dual_stack: bool,
    /// Sign nothing: for a Function URL that asks nobody who they are
    #[arg(long, hide_short_help = true, conflicts_with_all = ["profile", "role_arn"])]
    pub(crate) no_sign: bool,
}

fn role(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, "iam", _, _, name] if name.starts_with("role/") => Ok(text.to_owned()),
        _ => Err("a role is an ARN such as arn:aws:iam::123456789012:role/reader".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_an_arn() {
        for right in ["arn:aws:iam::123456789012:role/reader", "arn:aws-cn:iam::1:role/a/b:c"] {
            assert!(role(right).is_ok(), "{right}");
        }
        for wrong in ["", "reader", "arn:aws:iam::1:user/x", "arn:aws:sts::1:role/x"] {
            assert!(role(wrong).is_err(), "{wrong}");
        }
    }
}
