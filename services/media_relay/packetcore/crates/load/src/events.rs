//! Holds one event stream per listener, as browsers do, and counts what comes.

use anyhow::{Result, ensure};
use futures_util::StreamExt;
use reqwest::header::ACCEPT;
use reqwest::{Client, Url};
use std::sync::atomic::{AtomicU64, Ordering};

/// What all streams together saw.
#[derive(Debug, Default)]
pub struct EventCounts {
    /// Streams open now.
    pub open: AtomicU64,
    /// Streams that were refused or ended by themselves.
    pub ended: AtomicU64,
    /// Events received.
    pub events: AtomicU64,
    /// Bytes received.
    pub bytes: AtomicU64,
}

/// A client whose requests may last: event streams have no end.
pub fn client() -> Result<Client> {
    Ok(Client::builder().connect_timeout(std::time::Duration::from_secs(15)).build()?)
}

/// Reads the stream at `url` until it ends or the task is dropped.
pub async fn hold(client: Client, url: Url, token: String, counts: &EventCounts) {
    let open = Open(&counts.open);
    counts.open.fetch_add(1, Ordering::Relaxed);
    // Why it ended does not matter to a count of streams that did.
    let _ = read(&client, url, &token, counts).await;
    drop(open);
    counts.ended.fetch_add(1, Ordering::Relaxed);
}

async fn read(client: &Client, url: Url, token: &str, counts: &EventCounts) -> Result<()> {
    let response = client.get(url).bearer_auth(token).header(ACCEPT, "text/event-stream").send().await?;
    ensure!(response.status().is_success(), "{}", response.status());
    let mut body = response.bytes_stream();
    let mut last = 0;
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        counts.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        // An empty line ends an event.
        for byte in chunk {
            counts.events.fetch_add(u64::from(byte == b'\n' && last == b'\n'), Ordering::Relaxed);
            last = byte;
        }
    }
    Ok(())
}

struct Open<'a>(&'a AtomicU64);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
