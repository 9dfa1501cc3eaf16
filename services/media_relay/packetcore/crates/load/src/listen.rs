//! The load run: lets N listeners in at a set rate, waits until they hear, measures for a while, and reports.

use crate::crowd::{Command, CrowdReport, Listener, Live, start};
use crate::door::{Door, Entered, client, enter, leave};
use crate::events::{EventCounts, hold};
use crate::peer::Wanted;
use crate::report::{Report, Spread};
use crate::usage::{allow_files, cpu_seconds, peak_mebibytes};
use anyhow::{Result, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Url;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Longest wait for a place among those coming in: some handshakes may never be done.
const DOORWAY: Duration = Duration::from_secs(10);

/// What a run is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// A door for each listener.
    pub doors: Vec<Door>,
    /// Joins per second.
    pub rate: f64,
    /// Joins under way at most, handshakes included.
    pub concurrency: usize,
    /// Length of the measured window.
    pub window: Duration,
    /// Time after the last join in which all must hear.
    pub settle: Duration,
    /// How often settled sockets are polled.
    pub poll: Duration,
    /// Every how many listeners one decrypts what he gets.
    pub sample: usize,
    /// Event stream of a listener, `{room}` already filled in; none holds none.
    pub events: Option<Url>,
    /// Offers RFC 2198.
    pub red: bool,
    /// Media goes over TCP.
    pub tcp: bool,
    /// Reads nothing any more once it hears.
    pub stall: bool,
    /// Local address of all sockets.
    pub bind: Option<IpAddr>,
    /// Ends the sessions with DELETE.
    pub leave: bool,
}

/// A session to end later.
struct Ending {
    session: Option<Url>,
    permit: String,
}

/// Runs the plan; `quiet` shows no progress.
pub async fn run(plan: Plan, quiet: bool) -> Result<Report> {
    let listeners = plan.doors.len();
    allow_files(listeners as u64 * 2 + 256)?;
    let live = Arc::new(Live::default());
    let (commands, received) = mpsc::channel();
    let crowd = start(Arc::clone(&live), plan.poll, plan.sample, received)?;
    let events = Arc::new(EventCounts::default());
    let mut streams = JoinSet::new();
    let bar = progress(listeners as u64, quiet);
    let begun = Instant::now();
    let mut report = Report { listeners, ..Report::default() };
    let endings = join_all(&plan, &commands, &live, &bar, &mut report, (&events, &mut streams)).await?;
    report.all_hearing_seconds = settle(&plan, &live, &bar, listeners as u64 - report.failed, begun).await;
    bar.finish_and_clear();
    if quiet {
        // For whoever watches the server while the crowd listens.
        eprintln!("settled: {} of {listeners} hear", live.hearing.load(Ordering::Relaxed));
    }

    commands.send(Command::BeginWindow).map_err(|_| anyhow!("the crowd's thread has ended"))?;
    let cpu = cpu_seconds();
    measure(&plan, &live, quiet).await;
    report.tool_cores = (cpu_seconds() - cpu) / plan.window.as_secs_f64();
    commands.send(Command::Stop).map_err(|_| anyhow!("the crowd's thread has ended"))?;
    let seen = crowd.join().map_err(|_| anyhow!("the crowd's thread panicked"))?.report;
    report.event_streams = events.open.load(Ordering::Relaxed);
    report.events = events.events.load(Ordering::Relaxed);
    fill(&mut report, &seen, &live);
    streams.abort_all();
    if plan.leave {
        leave_all(endings, plan.concurrency).await?;
    }
    Ok(report)
}

fn fill(report: &mut Report, seen: &CrowdReport, live: &Live) {
    report.connected = live.connected.load(Ordering::Relaxed);
    report.hearing = live.hearing.load(Ordering::Relaxed);
    report.ended = live.ended.load(Ordering::Relaxed);
    if let Ok(reasons) = live.reasons.lock() {
        report.failures.extend(reasons.iter().cloned());
    }
    report.connect = Spread::from(&seen.connect);
    report.hear = Spread::from(&seen.hear);
    report.seconds = seen.seconds;
    report.packets = seen.totals;
    report.lost = seen.totals.lost();
    report.worst_lost = seen.worst_lost;
    report.deaf = seen.deaf;
    report.packets_per_second = seen.totals.received as f64 / seen.seconds.max(0.001);
    report.decrypted = seen.decrypted;
    report.forward_delay = Spread::from(&seen.delays);
    report.tool_peak_mebibytes = peak_mebibytes();
}

