//! A question goes in; the whole result comes out as the one stream of one invocation, raw.

use super::Download;
use crate::body::ResponseStream;
use crate::error::Error;

impl Download {
    /// The whole result as the stream of one invocation, as it comes: what is set for ranges, segments
    /// and checksums counts for nothing here. The call is repeated until an answer begins; after that
    /// nothing is. [`progress`](Self::progress) counts the invocations, but not the bytes that are
    /// read.
    ///
    /// # Errors
    ///
    /// As [`inspect`](Self::inspect).
    ///
    /// # Cancel safety
    ///
    /// As [`Invoker::invoke`](crate::Invoker::invoke).
    pub async fn one_stream(self) -> Result<ResponseStream, Error> {
        self.progress.begin();
        let asking = self.asking();
        let called = asking.deadline.hold(asking.call(&self.invocation, None)).await;
        match called {
            Ok(stream) => {
                self.unended.hand_over();
                Ok(stream.until(asking.deadline))
            }
            Err(error) => {
                self.progress.end(Some(&error));
                Err(error)
            }
        }
    }
}
