//! The command line.

use crate::door::Door;
use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use reqwest::Url;
use std::net::IpAddr;
use std::path::PathBuf;

/// Listeners and speakers by the thousand, for benchmarks and end-to-end tests.
#[derive(Debug, Parser)]
#[command(name = "majlis-load", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Task,
}

/// The tasks.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Opens many listeners, measures, and reports.
    Listen(ListenArgs),
    /// Listens alone and writes what was heard.
    Hear(HearArgs),
    /// Speaks a file or a tone.
    Speak(SpeakArgs),
    /// Measures the delay from mouth to ear: the first token speaks, the others listen.
    Ear(EarArgs),
    /// Stands before a room as a crowd: people arrive, wait in line, come in, listen for a while and go.
    Knock(KnockArgs),
    /// Fills many rooms, stage by stage, and measures each stage.
    Rooms(RoomsArgs),
    /// Fills rooms with people who follow them as clients do, and tells of the gaps they hear.
    Follow(FollowArgs),
}

/// Where to come in.
#[derive(Debug, Clone, Args)]
pub struct DoorArgs {
    /// WHEP or WHIP endpoint.
    #[arg(long, visible_aliases = ["whep", "whip"], conflicts_with = "api")]
    pub endpoint: Option<Url>,
    /// Public origin of the deployment; the room is joined for a permit.
    #[arg(long, requires = "room")]
    pub api: Option<Url>,
    /// The room to join.
    #[arg(long)]
    pub room: Option<String>,
    /// A permit or token.
    #[arg(long, env = "MAJLIS_LOAD_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// A file with one token a line; goes before --token.
    #[arg(long)]
    pub tokens: Option<PathBuf>,
    /// The tokens are personal ones, to be exchanged first (with --api).
    #[arg(long, requires = "api")]
    pub personal: bool,
    /// Local address of the sockets [default: the one from which the server is reached].
    #[arg(long)]
    pub bind: Option<IpAddr>,
}

/// How results are told.
#[derive(Debug, Clone, Args)]
pub struct OutputArgs {
    /// Writes the result as JSON, "-" to standard output.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Shows no progress and no table.
    #[arg(long)]
    pub quiet: bool,
}

/// Arguments of `listen`.
#[derive(Debug, Args)]
pub struct ListenArgs {
    /// Where to come in.
    #[command(flatten)]
    pub door: DoorArgs,
    /// How results are told.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How many listeners.
    #[arg(long, default_value_t = 100)]
    pub listeners: usize,
    /// Joins per second.
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// Joins under way at most, handshakes included.
    #[arg(long, default_value_t = 64)]
    pub concurrency: usize,
    /// Seconds measured once all hear.
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// Seconds after the last join in which all must hear.
    #[arg(long, default_value_t = 15.0)]
    pub settle: f64,
    /// Milliseconds between looks at a socket; arrival times are the kernel's, so they do not depend on it.
    #[arg(long, default_value_t = 60)]
    pub poll_ms: u64,
    /// Every how many listeners one decrypts all he gets.
    #[arg(long, default_value_t = 100)]
    pub sample: usize,
    /// Holds an event stream per listener, at this path; {room} is filled in (with --api).
    #[arg(long, requires = "api", num_args = 0..=1, default_missing_value = "/events/{room}")]
    pub events: Option<String>,
    /// Offers redundant audio.
    #[arg(long)]
    pub red: bool,
    /// Media goes over TCP connections to the media port (RFC 6544), one each.
    #[arg(long)]
    pub tcp: bool,
    /// Nobody reads anything any more once they hear: a network that stalls (with --tcp).
    #[arg(long, requires = "tcp")]
    pub stall: bool,
    /// Ends all sessions with DELETE at the end.
    #[arg(long)]
    pub leave: bool,
    /// A file with one speaker's token a line: they speak meanwhile, in the same room or at --speaker-endpoint.
    #[arg(long)]
    pub speaker_tokens: Option<PathBuf>,
    /// WHIP endpoint of the speakers (with --endpoint).
    #[arg(long)]
    pub speaker_endpoint: Option<Url>,
    /// WAV or Ogg Opus file the speakers speak [default: tones].
    #[arg(long)]
    pub file: Option<PathBuf>,
}

