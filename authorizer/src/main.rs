//! The environment's settings come in; an authorizer goes out that runs as a Lambda function. And `key NAME`: a
//! fresh API key, with what the settings need to know it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::io::{self, Write as _};
use std::process::ExitCode;
use stream_authorizer::{Engine, Settings};

const CONFIG: &str = "STREAM_AUTHORIZER_CONFIG";
const SETTINGS: &str = "STREAM_AUTHORIZER_SETTINGS";

/// What a process that Lambda or an emulator of it started has.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

const USAGE: &str = "\
stream-authorizer             run as a Lambda function, with the settings (TOML) in the file that
                              STREAM_AUTHORIZER_CONFIG names, or in STREAM_AUTHORIZER_SETTINGS itself
stream-authorizer check       read the settings, say what is wrong with them, and end
stream-authorizer key NAME    print a new API key, once, and what to put into the settings for it
";

/// Of a key: as many as of the sum that stands for it, so that nobody can try them all.
const KEY_BYTES: usize = 32;

/// What keys begin with, so that people and scanners of secrets know one.
const KEY_PREFIX: &str = "sa_";

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ended = match words[..] {
        [] => run().await,
        ["check"] => check(),
        ["key", name] => key(name),
        ["--help" | "-h"] => print(USAGE),
        _ => Err("say nothing, \"check\" or \"key NAME\"; see --help".to_owned()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // If even stderr is gone, the exit code has to do.
            let _unwritten = writeln!(io::stderr(), "stream-authorizer: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), String> {
    lambda_runtime::tracing::init_default_subscriber_with_writer(io::stderr);
    let (settings, engine) = engine()?;
    if std::env::var_os(RUNTIME_API).is_none() {
        return Err(format!(
            "{RUNTIME_API} is not set: Lambda starts this program, or `invoker local` does"
        ));
    }
    let function = stream_authorizer::run(engine, settings.http_api_answer);
    function.await.map_err(|error| error.to_string())
}

fn check() -> Result<(), String> {
    let (settings, engine) = engine()?;
    engine.policies_fit().map_err(|error| error.to_string())?;
    let tokens = if settings.jwt.is_some() { "tokens" } else { "no tokens" };
    let (scopes, keys) = (settings.scopes.len(), settings.keys.len());
    print(&format!("good: scopes {scopes}, API keys {keys}, {tokens}\n"))
}

fn engine() -> Result<(Settings, Engine), String> {
    let (place, text) = match (std::env::var(CONFIG), std::env::var(SETTINGS)) {
        (Ok(path), Err(_)) => {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| format!("{CONFIG}: {path} cannot be read: {error}"))?;
            (path, text)
        }
        (Err(_), Ok(text)) => (SETTINGS.to_owned(), text),
        (Ok(_), Ok(_)) => return Err(format!("{CONFIG} and {SETTINGS} are set: say one of them")),
        (Err(_), Err(_)) => {
            return Err(format!(
                "no settings: {CONFIG} is the path of a TOML file, or {SETTINGS} is its text"
            ));
        }
    };
    let settings = Settings::from_toml(&text).map_err(|error| format!("{place}: {error}"))?;
    let engine = Engine::new(&settings, |name| std::env::var(name).ok())
        .map_err(|error| format!("{place}: {error}"))?;
    Ok((settings, engine))
}

fn key(name: &str) -> Result<(), String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.@".contains(letter);
    if name.is_empty() || !name.chars().all(plain) {
        return Err("key: a name has letters, digits and -_.@".to_owned());
    }
    let mut random = [0; KEY_BYTES];
    getrandom::fill(&mut random).map_err(|error| format!("there is no randomness: {error}"))?;
    let key = format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    let sum: String =
        Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    print(&format!(
        "# The key, which is kept nowhere. Give it to {name}, for the header x-api-key:
{key}

# For the settings:
[[keys]]
name = \"{name}\"
sha256 = \"{sum}\"
scopes = []
"
    ))
}

fn print(text: &str) -> Result<(), String> {
    io::stdout().write_all(text.as_bytes()).map_err(|error| format!("stdout: {error}"))
}
