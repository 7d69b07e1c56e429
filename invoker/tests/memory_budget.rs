//! Downloads that share a budget, through the public API, on real sockets.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use std::time::Duration;

use invoker::{Download, Error, MemoryBudget, OrderedBytes};
use support::{Service, pattern, range_answer};

const ETAG: &str = "\"v1\"";
const SIZE: usize = 1_000_000;
const SEGMENT: usize = 50_000;

/// How long a test waits for what must happen. Never reached unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

async fn service() -> Service {
    let bytes = pattern(SIZE);
    Service::start(move |asked| range_answer(&bytes, ETAG, asked)).await
}

fn download(service: &Service, budget: &MemoryBudget) -> Download {
    let download = service.invoker().object("files", "the object").in_flight(8);
    download.segment_size(SEGMENT as u64).memory_budget(budget)
}

async fn rest(mut bytes: OrderedBytes) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    while let Some(next) = bytes.next_bytes().await {
        all.extend_from_slice(&next?);
    }
    Ok(all)
}

#[tokio::test]
async fn a_reader_who_is_away_keeps_nobody_else_from_reading() {
    let service = service().await;
    let budget = MemoryBudget::of(4 * SEGMENT);
    let away = download(&service, &budget).in_order().await.unwrap();
    // All of the budget is taken by what nobody reads.
    while budget.free() > 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..2 {
        let other = download(&service, &budget).in_order().await.unwrap();
        let all = tokio::time::timeout(PATIENCE, rest(other)).await.unwrap().unwrap();
        assert!(all == pattern(SIZE));
    }
    let all = tokio::time::timeout(PATIENCE, rest(away)).await.unwrap().unwrap();
    assert!(all == pattern(SIZE));
    assert_eq!(budget.free(), budget.limit(), "all of it is given back");
}

#[tokio::test]
async fn what_readers_leave_waiting_is_no_more_than_the_budget() {
    let service = service().await;
    let budget = MemoryBudget::of(6 * SEGMENT);
    let mut away = Vec::new();
    for _ in 0..3 {
        away.push(download(&service, &budget).in_order().await.unwrap());
    }
    while budget.free() > 0 {
        tokio::task::yield_now().await;
    }
    // What is started beyond the budget is one segment for each of them.
    assert!(service.asked().len() <= 6 + 3, "{} calls", service.asked().len());
    for download in away {
        let all = tokio::time::timeout(PATIENCE, rest(download)).await.unwrap().unwrap();
        assert!(all == pattern(SIZE));
    }
}

#[tokio::test]
async fn a_download_that_is_dropped_gives_its_share_back() {
    let service = service().await;
    let budget = MemoryBudget::of(4 * SEGMENT);
    let dropped = download(&service, &budget).in_order().await.unwrap();
    while budget.free() > 0 {
        tokio::task::yield_now().await;
    }
    drop(dropped);
    let given_back = async {
        while budget.free() < budget.limit() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, given_back).await.unwrap();
}
