//! Many clients at once come in, each with a stream of its own; all their bytes, by their sums, and the
//! gateway's memory come out.
#![cfg(target_os = "linux")] // which says how much memory a process has had
#![allow(clippy::unwrap_used)] // helpers of tests may unwrap, as tests may

mod support;

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256};
use support::{ANY, Gateway, function, service_with};
use tokio::net::TcpStream;
use tokio::sync::Barrier;

const CLIENTS: usize = 200;

/// Of each stream: 20 MB.
const BLOCKS: usize = 306;
const BLOCK_BYTES: usize = 64 * 1024;

/// What the gateway may have had in memory at most, in KiB: so much, and so much for each stream.
const MEMORY_KIB: u64 = 64 * 1024;
const MEMORY_PER_STREAM_KIB: u64 = 64;
/// What the code of a release build takes of it (12.5 MiB, 2026-11-21).
const RELEASE_CODE_KIB: u64 = 13 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_streams_at_once_are_right_and_small() {
    let local = service_with(function().concurrent_invocations(CLIENTS)).await;
    let routes = format!("{ANY}timeouts = {{ first_byte = \"5m\", idle = \"5m\" }}\n");
    let gateway = Gateway::start(&local.endpoint_url(), &routes);
    let all_begun = Arc::new(Barrier::new(CLIENTS));
    let begun = std::time::Instant::now();
    let clients = (0..CLIENTS).map(|client| {
        let (address, all_begun) = (gateway.address().to_owned(), Arc::clone(&all_begun));
        tokio::spawn(async move {
            let letter = client as u8;
            let sum = received(&address, letter, &all_begun).await;
            assert_eq!(sum, expected(letter), "client {client}");
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let took = begun.elapsed();
    let limit = MEMORY_KIB + MEMORY_PER_STREAM_KIB * CLIENTS as u64;
    let peak = kib_of(gateway.pid(), "VmHWM:") - excess_code_kib(gateway.pid());
    println!(
        "{CLIENTS} streams of {} MB at once in {:.1} s; the gateway's peak memory: {:.1} MiB of {:.1}",
        BLOCKS * BLOCK_BYTES / 1_000_000,
        took.as_secs_f64(),
        peak as f64 / 1024.0,
        limit as f64 / 1024.0,
    );
    assert!(peak < limit, "the gateway had {peak} KiB of {limit}");
    let logged = gateway.logged(CLIENTS).await;
    assert!(logged.iter().all(|line| line["ending"] == "whole"));
}

/// The sum of one stream. No client reads on before all streams have begun.
async fn received(address: &str, letter: u8, all_begun: &Barrier) -> [u8; 32] {
    let stream = TcpStream::connect(address).await.unwrap();
    let io = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let path = format!("/numbered?blocks={BLOCKS}&letter={letter}");
    let request = Request::get(path).header("host", "gateway").body(Empty::<Bytes>::new());
    let mut body = sender.send_request(request.unwrap()).await.unwrap().into_body();
    all_begun.wait().await;
    let mut sum = Sha256::new();
    while let Some(frame) = body.frame().await {
        sum.update(frame.unwrap().data_ref().unwrap());
    }
    sum.finalize().into()
}

fn expected(letter: u8) -> [u8; 32] {
    let mut block = vec![letter; BLOCK_BYTES];
    let mut sum = Sha256::new();
    for number in 0..BLOCKS as u64 {
        block[..8].copy_from_slice(&number.to_be_bytes());
        sum.update(&block);
    }
    sum.finalize().into()
}

/// What the code of a build without optimization takes beyond that of a release build, which no stream has to do
/// with.
fn excess_code_kib(pid: u32) -> u64 {
    match cfg!(debug_assertions) {
        true => kib_of(pid, "RssFile:").saturating_sub(RELEASE_CODE_KIB),
        false => 0,
    }
}

fn kib_of(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
