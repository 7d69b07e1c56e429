//! `STREAM_AUTHORIZER_SETTINGS` comes in, as the program of stream-authorizer has it; events of API Gateway are
//! answered by it.

use stream_authorizer::{Engine, Settings};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::from_toml(&std::env::var("STREAM_AUTHORIZER_SETTINGS")?)?;
    let engine = Engine::new(&settings, |_| None)?;
    stream_authorizer::run(engine, settings.http_api_answer).await?;
    Ok(())
}
