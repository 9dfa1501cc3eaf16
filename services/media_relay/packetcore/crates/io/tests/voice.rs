//! A voice goes from a microphone through the relay to ears, over real sockets.

mod common;

use common::{Client, OPUS, amplitude, assert_continuous, decode, floor, on_time, relay, relay_on, run};
use majlis_core::endpoint::Event;
use majlis_core::rtp;
use majlis_programme::MixPlan;
use std::net::Ipv6Addr;

#[test]
fn a_listener_hears_the_tone_that_the_speaker_makes_and_who_it_is() {
    on_time(|| {
        let relay = relay();
        let stage = relay.add_stage().expect("stage").0;
        let channel = floor(&relay, stage);
        let mut speaker = Client::on_stage(&relay, "speaker", stage, 7, 4, 440.0);
        let mut listener = Client::listener(&relay, "listener", channel);
        let heard = run(75, &mut [&mut speaker], &mut [&mut listener]).remove(0);
        assert!(heard.len() > 55, "{} of 75 frames came", heard.len());
        assert!(heard[0].marker && heard.iter().skip(1).all(|packet| !packet.marker), "one talk begins once");
        assert!(heard.iter().all(|packet| packet.payload_type == OPUS && packet.ssrc == 0x1157));
        assert!(heard[10..].iter().all(|packet| packet.csrcs == [7]), "the packet says who speaks");
        assert_continuous(&heard);
        let sound = decode(&heard[15..]);
        assert!(amplitude(&sound, 440.0) > 0.05, "440 Hz at {}", amplitude(&sound, 440.0));
        assert!(amplitude(&sound, 880.0) < 0.01);
        assert_eq!(wait_for_media(&relay), speaker.session);
        let report = relay.session_report(listener.session).expect("known");
        assert!(report.packets_sent >= heard.len() as u64 && report.bytes_sent > 40 * report.packets_sent);
        assert!(report.info.connected);
    });
}

fn wait_for_media(relay: &majlis_io::Relay) -> u64 {
    match common::wait_for(relay, |event| matches!(event, Event::Media(_))) {
        Event::Media(session) => session.0,
        other => panic!("{other:?}"),
    }
}

#[test]
fn people_on_stage_hear_each_other_unmixed_and_nobody_hears_himself() {
    on_time(|| {
        let relay = relay();
        let stage = relay.add_stage().expect("stage").0;
        let mut ada = Client::on_stage(&relay, "ada0", stage, 1, 4, 300.0);
        let mut bob = Client::on_stage(&relay, "bob0", stage, 2, 4, 500.0);
        let heard = run(25, &mut [&mut ada], &mut [&mut bob]).remove(0);
        assert_eq!(heard.len(), 25);
        assert!(heard.iter().all(|packet| packet.csrcs == [1] && packet.payload_type == 96 && packet.ssrc == 0x9000));
        assert_continuous(&heard);
        assert!(amplitude(&decode(&heard)[960..], 300.0) > 0.2);
        assert!(ada.hear().is_empty(), "she alone spoke and heard nothing");
    });
}

#[test]
fn a_channel_carries_those_it_was_told_to_mix_and_nobody_from_another_booth() {
    on_time(|| {
        let relay = relay();
        let stage = relay.add_stage().expect("stage").0;
        let channel = |members: Vec<u32>| {
            let channel = relay.add_channel(Some(stage)).expect("channel").0;
            relay.set_mix(channel, MixPlan::of(members)).expect("a home channel");
            channel
        };
        let untold = relay.add_channel(Some(stage)).expect("channel").0;
        let (floor, booth) = (channel(vec![1]), channel(vec![2]));
        let mut ada = Client::on_stage(&relay, "ada0", stage, 1, 1, 300.0);
        let mut bob = Client::on_stage(&relay, "bob0", stage, 2, 1, 700.0);
        let mut on_floor = Client::listener(&relay, "onfloor", floor);
        let mut in_booth = Client::listener(&relay, "inbooth", booth);
        let mut nowhere = Client::listener(&relay, "nowhere", untold);
        let heard = run(60, &mut [&mut ada, &mut bob], &mut [&mut on_floor, &mut in_booth, &mut nowhere]);
        assert!(heard[2].is_empty(), "a channel that was told nothing mixes nobody");
        for (packets, own, other) in [(&heard[0], 300.0, 700.0), (&heard[1], 700.0, 300.0)] {
            let sound = decode(&packets[15..]);
            assert!(amplitude(&sound, own) > 0.05 && amplitude(&sound, other) < 0.005);
        }
    });
}

