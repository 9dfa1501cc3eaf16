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
