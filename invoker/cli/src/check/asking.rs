//! Questions go out, one invocation each; what came of them comes in, to be judged.

use bytes::BytesMut;
use futures_util::future::join_all;
use invoker::{DEFAULT_SEGMENT_SIZE, Error, ErrorKind, Invocation, Invoker, ResponseStream};

use super::answer::{Answer, End};
use super::case::Case;
use crate::report::in_one_line;

/// Bytes that are read at most of a stream that should fail.
const FAILING_MAX: u64 = 256 * 1024 * 1024;

/// Who asks.
pub(super) struct Caller {
    invoker: Invoker,
    /// The question, without anything beside it.
    invocation: Invocation,
}

impl Caller {
    pub(super) fn new(invoker: Invoker, invocation: Invocation) -> Self {
        Self { invoker, invocation }
    }

    /// The answer to one case; an error if there is none for reasons that are not the function's.
    pub(super) async fn ask(&self, case: &Case) -> Result<Answer, Error> {
        let mut invocation = self.invocation.clone();
        if let Some(range) = &case.range {
            invocation = invocation.custom("range", range);
        }
        for (name, value) in &case.beside {
            invocation = invocation.custom(*name, value);
        }
        self.call(invocation, case.read_max(), true).await
    }

    /// The answers to all of `cases`, asked for at the same time.
    pub(super) async fn ask_all(&self, cases: &[Case]) -> Result<Vec<Answer>, Error> {
        join_all(cases.iter().map(|case| self.ask(case))).await.into_iter().collect()
    }

    /// The answer for another object.
    pub(super) async fn ask_for(&self, object: &str, case: &Case) -> Result<Answer, Error> {
        self.call(self.invocation.clone().object(object), case.read_max(), true).await
    }

    /// How the stream of another question ends; its bytes are only counted.
    pub(super) async fn end_of(
        &self,
        other: impl FnOnce(Invocation) -> Invocation,
    ) -> Result<Answer, Error> {
        self.call(other(self.invocation.clone()), FAILING_MAX, false).await
    }

    /// The whole object by segments: how many invocations that took, and how many bytes came.
    pub(super) async fn fetch(&self) -> (u64, Result<u64, Error>) {
        let download = self.invoker.download(self.invocation.clone());
        let download = download.segment_size(DEFAULT_SEGMENT_SIZE);
        let progress = download.progress();
        let read = async {
            let mut bytes = download.in_order().await?;
            let mut read = 0;
            while let Some(next) = bytes.next_bytes().await {
                read += next?.len() as u64;
            }
            Ok(read)
        };
        let outcome = read.await;
        (progress.snapshot().invocations, outcome)
    }

    async fn call(
        &self,
        invocation: Invocation,
        read_max: u64,
        keep: bool,
    ) -> Result<Answer, Error> {
        let mut stream = match self.invoker.invoke(invocation).await {
            Ok(stream) => stream,
            Err(error) => return Ok(Answer { end: end(error)?, ..Answer::default() }),
        };
        let head = stream.head();
        let mut answer = Answer {
            status: head.map(|head| head.status),
            headers: head.map(|head| head.headers.clone()).unwrap_or_default(),
            executed_version: stream.executed_version().map(str::to_owned),
            ..Answer::default()
        };
        let mut body = BytesMut::new();
        answer.end = read(&mut stream, read_max, |bytes| {
            if keep {
                body.extend_from_slice(bytes);
            }
        })
        .await?;
        answer.bytes = stream.received_bytes();
        answer.body = body.freeze();
        Ok(answer)
    }
}

async fn read(
    stream: &mut ResponseStream,
    read_max: u64,
    mut take: impl FnMut(&[u8]),
) -> Result<End, Error> {
    let mut read = 0;
    while let Some(next) = stream.next_bytes().await {
        match next {
            Ok(bytes) => {
                read += bytes.len() as u64;
                take(&bytes);
            }
            Err(error) => return end(error),
        }
        if read > read_max {
            return Ok(End::Left);
        }
    }
    Ok(End::Whole)
}

/// An end that tells of the function; any other error stays one.
fn end(error: Error) -> Result<End, Error> {
    if !is_of_the_function(error.kind()) {
        return Err(error);
    }
    Ok(match error.kind() {
        ErrorKind::Function { error_type, message } => End::Failed {
            error_type: error_type.clone(),
            message: message.clone(),
            in_body: error.is_in_body(),
        },
        kind => End::Broken { kind: kind.name(), message: in_one_line(&error) },
    })
}

/// Whether a failure tells something of the function, and not only of the way to it.
pub(super) fn is_of_the_function(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Function { .. }
            | ErrorKind::Answer { .. }
            | ErrorKind::Truncated
            | ErrorKind::Corrupt
            | ErrorKind::Inconsistent
            | ErrorKind::Changed
            | ErrorKind::TimedOut
    )
}