#[test]
fn a_muted_member_is_heard_by_nobody_until_unmuted() {
    on_time(|| {
        let relay = relay();
        let stage = relay.add_stage().expect("stage").0;
        let channel = floor(&relay, stage);
        let mut ada = Client::on_stage(&relay, "ada1", stage, 1, 1, 300.0);
        let mut bob = Client::on_stage(&relay, "bob1", stage, 2, 1, 500.0);
        let mut listener = Client::listener(&relay, "listener1", channel);
        relay.set_muted(ada.session, true).expect("on stage");
        relay.flush().expect("running");
        let heard = run(20, &mut [&mut ada], &mut [&mut bob, &mut listener]);
        assert!(heard.iter().all(Vec::is_empty), "{heard:?}");
        relay.set_muted(ada.session, false).expect("on stage");
        relay.flush().expect("running");
        let heard = run(40, &mut [&mut ada], &mut [&mut bob, &mut listener]);
        assert!(heard[0].len() == 40 && heard[1].len() > 20);
    });
}

#[test]
fn nothing_comes_in_or_goes_out_after_a_session_is_removed() {
    on_time(|| {
        let relay = relay();
        let stage = relay.add_stage().expect("stage").0;
        let channel = floor(&relay, stage);
        let mut speaker = Client::on_stage(&relay, "speaker2", stage, 7, 4, 440.0);
        let mut stays = Client::listener(&relay, "stays", channel);
        let mut leaves = Client::listener(&relay, "leaves", channel);
        let heard = run(30, &mut [&mut speaker], &mut [&mut leaves]);
        assert!(!heard[0].is_empty());
        relay.remove_session(leaves.session).expect("running");
        relay.flush().expect("running");
        leaves.hear();
        let heard = run(20, &mut [&mut speaker], &mut [&mut leaves, &mut stays]);
        assert!(heard[0].is_empty(), "the removed one hears nothing");
        assert!(heard[1].len() >= 19, "the other one does not notice");
        relay.remove_session(speaker.session).expect("running");
        relay.flush().expect("running");
        run(10, &mut [&mut speaker], &mut [&mut stays]);
        let heard = run(10, &mut [&mut speaker], &mut [&mut stays]);
        assert!(heard[0].is_empty(), "nobody hears somebody who was removed");
    });
}

#[test]
fn ipv6_carries_a_voice_like_ipv4() {
    on_time(|| {
        let relay = relay_on(Ipv6Addr::LOCALHOST.into());
        let stage = relay.add_stage().expect("stage").0;
        let channel = floor(&relay, stage);
        let mut speaker = Client::on_stage(&relay, "speaker6", stage, 7, 4, 440.0);
        let mut listener = Client::listener(&relay, "listener6", channel);
        let heard = run(40, &mut [&mut speaker], &mut [&mut listener]).remove(0);
        assert!(heard.len() > 20);
        assert_continuous(&heard);
    });
}

