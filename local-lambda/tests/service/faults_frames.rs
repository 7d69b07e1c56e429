//! Faults of frames: each frame that is named, and no other.

use super::wire::{End, STREAMING, answer, borders, compare};
use aws_smithy_eventstream::frame::read_message_from;
use aws_smithy_types::event_stream::Message;

/// The answer with one frame, counted from 0, exchanged.
fn exchanged(body: &[u8], frame: usize, new: &[u8]) -> Vec<u8> {
    let borders = borders(body);
    [&body[..borders[frame]], new, &body[borders[frame + 1]..]].concat()
}

/// The frame that stands there, if the official decoder takes it.
fn decoded(bytes: &[u8]) -> Option<Message> {
    read_message_from(&mut &bytes[..]).ok()
}

fn headers(message: &Message) -> Vec<(String, String)> {
    let text = |header: &aws_smithy_types::event_stream::Header| {
        let value = header.value().as_string().unwrap().as_str().to_owned();
        (header.name().as_str().to_owned(), value)
    };
    message.headers().iter().map(text).collect()
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    crc32fast::hash(bytes).to_be_bytes()
}

#[tokio::test]
async fn a_checksum_is_wrong_and_nothing_else() {
    for (which, frame) in [("1", 0), ("3", 2), ("last", 4)] {
        let (clean, faulty) = compare(STREAMING, &answer(), &[&format!("crc={which}")]).await;
        let borders = borders(&clean.body);
        let (begin, end) = (borders[frame], borders[frame + 1]);
        assert!(decoded(&clean.body[begin..end]).is_some());
        assert!(decoded(&faulty.body[begin..end]).is_none());
        assert_eq!(faulty.body[..end - 4], clean.body[..end - 4]);
        assert_eq!(faulty.body[end..], clean.body[end..]);

        let fault = format!("prelude-crc={which}");
        let (_, faulty) = compare(STREAMING, &answer(), &[&fault]).await;
        let wrong = &faulty.body[begin..end];
        assert!(decoded(wrong).is_none());
        assert_eq!(wrong[..8], clean.body[begin..begin + 8]);
        assert_ne!(wrong[8..12], crc(&wrong[..8]));
        assert_eq!(wrong[12..wrong.len() - 4], clean.body[begin + 12..end - 4]);
        assert_eq!(wrong[wrong.len() - 4..], crc(&wrong[..wrong.len() - 4]));
        assert_eq!(faulty.body[end..], clean.body[end..]);
    }
}

#[tokio::test]
async fn a_length_is_absurd_and_its_checksum_right() {
    for (fault, length) in [("length=2", u32::MAX), ("length=2:16", 16), ("length=2:0", 0)] {
        let (clean, faulty) = compare(STREAMING, &answer(), &[fault]).await;
        let (begin, end) = (borders(&clean.body)[1], borders(&clean.body)[2]);
        let wrong = &faulty.body[begin..end];
        assert_eq!(wrong[..4], length.to_be_bytes());
        assert_eq!(wrong[4..8], clean.body[begin + 4..begin + 8]);
        assert_eq!(wrong[8..12], crc(&wrong[..8]));
        assert_eq!(faulty.body, exchanged(&clean.body, 1, wrong));
    }
}

#[tokio::test]
async fn another_kind_of_frame_stands_in_its_place() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let (clean, faulty) = compare(STREAMING, &answer(), &["error=3:Throttled:slow: down"]).await;
    let begin = borders(&clean.body)[2];
    let end = borders(&faulty.body)[3];
    let message = decoded(&faulty.body[begin..end]).unwrap();
    assert_eq!(
        headers(&message),
        [
            pair(":message-type", "error"),
            pair(":error-code", "Throttled"),
            pair(":error-message", "slow: down"),
        ]
    );
    assert!(message.payload().is_empty());
    assert_eq!(faulty.body, exchanged(&clean.body, 2, &faulty.body[begin..end]));

    let (_, faulty) = compare(STREAMING, &answer(), &["exception=3:EFSIOException:gone"]).await;
    let end = borders(&faulty.body)[3];
    let message = decoded(&faulty.body[begin..end]).unwrap();
    assert_eq!(
        headers(&message),
        [
            pair(":message-type", "exception"),
            pair(":exception-type", "EFSIOException"),
            pair(":content-type", "application/json"),
        ]
    );
    assert_eq!(&message.payload()[..], br#"{"message":"gone"}"#);
    assert_eq!(faulty.body, exchanged(&clean.body, 2, &faulty.body[begin..end]));
}

#[tokio::test]
async fn an_unknown_event_comes_before() {
    let (clean, faulty) = compare(STREAMING, &answer(), &["unknown-event=2:Later"]).await;
    let (begin, end) = (borders(&faulty.body)[1], borders(&faulty.body)[2]);
    let message = decoded(&faulty.body[begin..end]).unwrap();
    assert!(headers(&message).contains(&(":event-type".into(), "Later".into())));
    assert_eq!([&faulty.body[..begin], &faulty.body[end..]].concat(), clean.body);
    // Numbers are of the frames that would be there without it.
    let faults = ["unknown-event=2:Later", "cut=frame.2+12:end"];
    let (_, cut) = compare(STREAMING, &answer(), &faults).await;
    assert_eq!(cut.body, faulty.body[..end + 12]);
}

#[tokio::test]
async fn the_end_is_missing_or_not_the_end() {
    let (clean, faulty) = compare(STREAMING, &answer(), &["no-complete"]).await;
    let last = borders(&clean.body)[4];
    assert_eq!((&faulty.body[..], faulty.end), (&clean.body[..last], End::Whole));

    let (clean, faulty) = compare(STREAMING, &answer(), &["late-junk=20"]).await;
    assert_eq!(faulty.body, [&clean.body[..], &[0xaa; 20]].concat());

    let (clean, faulty) = compare(STREAMING, &answer(), &["late-chunk=20"]).await;
    let (all, late) = faulty.body.split_at(clean.body.len());
    assert_eq!(all, clean.body);
    let message = decoded(late).unwrap();
    assert_eq!(&message.payload()[..], [b'x'; 20]);
    assert!(headers(&message).contains(&(":event-type".into(), "PayloadChunk".into())));
}
