//! The `tacit` command: quantise, commit, prove, verify, look.
//!
//! Arguments ([`args`]) become a [`report::Report`] or a [`failure::Failure`]; nothing else prints. Exit codes: 0 the
//! claim holds or the command did its work, 1 it does not hold, 2 unusable arguments, files or data, 3 refused by
//! policy.

mod args;
mod commands;
mod failure;
mod home;
mod keys;
mod load;
mod output;
mod outputs;
mod predictions;
mod profile;
mod progress;
mod report;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;

use clap::Parser as _;

use crate::args::Cli;
use crate::failure::{DOES_NOT_HOLD, Failure, UNUSABLE};

/// Where the last panic happened. Libraries panic behind fences that turn it into an error, so that it is no news.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        if let Ok(mut last) = LAST_PANIC.lock() {
            *last = info.location().map(ToString::to_string);
        }
    }));
    let json = std::env::args_os().any(|a| a == "--json");
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) if json && e.use_stderr() => return output::failure(&Failure::from(e), true),
        Err(e) => {
            // Nobody is left to tell when the stream is closed.
            let _ = e.print();
            return ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2));
        }
    };
    match catch_unwind(AssertUnwindSafe(|| commands::run(&cli))) {
        Ok(Ok(report)) => output::report(&report, cli.json),
        Ok(Err(failure)) if failure.code == DOES_NOT_HOLD && cli.command.gives_verdict() => {
            output::verdict_against(&failure, cli.json)
        }
        // Only a verdict has code 1; what cannot be claimed in the first place is unusable.
        Ok(Err(failure)) if failure.code == DOES_NOT_HOLD && !failure.verdict => {
            output::failure(&failure.code(UNUSABLE), cli.json)
        }
        Ok(Err(failure)) => output::failure(&failure, cli.json),
        Err(_) => {
            let place = LAST_PANIC
                .lock()
                .ok()
                .and_then(|l| l.clone())
                .unwrap_or_else(|| "an unknown place".to_owned());
            let failure = Failure::new(format!("this is a defect of tacit, met at {place}"))
                .advise("please report it, with the command but without secret files");
            output::failure(&failure, cli.json)
        }
    }
}