/// Starts joins at the plan's rate and waits for all of them.
async fn join_all(
    plan: &Plan,
    commands: &mpsc::Sender<Command>,
    live: &Live,
    bar: &ProgressBar,
    report: &mut Report,
    (events, streams): (&Arc<EventCounts>, &mut JoinSet<()>),
) -> Result<Vec<Ending>> {
    let (http, streaming) = (client()?, crate::events::client()?);
    let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / plan.rate.max(0.1)));
    let mut joins = JoinSet::new();
    let wanted = Wanted { hears: 1, red: plan.red, speaks: false, tcp: plan.tcp, stalls: plan.stall };
    let mut endings = Vec::with_capacity(plan.doors.len());
    for (started, door) in plan.doors.iter().cloned().enumerate() {
        pace.tick().await;
        let patience = Instant::now() + DOORWAY;
        loop {
            bar.set_position(live.hearing.load(Ordering::Relaxed));
            while let Some(done) = joins.try_join_next() {
                settle_one(done?, plan, commands, report, &mut endings, (&streaming, events, streams))?;
            }
            if has_place(started as u64 - report.failed, plan, live) || Instant::now() > patience {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (http, bind) = (http.clone(), plan.bind);
        joins.spawn(async move {
            let token = door.token().to_owned();
            anyhow::Ok((enter(&http, &door, wanted, bind).await?, token))
        });
    }
    while let Some(done) = joins.join_next().await {
        bar.set_position(live.hearing.load(Ordering::Relaxed));
        settle_one(done?, plan, commands, report, &mut endings, (&streaming, events, streams))?;
    }
    Ok(endings)
}

/// Whether another may come in: people do not press on into a full doorway.
fn has_place(entered: u64, plan: &Plan, live: &Live) -> bool {
    let done = live.connected.load(Ordering::Relaxed) + live.ended.load(Ordering::Relaxed);
    entered.saturating_sub(done) < plan.concurrency as u64
}

fn settle_one(
    done: Result<(Entered, String)>,
    plan: &Plan,
    commands: &mpsc::Sender<Command>,
    report: &mut Report,
    endings: &mut Vec<Ending>,
    (streaming, events, streams): (&reqwest::Client, &Arc<EventCounts>, &mut JoinSet<()>),
) -> Result<()> {
    match done {
        Ok((entered, token)) => {
            endings.push(Ending { session: entered.session, permit: entered.permit });
            let listener = Box::new(Listener::new(entered.peer, 0));
            commands.send(Command::Add(listener)).map_err(|_| anyhow!("the crowd's thread has ended"))?;
            if let Some(url) = plan.events.clone() {
                let (streaming, events) = (streaming.clone(), Arc::clone(events));
                streams.spawn(async move { hold(streaming, url, token, &events).await });
            }
        }
        Err(error) => {
            report.failed += 1;
            if report.failures.len() < 5 {
                report.failures.push(format!("{error:#}"));
            }
        }
    }
    Ok(())
}

/// Waits until everyone hears; gives the time since `begun`, none when some never do.
async fn settle(plan: &Plan, live: &Live, bar: &ProgressBar, expected: u64, begun: Instant) -> Option<f64> {
    let until = Instant::now() + plan.settle;
    while Instant::now() < until {
        let hearing = live.hearing.load(Ordering::Relaxed);
        bar.set_position(hearing);
        if hearing >= expected {
            return Some(begun.elapsed().as_secs_f64());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    None
}

async fn measure(plan: &Plan, live: &Live, quiet: bool) {
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(plan.window.as_secs()) };
    let until = Instant::now() + plan.window;
    while Instant::now() < until {
        let left = until.saturating_duration_since(Instant::now());
        tokio::time::sleep(left.min(Duration::from_secs(1))).await;
        bar.inc(1);
        bar.set_message(format!("{} packets", live.packets.load(Ordering::Relaxed)));
    }
    bar.finish_and_clear();
}

async fn leave_all(endings: Vec<Ending>, concurrency: usize) -> Result<()> {
    let http = client()?;
    let room = Arc::new(Semaphore::new(concurrency));
    let mut tasks = JoinSet::new();
    for ending in endings {
        let (http, room) = (http.clone(), Arc::clone(&room));
        let Some(session) = ending.session else { continue };
        tasks.spawn(async move {
            let _place = room.acquire().await;
            // The run's numbers are in; the server ends on its own what could not be left.
            let _ = leave(&http, &session, &ending.permit).await;
        });
    }
    while tasks.join_next().await.is_some() {}
    Ok(())
}

fn progress(total: u64, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} hearing, {elapsed}") {
        bar.set_style(style);
    }
    bar
}