/// Arguments of `hear`.
#[derive(Debug, Args)]
pub struct HearArgs {
    /// Where to come in.
    #[command(flatten)]
    pub door: DoorArgs,
    /// How results are told.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Seconds to hear once connected.
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Writes the sound: WAV, or Ogg Opus when the name ends in .ogg or .opus.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Offers redundant audio.
    #[arg(long)]
    pub red: bool,
    /// Percent of packets dropped before they are heard.
    #[arg(long, default_value_t = 0.0)]
    pub loss: f64,
    /// Seed of the loss.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Seconds after connecting before frames are counted.
    #[arg(long, default_value_t = 0.0)]
    pub settle: f64,
}

/// Arguments of `speak`.
#[derive(Debug, Args)]
pub struct SpeakArgs {
    /// Where to come in.
    #[command(flatten)]
    pub door: DoorArgs,
    /// How results are told.
    #[command(flatten)]
    pub output: OutputArgs,
    /// WAV or Ogg Opus file to speak, over and over.
    #[arg(long, conflicts_with = "tone")]
    pub file: Option<PathBuf>,
    /// A tone to speak, hertz.
    #[arg(long, default_value_t = 440.0)]
    pub tone: f32,
    /// Amplitude of the tone, 0 to 1.
    #[arg(long, default_value_t = 0.2)]
    pub amplitude: f32,
    /// Seconds to speak.
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Receiving m-lines for the others on stage.
    #[arg(long, default_value_t = 0)]
    pub slots: usize,
    /// Writes what is heard on stage to PREFIX-<stream>.wav.
    #[arg(long, requires = "slots")]
    pub out: Option<PathBuf>,
}

/// Arguments of `ear`.
#[derive(Debug, Args)]
pub struct EarArgs {
    /// Where to come in.
    #[command(flatten)]
    pub door: DoorArgs,
    /// How results are told.
    #[command(flatten)]
    pub output: OutputArgs,
    /// The listeners are on stage too: they hear the speaker's own packets.
    #[arg(long)]
    pub stage: bool,
    /// How many listeners; each needs a token, after the speaker's.
    #[arg(long, default_value_t = 1)]
    pub listeners: usize,
    /// Seconds before chirps count.
    #[arg(long, default_value_t = 5.0)]
    pub settle: f64,
    /// Seconds in which chirps count.
    #[arg(long, default_value_t = 30.0)]
    pub seconds: f64,
}

/// Arguments of `knock`.
#[derive(Debug, Args)]
pub struct KnockArgs {
    /// Public origin of the deployment.
    #[arg(long)]
    pub api: Url,
    /// The room.
    #[arg(long)]
    pub room: String,
    /// A file with one token a line: a person each.
    #[arg(long)]
    pub tokens: PathBuf,
    /// How results are told.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Arrivals per second, however long answers take.
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// Seconds the run takes.
    #[arg(long, default_value_t = 30.0)]
    pub seconds: f64,
    /// Seconds that somebody listens who came in.
    #[arg(long, default_value_t = 5.0)]
    pub stay: f64,
    /// Asks for the page of the room before the first knock.
    #[arg(long)]
    pub page: bool,
    /// Nobody opens a session: people take their seats and leave them.
    #[arg(long)]
    pub silent: bool,
    /// Local address of the sockets [default: the one from which the server is reached].
    #[arg(long)]
    pub bind: Option<IpAddr>,
}

