//! `STREAM_FN_SOURCE` comes in, as the ready function has it; its objects go out.

use stream_fn::source;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let source = source::parse(&std::env::var("STREAM_FN_SOURCE")?)?;
    stream_fn::run(stream_fn::objects(source)).await?;
    Ok(())
}
