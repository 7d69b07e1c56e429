//! The bytes of a stream of server-sent events go in as they pass; if it breaks, the bytes that end it
//! for a browser come out: whatever event was unfinished is taken back, and `event: error` follows. Pure.
//!
//! What a stream looks like: WHATWG HTML, section 9.2.6, "Interpreting an event stream".

use bytes::Bytes;
use serde_json::json;

/// The name that an unfinished event gets, so that no listener takes it for a whole one: of several names
/// the last counts.
const UNFINISHED: &str = "unfinished";

/// The longest id of an event that is kept, in bytes.
const ID_MAX: usize = 256;

/// Where in the stream what has passed ends.
#[derive(Debug, Default)]
pub(crate) struct EventStreamEnd {
    /// The beginning of the line that is not over.
    line: Vec<u8>,
    /// Whether that line has anything at all.
    in_line: bool,
    /// Whether an event is not over: it has lines, and no empty one.
    in_event: bool,
    /// A line feed that comes now belongs to the carriage return before it.
    after_return: bool,
    /// The id of the event that is not over.
    id: Option<Vec<u8>>,
    /// The last id that counts: a client that comes back sends it.
    last_id: Vec<u8>,
}

impl EventStreamEnd {
    /// Takes note of what passes.
    pub(crate) fn pass(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let after_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if after_return => {}
                b'\r' | b'\n' => {
                    self.after_return = byte == b'\r';
                    self.end_line();
                }
                _ => {
                    self.in_line = true;
                    // One more than is kept tells that it was too long.
                    if self.line.len() <= ID_MAX + b"id: ".len() {
                        self.line.push(byte);
                    }
                }
            }
        }
    }

    fn end_line(&mut self) {
        if !std::mem::take(&mut self.in_line) {
            if std::mem::take(&mut self.in_event)
                && let Some(id) = self.id.take()
            {
                self.last_id = id;
            }
            return;
        }
        self.in_event = true;
        let line = std::mem::take(&mut self.line);
        let Some(value) = line.strip_prefix(b"id") else { return };
        let value = match value {
            [b':', b' ', value @ ..] | [b':', value @ ..] => value,
            [] => value,
            _ => return, // another field
        };
        if !value.contains(&0) && value.len() <= ID_MAX {
            self.id = Some(value.to_owned());
        }
    }

    /// What is sent last: the type of the failure, and the id under which it is in the log.
    pub(crate) fn broken(&self, error_type: &str, request_id: &str) -> Bytes {
        let mut sent = Vec::new();
        if self.in_line {
            // Of a number, such as that of `retry`, what came is another number: this makes it none.
            sent.extend_from_slice(b"~\n");
        }
        if self.in_line || self.in_event {
            // Its id does not count, whole or cut: else the client would come back for what is behind it.
            sent.extend_from_slice(b"id: ");
            sent.extend_from_slice(&self.last_id);
            sent.extend_from_slice(format!("\nevent: {UNFINISHED}\n\n").as_bytes());
        }
        let data = json!({"type": error_type, "requestId": request_id});
        sent.extend_from_slice(format!("event: error\ndata: {data}\n\n").as_bytes());
        sent.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERROR: &str = "event: error\ndata: {\"requestId\":\"r\",\"type\":\"Function.X\"}\n\n";

    fn after(passed: &str) -> String {
        let mut end = EventStreamEnd::default();
        end.pass(passed.as_bytes());
        let whole = end.broken("Function.X", "r");
        // However it is cut.
        let mut cut = EventStreamEnd::default();
        passed.as_bytes().iter().for_each(|byte| cut.pass(&[*byte]));
        assert_eq!(cut.broken("Function.X", "r"), whole);
        String::from_utf8(whole.to_vec()).unwrap()
    }

    #[test]
    fn between_events_there_is_nothing_to_take_back() {
        for passed in ["", "data: 1\n\n", "data: 1\r\n\r\n", "data: 1\r\r", ": beat\n\n\n", "\n"] {
            assert_eq!(after(passed), ERROR, "{passed:?}");
        }
    }

    #[test]
    fn an_unfinished_event_gets_another_name_and_the_id_before_it() {
        let table = [
            ("data: 1", "~\nid: \nevent: unfinished\n\n"),
            ("data: 1\n", "id: \nevent: unfinished\n\n"),
            ("data: 1\r", "id: \nevent: unfinished\n\n"),
            ("data: 1\n\nd", "~\nid: \nevent: unfinished\n\n"),
            ("id: 7\ndata: 1\n\nid: 8\ndata: 2\n", "id: 7\nevent: unfinished\n\n"),
            ("id: 7\r\ndata: 1\r\n\r\nid: 1", "~\nid: 7\nevent: unfinished\n\n"),
            ("id:7\n\nid\n\nd", "~\nid: \nevent: unfinished\n\n"),
            ("id: 7\n\nidle: 8\n\nid: 9\0\n\nd", "~\nid: 7\nevent: unfinished\n\n"),
        ];
        for (passed, first) in table {
            assert_eq!(after(passed), format!("{first}{ERROR}"), "{passed:?}");
        }
    }

    #[test]
    fn long_lines_cost_nothing() {
        let mut end = EventStreamEnd::default();
        end.pass(b"id: 7\n\nid: ");
        end.pass(&vec![b'x'; 1 << 20]);
        assert!(end.line.capacity() < 1_024);
        end.pass(b"\n\nd");
        assert_eq!(end.last_id, b"7");
    }
}
