//! Events come in as they happen; the text of Server-Sent Events goes out, and comment lines while
//! nothing happens.

use crate::error::BoxError;
use crate::failure::Failure;
use crate::source::ByteStream;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use std::pin::Pin;
use std::time::Duration;
use tokio::time::timeout;

/// How often a comment line is sent while there is no event: "every 15 seconds or so" is what the HTML
/// standard advises. It is below the idle timeout of an edge-optimised API Gateway endpoint (30 s).
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// A comment, which every reader skips.
const COMMENT: &[u8] = b":\n\n";

/// One of the Server-Sent Events: fields that are not set are not sent.
///
/// ```
/// use stream_fn::Event;
///
/// let event = Event::data("one line\nand another").id("7").event("token");
/// # drop(event);
/// ```
#[derive(Clone, Default)]
pub struct Event {
    id: Option<String>,
    event: Option<String>,
    retry: Option<Duration>,
    data: Option<String>,
}

impl Event {
    /// An event with data, of any number of lines.
    pub fn data(data: impl Into<String>) -> Self {
        Self { data: Some(data.into()), ..Self::default() }
    }

    /// An event without data: readers do not dispatch it, but remember its id and its retry time.
    pub fn without_data() -> Self {
        Self::default()
    }

    /// What a reader that was cut off says it saw last, in `Last-Event-ID`. One line, without NUL.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The name of its kind; `message` if there is none. One line.
    #[must_use]
    pub fn event(mut self, name: impl Into<String>) -> Self {
        self.event = Some(name.into());
        self
    }

    /// How long readers are to wait before they connect again, in whole milliseconds.
    #[must_use]
    pub fn retry(mut self, wait: Duration) -> Self {
        self.retry = Some(wait);
        self
    }

    /// Its text, with the empty line that ends it.
    fn encode(&self) -> Result<Bytes, Failure> {
        let mut text = String::new();
        for (name, value) in [("id", &self.id), ("event", &self.event)] {
            let Some(value) = value else { continue };
            if value.contains(['\r', '\n', '\0']) {
                let words = format!("the {name} of an event is not one line of text");
                return Err(Failure::new("InvalidEvent", words));
            }
            line(&mut text, name, value);
        }
        if let Some(retry) = self.retry {
            line(&mut text, "retry", &retry.as_millis().to_string());
        }
        if let Some(data) = &self.data {
            // The three line ends of the standard. A last one is data too: it begins an empty line.
            for data in data.replace("\r\n", "\n").split(['\n', '\r']) {
                line(&mut text, "data", data);
            }
        }
        text.push('\n');
        Ok(text.into())
    }
}

/// Without its words, which are the caller's.
impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Event")
            .field("id", &self.id)
            .field("event", &self.event)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// The blank after the colon is not part of the value, and must be there if the value begins with one.
fn line(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str(": ");
    text.push_str(value);
    text.push('\n');
}

type Events = Pin<Box<dyn Stream<Item = Result<Event, BoxError>> + Send>>;

/// A heartbeat is due when nothing was sent for so long.
pub(super) fn stream(events: Events, heartbeat: Duration) -> ByteStream {
    stream::unfold(events, move |mut events| async move {
        let sent = match timeout(heartbeat, events.next()).await {
            Err(_) => Ok(Bytes::from_static(COMMENT)),
            Ok(Some(Ok(event))) => event.encode().map_err(Into::into),
            Ok(Some(Err(error))) => Err(error),
            Ok(None) => return None,
        };
        Some((sent, events))
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(event: &Event) -> String {
        String::from_utf8(event.encode().unwrap().to_vec()).unwrap()
    }

    #[test]
    fn fields_are_lines_and_data_may_have_many() {
        assert_eq!(text(&Event::data("hello")), "data: hello\n\n");
        let all = Event::data(" a\nb\r\nc\rd\n")
            .id("7")
            .event("token")
            .retry(Duration::from_millis(1_500));
        assert_eq!(
            text(&all),
            "id: 7\nevent: token\nretry: 1500\ndata:  a\ndata: b\ndata: c\ndata: d\ndata: \n\n"
        );
        assert_eq!(text(&Event::data("")), "data: \n\n");
        assert_eq!(text(&Event::without_data().id("8")), "id: 8\n\n");
    }

    #[test]
    fn what_would_be_another_field_is_refused() {
        for bad in [
            Event::data("").id("7\ndata: x"),
            Event::data("").event("a\rb"),
            Event::data("").id("\0"),
        ] {
            assert_eq!(bad.encode().unwrap_err().error_type(), "Function.InvalidEvent");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_filled_with_comments() {
        let beat = Duration::from_secs(15);
        let events = stream::iter([20, 50, 1]).then(|seconds| async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok(Event::data(seconds.to_string()))
        });
        let sent: Vec<_> = stream(events.boxed(), beat).map(Result::unwrap).collect().await;
        let wanted =
            [":\n\n", "data: 20\n\n", ":\n\n", ":\n\n", ":\n\n", "data: 50\n\n", "data: 1\n\n"];
        assert_eq!(sent, wanted);
    }

    #[tokio::test]
    async fn an_error_is_no_end() {
        let events = stream::iter([Ok(Event::data("a")), Err("gone".into())]).boxed();
        let sent: Vec<_> = stream(events, HEARTBEAT).collect().await;
        assert!(sent[0].is_ok() && sent[1].is_err());
    }
}
