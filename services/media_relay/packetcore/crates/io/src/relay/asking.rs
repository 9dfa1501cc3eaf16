//! What can be asked of the threads: answers come from each by itself.

use super::{Relay, SessionReport, lock};
use crate::RelayError;
use crate::messages::{Question, ToPacket};
use majlis_mix::InputReading;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// How long an answer of the packet threads is waited for.
const ANSWER_DEADLINE: Duration = Duration::from_secs(2);

fn answer<T>(answers: &Receiver<T>) -> Result<T, RelayError> {
    answers.recv_timeout(ANSWER_DEADLINE).map_err(|_| RelayError::NoAnswer)
}

impl Relay {
    fn ask<T>(&self, question: impl FnOnce(Sender<T>) -> Question) -> Result<Receiver<T>, RelayError> {
        if !lock(&self.threads).are_running() {
            return Err(RelayError::NotRunning);
        }
        let (sender, receiver) = channel();
        self.tell(ToPacket::Ask(question(sender)))?;
        Ok(receiver)
    }

    /// One session's numbers.
    pub fn session_report(&self, session: u64) -> Result<SessionReport, RelayError> {
        let session = lock(&self.registry).session(session)?;
        let Some(info) = answer(&self.ask(|reply| Question::Session(session, reply))?)? else {
            return Ok(SessionReport::default());
        };
        let mut report = SessionReport { info, packets_sent: info.packets_sent, bytes_sent: info.bytes_sent };
        if let Some(shard) = info.shard
            && let Some(sent) = answer(&self.ask(|reply| Question::Sent(shard, session, reply))?)?
        {
            report.packets_sent = sent.packets;
            report.bytes_sent = sent.bytes;
        }
        Ok(report)
    }

    /// The member numbers of those who speak on a stage now, short pauses included; its booths' people are among them.
    pub fn speaking(&self, stage: u64) -> Result<Vec<u32>, RelayError> {
        let stage = lock(&self.registry).stage(stage)?;
        answer(&self.ask(|reply| Question::Speaking(stage, reply))?)
    }

    /// How well those on a stage can be heard, its booths' people among them. It is measured from the first time that it is
    /// asked until some seconds after the last.
    pub fn inputs(&self, stage: u64) -> Result<Vec<InputReading>, RelayError> {
        let stage = lock(&self.registry).stage(stage)?;
        answer(&self.ask(|reply| Question::Inputs(stage, reply))?)
    }

    /// Everything as JSON, keys and passwords left out.
    pub fn dump(&self) -> Result<String, RelayError> {
        let answers = self.ask(Question::Dump)?;
        let packet = answer(&answers)?;
        let channels: Vec<String> = self.pushes.iter().map(|_| answer(&answers)).collect::<Result<_, _>>()?;
        let channels: Vec<&str> = channels.iter().map(String::as_str).filter(|items| !items.is_empty()).collect();
        let channels = channels.join(",");
        let numbers = self.counters.snapshot();
        let numbers: Vec<String> = numbers.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
        Ok(format!(r#"{{{packet},"channels":[{channels}],"counters":{{{}}}}}"#, numbers.join(",")))
    }

    /// Waits until all calls made before have taken effect in every thread.
    pub fn flush(&self) -> Result<(), RelayError> {
        let answers = self.ask(Question::Flush)?;
        for _ in 0..self.config.sender_threads + self.config.programme_threads + 1 {
            answer(&answers)?;
        }
        Ok(())
    }
}