/// Arguments of `rooms`. Standard input has a stage a line, as JSON: `{"rooms": [{"room": ID, "speakers": [TOKEN],
/// "listeners": [TOKEN]}], "seconds": 20}`. Standard output gets two lines for each: `{"settled": ...}` once all hear,
/// and `{"measured": ...}` at the end of its seconds. A room is led by its first speaker; a second one comes by a
/// later stage, with `"first_speaker": 1`, and was brought on stage before. Listeners of a room with `"understands": [TAG]`
/// hear by these languages.
#[derive(Debug, Args)]
pub struct RoomsArgs {
    /// Public origin of the deployment.
    #[arg(long)]
    pub api: Url,
    /// Joins per second.
    #[arg(long, default_value_t = 80.0)]
    pub rate: f64,
    /// Joins under way at most, handshakes included.
    #[arg(long, default_value_t = 64)]
    pub concurrency: usize,
    /// Seconds after the last join of a stage in which all must hear.
    #[arg(long, default_value_t = 15.0)]
    pub settle: f64,
    /// Milliseconds between looks at a socket; arrival times are the kernel's, so they do not depend on it.
    #[arg(long, default_value_t = 200)]
    pub poll_ms: u64,
    /// Every how many listeners one decodes what he hears; of all others packets, gaps and delays are counted.
    #[arg(long, default_value_t = 50)]
    pub ear_every: usize,
    /// How often a server that is full is asked before it counts as a refusal.
    #[arg(long, default_value_t = 1)]
    pub tries: u32,
    /// Each room says its own tone instead of speech.
    #[arg(long)]
    pub tones: bool,
    /// Writes what those who decode heard into this folder, as ROOM-NUMBER.wav.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Local address of the sockets [default: the one from which the server is reached].
    #[arg(long)]
    pub bind: Option<IpAddr>,
}

/// Arguments of `follow`. Standard input has an order a line, as JSON: `{"rooms": [{"room": ID, "speakers": [TOKEN],
/// "listeners": [TOKEN]}]}` lets people in, `"begin"` counts from now, `"tell"` is answered by a line with what was
/// counted of each of them. The end of the input ends it.
#[derive(Debug, Args)]
pub struct FollowArgs {
    /// Public origin of the deployment.
    #[arg(long)]
    pub api: Url,
    /// Joins per second.
    #[arg(long, default_value_t = 60.0)]
    pub rate: f64,
    /// Joins under way at most, handshakes included.
    #[arg(long, default_value_t = 32)]
    pub concurrency: usize,
    /// Milliseconds between looks at a socket; arrival times are the kernel's, so they do not depend on it.
    #[arg(long, default_value_t = 40)]
    pub poll_ms: u64,
    /// Media goes over TCP connections to the media port (RFC 6544), one each.
    #[arg(long)]
    pub tcp: bool,
    /// Local address of the sockets [default: the one from which the server is reached].
    #[arg(long)]
    pub bind: Option<IpAddr>,
}

impl DoorArgs {
    /// A door for each of `count` sessions; fewer tokens than sessions are used in turn with an endpoint only.
    pub fn doors(&self, count: usize) -> Result<Vec<Door>> {
        let tokens = match (&self.token, &self.tokens) {
            (_, Some(path)) => read_tokens(path)?,
            (Some(token), None) if !token.is_empty() => vec![token.clone()],
            _ => bail!("--token or --tokens is needed"),
        };
        match (&self.endpoint, &self.api, &self.room) {
            (Some(url), _, _) => {
                let door = |n: usize| Door::Endpoint { url: url.clone(), token: tokens[n % tokens.len()].clone() };
                Ok((0..count).map(door).collect())
            }
            (None, Some(api), Some(room)) => {
                // One seat per person: a second session would take the first one's place.
                anyhow::ensure!(tokens.len() >= count, "{count} tokens are needed, {} are given", tokens.len());
                let door = |token: &String| Door::Room {
                    api: api.clone(),
                    room: room.clone(),
                    token: token.clone(),
                    understands: Vec::new(),
                };
                Ok(tokens.iter().take(count).map(door).collect())
            }
            _ => bail!("--endpoint, or --api and --room, are needed"),
        }
    }
}

/// Tokens of a file, one a line; empty lines are left out.
pub fn read_tokens(path: &PathBuf) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let tokens: Vec<String> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    anyhow::ensure!(!tokens.is_empty(), "{} holds no token", path.display());
    Ok(tokens)
}
