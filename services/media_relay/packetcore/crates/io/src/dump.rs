//! What operators and tests see of the packet thread.

use majlis_core::endpoint::Endpoint;
use majlis_core::{Micros, SessionId};

/// Sessions, stages and audiences as JSON members.
pub fn dump(endpoint: &Endpoint, now: Micros) -> String {
    let sessions: Vec<String> =
        endpoint.session_ids().into_iter().filter_map(|id| dump_session(endpoint, id)).collect();
    let stages: Vec<String> = endpoint
        .stage_ids()
        .into_iter()
        .map(|stage| {
            let levels = endpoint.stage_levels(stage, now);
            let members: Vec<String> = levels
                .iter()
                .map(|at| format!(r#"{{"member":{},"level":{},"speaking":{}}}"#, at.member, at.level, at.speaking))
                .collect();
            format!(r#"{{"stage":{},"members":[{}]}}"#, stage.0, members.join(","))
        })
        .collect();
    let audiences: Vec<String> = endpoint
        .audiences()
        .iter()
        .map(|(channel, count)| format!(r#"{{"channel":{},"listeners":{count}}}"#, channel.0))
        .collect();
    format!(
        r#""sessions":[{}],"stages":[{}],"audiences":[{}]"#,
        sessions.join(","),
        stages.join(","),
        audiences.join(",")
    )
}

fn dump_session(endpoint: &Endpoint, id: SessionId) -> Option<String> {
    let info = endpoint.session_info(id)?;
    let address = info.address.map_or("null".to_owned(), |address| format!("\"{address}\""));
    let role = match (info.stage, info.channel) {
        (Some((stage, member)), _) => format!(r#""stage":{},"member":{member},"muted":{}"#, stage.0, info.muted),
        (_, Some(channel)) => format!(r#""channel":{},"red":{}"#, channel.0, info.red),
        _ => r#""stage":null,"channel":null"#.to_owned(),
    };
    let (connected, received, lost) = (info.connected, info.packets_received, info.fraction_lost);
    let id = id.0;
    Some(format!(
        r#"{{"session":{id},"connected":{connected},"address":{address},"packets_received":{received},"fraction_lost":{lost},{role}}}"#
    ))
}
