//! One module per command. Each takes its arguments and returns a report.

mod attestation;
mod commit;
mod commit_input;
mod competition;
mod dataset;
mod demo;
mod inspect;
mod merge;
mod patient;
mod predict;
pub(crate) mod prove;
mod provider;
mod quantize;
mod relay;
mod serve;
mod srs;
mod verify;

use crate::args::{Cli, Command};
use crate::failure::Failure;
use crate::report::Report;

/// Does what the command line asks for.
pub(crate) fn run(cli: &Cli) -> Result<Report, Failure> {
    match &cli.command {
        Command::Quantize(args) => quantize::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Commit(args) => commit::run(args),
        Command::CommitInput(args) => commit_input::run(args),
        Command::Prove(args) => prove::run(args),
        Command::Merge(args) => merge::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Attestation(args) => attestation::run(args),
        Command::Competition(args) => competition::run(args),
        Command::Serve(args) => serve::run(args, cli.json),
        Command::Provider(args) => provider::run(args, cli.json),
        Command::Patient(args) => patient::run(args),
        Command::Dataset(args) => dataset::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Srs(args) => srs::run(args),
        Command::Demo(args) => demo::run(args, cli.json),
    }
}
