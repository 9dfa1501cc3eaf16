//! The way in over public HTTP: a WHEP or WHIP address with a token, or a room that is joined first.

use crate::peer::{Offered, Peer, Wanted, offer};
use anyhow::{Context, Result, bail, ensure};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, Url};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Every request has an answer by then, or has failed.
const DEADLINE: Duration = Duration::from_secs(15);

/// Where a session comes in.
#[derive(Debug, Clone)]
pub enum Door {
    /// A WHEP or WHIP endpoint and a token for it.
    Endpoint {
        /// The endpoint.
        url: Url,
        /// A permit, access token or personal token.
        token: String,
    },
    /// A room, joined through the API for a permit.
    Room {
        /// The public origin.
        api: Url,
        /// The room.
        room: String,
        /// An access token.
        token: String,
    },
}

impl Door {
    /// The token shown at it.
    pub fn token(&self) -> &str {
        match self {
            Self::Endpoint { token, .. } | Self::Room { token, .. } => token,
        }
    }
}

/// An HTTP client for all sessions; connections are kept and shared.
pub fn client() -> Result<Client> {
    Ok(Client::builder().timeout(DEADLINE).pool_max_idle_per_host(64).tcp_nodelay(true).build()?)
}

/// A session let in, and how to leave.
pub struct Entered {
    /// The session.
    pub peer: Peer,
    /// Where to send DELETE.
    pub session: Option<Url>,
    /// What authorises that.
    pub permit: String,
}

/// Joins, offers, and takes the answer.
pub async fn enter(client: &Client, door: &Door, wanted: Wanted, bind: Option<IpAddr>) -> Result<Entered> {
    let begun = Instant::now();
    let (url, permit) = permit(client, door, wanted).await?;
    let offered = offer(wanted, local_ip(&url, bind).await?)?;
    let (answer, session) = post(client, &url, &permit, &offered).await?;
    let mut peer = offered.accept(&answer)?;
    peer.offered = begun;
    Ok(Entered { peer, session, permit })
}

async fn permit(client: &Client, door: &Door, wanted: Wanted) -> Result<(Url, String)> {
    match door {
        Door::Endpoint { url, token } => Ok((url.clone(), token.clone())),
        Door::Room { api, room, token } => {
            let joined = call(client, api, "room_directory.v1.RoomService/JoinRoom", token, json!({"roomId": room}));
            let mut permit = joined.await?["permit"].take();
            if permit.is_null() {
                let kind = if wanted.speaks { "MEDIA_KIND_STAGE" } else { "MEDIA_KIND_AUDIENCE" };
                let request = json!({"roomId": room, "kind": kind});
                let name = "room_directory.v1.RoomService/GetMediaPermit";
                permit = call(client, api, name, token, request).await?["permit"].take();
            }
            let path = permit["path"].as_str().context("the permit names no path")?;
            let value = permit["permit"].as_str().context("the permit is empty")?;
            Ok((api.join(path)?, value.to_owned()))
        }
    }
}

/// Calls an RPC as Connect has it: JSON over POST.
async fn call(client: &Client, api: &Url, method: &str, token: &str, request: Value) -> Result<Value> {
    let url = api.join(&format!("/majlis.{method}"))?;
    let response = patiently(client.post(url).bearer_auth(token).json(&request)).await?;
    let status = response.status();
    let body = response.text().await?;
    ensure!(status.is_success(), "{method}: {status} {}", shortened(&body));
    serde_json::from_str(&body).with_context(|| format!("{method} answered something else than JSON"))
}

/// Exchanges a personal token for an access token.
pub async fn exchange(client: &Client, api: &Url, personal: &str) -> Result<String> {
    let request = json!({"personalToken": personal});
    let url = api.join("/majlis.auth.v1.PersonalTokenService/ExchangePersonalToken")?;
    let body: Value = client.post(url).json(&request).send().await?.error_for_status()?.json().await?;
    Ok(body["accessToken"].as_str().context("no access token came back")?.to_owned())
}

/// A server that is full for the moment says when to come back; as often as this it is believed.
const TRIES: u32 = 8;

/// Sends a request, again while the server says 503 and when to come back.
async fn patiently(request: RequestBuilder) -> Result<Response> {
    for _ in 1..TRIES {
        let again = request.try_clone().context("a request that cannot be repeated")?;
        let response = again.send().await?;
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        match wait {
            Some(seconds) if response.status().as_u16() == 503 => {
                tokio::time::sleep(Duration::from_secs(seconds.min(10))).await;
            }
            _ => return Ok(response),
        }
    }
    Ok(request.send().await?)
}

async fn post(client: &Client, url: &Url, permit: &str, offered: &Offered) -> Result<(String, Option<Url>)> {
    let request = client.post(url.clone()).header(AUTHORIZATION, format!("Bearer {permit}"));
    let request = request.header(CONTENT_TYPE, "application/sdp").header(ACCEPT, "application/sdp");
    let response = patiently(request.body(offered.sdp.clone())).await?;
    let status = response.status();
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = response.text().await?;
    if status.as_u16() != 201 {
        bail!("{url} answered {status}: {}", shortened(&body));
    }
    Ok((body, location.map(|location| url.join(&location)).transpose()?))
}

/// Ends a session as WHEP and WHIP have it. One that the server has ended already, or whose permit it has withdrawn, is
/// as good as left.
pub async fn leave(client: &Client, session: &Url, permit: &str) -> Result<()> {
    let response = client.delete(session.clone()).bearer_auth(permit).send().await?;
    if !matches!(response.status().as_u16(), 401 | 403 | 404 | 410) {
        response.error_for_status()?;
    }
    Ok(())
}

/// The address to offer: given, or the one from which the server is reached.
async fn local_ip(url: &Url, bind: Option<IpAddr>) -> Result<IpAddr> {
    if let Some(ip) = bind {
        return Ok(ip);
    }
    let host = url.host_str().context("an address without a host")?.trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(443);
    let target = tokio::net::lookup_host((host, port)).await?.next().context("the host has no address")?;
    crate::receive::local_ip_towards(target)
}

fn shortened(body: &str) -> String {
    body.chars().take(200).collect()
}
