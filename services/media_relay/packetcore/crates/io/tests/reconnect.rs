//! A speaker who comes back in a new session is heard again, although the old session ends after the new one began.

mod common;

use common::{Client, amplitude, decode, floor, on_time, relay, run};

#[test]
fn a_speaker_who_reconnects_is_heard_although_the_old_session_ends_later() {
    on_time(|| {
        let relay = relay();
        let stage = relay.add_stage().expect("stage").0;
        let channel = floor(&relay, stage);
        let mut before = Client::on_stage(&relay, "before", stage, 7, 1, 440.0);
        let mut listener = Client::listener(&relay, "listener", channel);
        run(25, &mut [&mut before], &mut [&mut listener]);
        relay.set_muted(before.session, true).expect("known");

        let mut after = Client::on_stage(&relay, "after0", stage, 7, 1, 880.0);
        relay.remove_session(before.session).expect("known");
        let heard = run(75, &mut [&mut after], &mut [&mut listener]).remove(0);
        assert!(heard.len() > 50, "{} of 75 frames came", heard.len());
        let sound = decode(&heard[15..]);
        assert!(amplitude(&sound, 880.0) > 0.05, "880 Hz at {}", amplitude(&sound, 880.0));
    });
}

#[test]
fn a_speaker_is_heard_although_a_session_from_before_joins_late_and_is_shut() {
    on_time(|| {
        let relay = relay();
        let stage = relay.add_stage().expect("stage").0;
        let channel = floor(&relay, stage);
        let mut now = Client::on_stage(&relay, "nowson", stage, 7, 1, 880.0);
        let mut listener = Client::listener(&relay, "listener", channel);
        run(25, &mut [&mut now], &mut [&mut listener]);

        let mut late = Client::on_stage(&relay, "before", stage, 7, 1, 440.0);
        relay.set_muted(late.session, true).expect("known");
        let heard = run(50, &mut [&mut now, &mut late], &mut [&mut listener]).remove(0);
        assert!(heard.len() > 40, "{} of 50 frames came", heard.len());
        let sound = decode(&heard[15..]);
        assert!(amplitude(&sound, 880.0) > 0.05, "880 Hz at {}", amplitude(&sound, 880.0));
        assert!(amplitude(&sound, 440.0) < 0.01, "440 Hz at {}", amplitude(&sound, 440.0));

        relay.set_muted(now.session, true).expect("known");
        relay.remove_session(late.session).expect("known");
        run(25, &mut [&mut now], &mut [&mut listener]);
        let after = run(25, &mut [&mut now], &mut [&mut listener]).remove(0);
        assert!(after.len() < 5, "{} frames came from somebody muted", after.len());
    });
}
