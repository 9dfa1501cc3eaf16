//! The way in over public HTTP: a WHEP or WHIP address with a token, or a room that is joined first.

use crate::peer::{Offered, Peer, Wanted, offer};
use anyhow::{Context, Result};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, Url};
use serde_json::{Value, json};
use std::fmt;
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
        /// Languages that are understood, the best first; without any the floor is heard.
        understands: Vec<String>,
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

/// A refusal, with what the server said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What was asked for.
    pub asked: String,
    /// The HTTP status.
    pub status: u16,
    /// The reason of the contract; empty when none was told.
    pub reason: String,
    /// When to come back, s.
    pub retry_seconds: Option<u64>,
    /// What to show at the next try; empty when nothing was given.
    pub slip: String,
    words: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} {}", self.asked, self.status, self.words)
    }
}

impl std::error::Error for Refused {}

/// A server that is full for the moment says when to come back; as often as this it is believed.
pub const TRIES: u32 = 8;

/// Joins, offers, and takes the answer; comes back as often as the server asks for it, within reason.
pub async fn enter(client: &Client, door: &Door, wanted: Wanted, bind: Option<IpAddr>) -> Result<Entered> {
    enter_within(TRIES, client, door, wanted, bind).await
}

/// The same, asking so many times at most; the error of the last refusal is a [`Refused`].
pub async fn enter_within(
    tries: u32,
    client: &Client,
    door: &Door,
    wanted: Wanted,
    bind: Option<IpAddr>,
) -> Result<Entered> {
    let begun = Instant::now();
    let (url, permit) = permit(tries, client, door, wanted).await?;
    let offered = offer(wanted, local_ip(&url, bind).await?)?;
    let (answer, session) = post(tries, client, &url, &permit, &offered).await?;
    let mut peer = offered.accept(&answer)?;
    peer.offered = begun;
    Ok(Entered { peer, session, permit })
}

/// Comes in anew with the seat that is held; who holds none any more joins again.
pub async fn enter_again(client: &Client, door: &Door, wanted: Wanted, bind: Option<IpAddr>) -> Result<Entered> {
    let Door::Room { api, room, token, understands } = door else {
        return enter_within(1, client, door, wanted, bind).await;
    };
    let begun = Instant::now();
    let kind = if wanted.speaks { "MEDIA_KIND_STAGE" } else { "MEDIA_KIND_AUDIENCE" };
    let request = json!({"roomId": room, "kind": kind, "understands": understands});
    let answer = call(1, client, api, "room_directory.v1.RoomService/GetMediaPermit", token, request).await;
    let mut answer = match answer {
        Err(error) if error.downcast_ref::<Refused>().is_some_and(|refused| refused.reason == "NOT_IN_ROOM") => {
            return enter_within(1, client, door, wanted, bind).await;
        }
        answer => answer?,
    };
    let permit = answer["permit"].take();
    let url = api.join(permit["path"].as_str().context("the permit names no path")?)?;
    let permit = permit["permit"].as_str().context("the permit is empty")?.to_owned();
    let offered = offer(wanted, local_ip(&url, bind).await?)?;
    let (text, session) = post(1, client, &url, &permit, &offered).await?;
    let mut peer = offered.accept(&text)?;
    peer.offered = begun;
    Ok(Entered { peer, session, permit })
}

async fn permit(tries: u32, client: &Client, door: &Door, wanted: Wanted) -> Result<(Url, String)> {
    match door {
        Door::Endpoint { url, token } => Ok((url.clone(), token.clone())),
        Door::Room { api, room, token, understands } => {
            let call = |method, request| call(tries, client, api, method, token, request);
            let joined =
                call("room_directory.v1.RoomService/JoinRoom", json!({"roomId": room, "understands": understands}));
            let mut permit = joined.await?["permit"].take();
            if permit.is_null() {
                let kind = if wanted.speaks { "MEDIA_KIND_STAGE" } else { "MEDIA_KIND_AUDIENCE" };
                let request = json!({"roomId": room, "kind": kind, "understands": understands});
                permit = call("room_directory.v1.RoomService/GetMediaPermit", request).await?["permit"].take();
            }
            let path = permit["path"].as_str().context("the permit names no path")?;
            let value = permit["permit"].as_str().context("the permit is empty")?;
            Ok((api.join(path)?, value.to_owned()))
        }
    }
}

