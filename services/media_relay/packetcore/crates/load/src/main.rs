//! `majlis-load`: listeners and speakers by the thousand.

use clap::Parser;
use majlis_load::args::{Cli, Task};
use majlis_load::tasks;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("majlis-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    majlis_load::dtls::install();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async move {
        match task {
            Task::Listen(args) => tasks::listen(args).await,
            Task::Hear(args) => tasks::hear_alone(args).await,
            Task::Speak(args) => tasks::speak_alone(args).await,
            Task::Ear(args) => tasks::ear(args).await,
            Task::Knock(args) => tasks::knock(args).await,
            Task::Rooms(args) => tasks::rooms(args).await,
            Task::Follow(args) => tasks::follow(args).await,
        }
    })
}