#[test]
fn a_listener_whose_address_changes_goes_on_at_the_first_check_that_nominates_it() {
    on_time(|| {
        let relay = relay();
        let stage = relay.add_stage().expect("stage").0;
        let channel = floor(&relay, stage);
        let mut speaker = Client::on_stage(&relay, "speaker3", stage, 7, 4, 440.0);
        let mut listener = Client::listener(&relay, "listener3", channel);
        let before = run(60, &mut [&mut speaker], &mut [&mut listener]).remove(0);
        listener.move_socket();
        listener.check(false);
        assert!(run(5, &mut [&mut speaker], &mut [&mut listener])[0].is_empty(), "a check alone moves nothing");
        listener.check(true);
        let after = run(20, &mut [&mut speaker], &mut [&mut listener]).remove(0);
        assert!(after.len() >= 19);
        let gap = after[0].sequence.wrapping_sub(before[before.len() - 1].sequence);
        assert!((1..=12).contains(&gap), "the stream goes on, {gap} packets later");
    });
}

#[test]
fn packets_grow_to_sixty_milliseconds_and_back_without_a_gap() {
    on_time(|| {
        let relay = relay();
        let stage = relay.add_stage().expect("stage").0;
        let channel = floor(&relay, stage);
        let mut speaker = Client::on_stage(&relay, "speaker4", stage, 7, 4, 440.0);
        let mut listener = Client::listener(&relay, "listener4", channel);
        let mut heard = run(40, &mut [&mut speaker], &mut [&mut listener]).remove(0);
        relay.set_packet_ms(channel, 60).expect("channel");
        let long = run(45, &mut [&mut speaker], &mut [&mut listener]).remove(0);
        let of_sixty = long.iter().filter(|packet| rtp::opus_samples(&packet.payload) == Some(2880)).count();
        assert!(of_sixty >= 12 && long.len() <= 18, "{of_sixty} of {} packets are long", long.len());
        heard.extend(long);
        relay.set_packet_ms(channel, 20).expect("channel");
        heard.extend(run(20, &mut [&mut speaker], &mut [&mut listener]).remove(0));
        assert_continuous(&heard);
        let steps = heard.windows(2).skip(5);
        for pair in steps {
            let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
            assert_eq!(Some(step), rtp::opus_samples(&pair[0].payload), "every sample is there once");
        }
    });
}

#[test]
fn who_hears_in_few_bits_gets_two_long_frames_in_a_packet_and_nothing_that_sound_does_without() {
    on_time(|| {
        let relay = relay();
        let stage = relay.add_stage().expect("stage").0;
        let full = floor(&relay, stage);
        let few = relay.add_thrift_channel(Some(stage)).expect("channel").0;
        relay.set_mix(few, MixPlan::of(1..20)).expect("a home channel");
        // What relays shed under load leaves it as it is.
        relay.set_packet_ms(few, 20).expect("channel");
        relay.set_bitrate(few, 32_000).expect("channel");
        let mut speaker = Client::on_stage(&relay, "speaker5", stage, 7, 4, 440.0);
        let mut saving = Client::listener(&relay, "listener5", few);
        let mut other = Client::listener(&relay, "listener6", full);
        let heard = run(150, &mut [&mut speaker], &mut [&mut saving, &mut other]);
        let long = &heard[0];
        assert!((20..=26).contains(&long.len()), "{} packets in three seconds", long.len());
        assert!(long.iter().all(|packet| rtp::opus_samples(&packet.payload) == Some(5760)), "120 ms each");
        assert!(long.iter().all(|packet| packet.payload_type == OPUS && packet.csrcs == [7]));
        assert_continuous(long);
        assert!(amplitude(&decode(&long[3..]), 440.0) > 0.05);
        let bytes: usize = long.iter().map(|packet| packet.payload.len()).sum();
        assert!(bytes * 8 / long.len() < 1560, "12 kbit/s are 1440 bits each 120 ms: {bytes} bytes");
        let (few, full) = (relay.session_report(saving.session), relay.session_report(other.session));
        let (few, full) = (few.expect("known").bytes_sent, full.expect("known").bytes_sent);
        assert!(few * 3 < full, "{few} bytes beside {full}");
    });
}