/// Calls an RPC as Connect has it: JSON over POST.
pub(crate) async fn call(
    tries: u32,
    client: &Client,
    api: &Url,
    method: &str,
    token: &str,
    request: Value,
) -> Result<Value> {
    let url = api.join(&format!("/majlis.{method}"))?;
    let response = patiently(tries, client.post(url).bearer_auth(token).json(&request)).await?;
    if !response.status().is_success() {
        return Err(refused(method, response).await.into());
    }
    let body = response.text().await?;
    serde_json::from_str(&body).with_context(|| format!("{method} answered something else than JSON"))
}

/// Exchanges a personal token for an access token.
pub async fn exchange(client: &Client, api: &Url, personal: &str) -> Result<String> {
    let request = json!({"personalToken": personal});
    let url = api.join("/majlis.auth.v1.PersonalTokenService/ExchangePersonalToken")?;
    let body: Value = client.post(url).json(&request).send().await?.error_for_status()?.json().await?;
    Ok(body["accessToken"].as_str().context("no access token came back")?.to_owned())
}

/// Sends a request, again while the server says 503 and when to come back.
async fn patiently(tries: u32, request: RequestBuilder) -> Result<Response> {
    for _ in 1..tries {
        let again = request.try_clone().context("a request that cannot be repeated")?;
        let response = again.send().await?;
        match retry_seconds(&response) {
            Some(seconds) if response.status().as_u16() == 503 => {
                tokio::time::sleep(Duration::from_secs(seconds.min(10))).await;
            }
            _ => return Ok(response),
        }
    }
    Ok(request.send().await?)
}

fn retry_seconds(response: &Response) -> Option<u64> {
    response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok())
}

/// Reads a refusal: a problem (RFC 9457), or an error of Connect with details.
async fn refused(asked: &str, response: Response) -> Refused {
    let (status, retry_seconds) = (response.status().as_u16(), retry_seconds(&response));
    let body = response.text().await.unwrap_or_default();
    let told: Value = serde_json::from_str(&body).unwrap_or_default();
    let detailed = |told: &Value| {
        told["details"].as_array()?.iter().find_map(|detail| detail["debug"]["reason"].as_str().map(str::to_owned))
    };
    let slip = told["details"].as_array().and_then(|details| {
        details.iter().find_map(|detail| detail["debug"]["metadata"]["slip"].as_str().map(str::to_owned))
    });
    let reason = told["reason"].as_str().map(str::to_owned).or_else(|| detailed(&told)).unwrap_or_default();
    let (asked, slip) = (asked.to_owned(), slip.unwrap_or_default());
    Refused { asked, status, reason, retry_seconds, slip, words: shortened(&body) }
}

/// Offers, and takes the answer with the address of the session.
pub(crate) async fn post(
    tries: u32,
    client: &Client,
    url: &Url,
    permit: &str,
    offered: &Offered,
) -> Result<(String, Option<Url>)> {
    let request = client.post(url.clone()).header(AUTHORIZATION, format!("Bearer {permit}"));
    let request = request.header(CONTENT_TYPE, "application/sdp").header(ACCEPT, "application/sdp");
    let response = patiently(tries, request.body(offered.sdp.clone())).await?;
    if response.status().as_u16() != 201 {
        return Err(refused(url.as_str(), response).await.into());
    }
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = response.text().await?;
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
pub(crate) async fn local_ip(url: &Url, bind: Option<IpAddr>) -> Result<IpAddr> {
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
