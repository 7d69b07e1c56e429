//! What a subscriber of `tracing` sees of invocations: one span for each, with the names that
//! `invoker::trace` promises, and nothing that is a secret.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use invoker::{ErrorKind, Invocation, trace};
use support::{Answer, Service, chunk, complete, pattern, range_answer};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// The fields of one span, and the messages of its events.
#[derive(Clone, Debug, Default)]
struct Seen {
    fields: BTreeMap<String, String>,
    messages: Vec<String>,
}

#[derive(Clone, Default)]
struct Watch(Arc<Mutex<BTreeMap<u64, Seen>>>);

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Watch {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        if attributes.metadata().target() == trace::TARGET {
            assert_eq!(attributes.metadata().name(), trace::SPAN);
            let mut seen = Seen::default();
            attributes.record(&mut Fields(&mut seen.fields));
            self.0.lock().unwrap().insert(id.into_u64(), seen);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if let Some(seen) = self.0.lock().unwrap().get_mut(&id.into_u64()) {
            values.record(&mut Fields(&mut seen.fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != trace::TARGET {
            return;
        }
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        let id = context.event_span(event).unwrap().id().into_u64();
        let mut spans = self.0.lock().unwrap();
        let seen = spans.get_mut(&id).unwrap();
        seen.messages.push(fields.remove("message").unwrap());
        seen.fields.extend(fields);
    }
}

/// What is seen while `work` is done, in the order of the calls.
async fn watched(work: impl Future<Output = ()>) -> Vec<Seen> {
    use tracing::instrument::WithSubscriber as _;
    let watch = Watch::default();
    work.with_subscriber(tracing_subscriber::registry().with(watch.clone())).await;
    // A registry gives its numbers again: what is seen here is dropped at the end of each test only.
    let seen: Vec<_> = watch.0.lock().unwrap().values().cloned().collect();
    seen
}

/// What an URL has beside origin and path may be a secret.
#[cfg(feature = "function-url")]
#[tokio::test]
async fn of_an_url_origin_and_path_are_seen() {
    let http_client = invoker::HttpClient::builder().no_roots().build().unwrap();
    let urls = invoker::FunctionUrls::unsigned(http_client);
    let service = Service::start(|_| Answer {
        status: 200,
        headers: Vec::new(),
        steps: vec![support::Step::Bytes(b"body".to_vec())],
        raw: false,
    })
    .await;
    let called = service.addr;
    let seen = watched(async move {
        let invoker = invoker::Invoker::of_function_urls(urls);
        let url = format!("http://{called}/a?key=secret");
        invoker.invoke(Invocation::new(url)).await.unwrap();
        for secret in ["user:secret@", "user:x/secret@"] {
            let refused = Invocation::new(format!("http://{secret}{called}/"));
            let error = invoker.invoke(refused.clone()).await.unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::InvalidInput);
            assert!(!format!("{error:?} {refused:?}").contains("secret"), "{error:?} {refused:?}");
        }
    })
    .await;
    assert_eq!(seen.len(), 1, "no span is made for what is refused: {seen:?}");
    assert_eq!(seen[0].fields[trace::FUNCTION], format!("http://{called}/a"));
    assert!(!format!("{seen:?}").contains("secret"), "{seen:?}");
}

#[tokio::test]
async fn an_invocation_is_a_span() {
    let service = Service::start(|_| Answer::stream([chunk(b"body"), complete("{}")])).await;
    let seen = watched(async {
        let invocation = Invocation::new("f:live").payload("\"secret\"");
        let mut stream = service.invoker().invoke(invocation).await.unwrap();
        while let Some(bytes) = stream.next_bytes().await {
            bytes.unwrap();
        }
    })
    .await;
    let [seen] = &seen[..] else { panic!("{seen:?}") };
    let expected = [
        (trace::FUNCTION, "f"),
        (trace::PROVIDER, "aws"),
        (trace::REGION, "eu-west-1"),
        (trace::REQUEST_ID, "request-of-a-test"),
        (trace::BYTES, "4"),
        ("executed_version", "7"),
        ("otel.kind", "client"),
    ];
    for (name, value) in expected {
        assert_eq!(seen.fields.get(name).map(String::as_str), Some(value), "{name}: {seen:?}");
    }
    assert!(seen.fields.contains_key(trace::AFTER), "{seen:?}");
    assert_eq!(seen.messages, [trace::ANSWERED, trace::ENDED]);
    assert!(!format!("{seen:?}").contains("secret"));
}

#[tokio::test]
async fn a_failure_and_a_segment_are_told() {
    let bytes = pattern(1_000);
    let script = move |asked: &support::Asked| match asked.number {
        0 => Answer::error(404, "ResourceNotFoundException", r#"{"Message":"no"}"#),
        1 => Answer::stream([chunk(b"cut")]),
        _ => range_answer(&bytes, "\"v1\"", asked),
    };
    let service = Service::start(script).await;
    let seen = watched(async {
        let refused = service.invoker().invoke(Invocation::new("f")).await.unwrap_err();
        assert_eq!(refused.kind().name(), "Refused");
    })
    .await;
    assert_eq!(seen[0].fields[trace::ERROR], "Refused");
    assert_eq!(seen[0].messages, [trace::FAILED]);

    let seen = watched(async {
        let mut cut = service.invoker().invoke(Invocation::new("f")).await.unwrap();
        let end = async {
            while cut.next_bytes().await.transpose()?.is_some() {}
            Ok(())
        };
        let error: invoker::Error = end.await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Truncated);
    })
    .await;
    assert_eq!(seen[0].fields[trace::ERROR], "Truncated");
    assert_eq!(seen[0].messages, [trace::ANSWERED, trace::FAILED]);

    let seen = watched(async {
        drop(service.invoker().object("f", "x").segment_size(400).inspect().await.unwrap());
    })
    .await;
    assert_eq!(seen[0].fields[trace::SEGMENT_START], "0");
    assert_eq!(seen[0].fields[trace::SEGMENT_END], "1");
    assert_eq!(seen[0].messages.last().unwrap(), trace::LEFT);
}
