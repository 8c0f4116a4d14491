//! `tacit competition`: competitions over a plain folder.

mod board;
mod competitor;
mod host;
pub(crate) mod judge;

use std::path::Path;

use tacit_competition::{Folder, Head, Known, Receipt};

use crate::args::competition::{Competition, Pins};
use crate::failure::Failure;
use crate::home::data_folder;
use crate::load;
use crate::report::Report;
use judge::EngineJudge;

pub(crate) use board::{leaderboard_table, short_name};

/// A signed head is a few hundred bytes; witnesses may sign it too.
const MAX_HEAD: u64 = 64 << 10;

pub(crate) fn run(args: &Competition) -> Result<Report, Failure> {
    match args {
        Competition::Init(args) => host::init(args),
        Competition::Register(args) => competitor::register(args),
        Competition::Accept(args) => host::accept(args),
        Competition::Publish(args) => host::publish(args),
        Competition::Context(args) => competitor::context(args),
        Competition::Submit(args) => competitor::submit(args),
        Competition::Receipt(args) => competitor::receipt(args),
        Competition::Rank(args) => board::rank(args),
    }
}

/// A folder that holds a competition.
fn opened(path: &Path) -> Result<Folder, Failure> {
    if path.join("competition.json").symlink_metadata().is_err() {
        return Err(Failure::new(format!("{} holds no competition", path.display()))
            .advise("name the folder with competition.json, or open one with `tacit competition init`"));
    }
    Ok(Folder::new(path))
}

/// What the caller knows of a competition.
fn known(pins: &Pins, receipts: &[impl AsRef<Path>]) -> Result<Known, Failure> {
    let heads = pins.heads.iter().map(|path| load::unknown_kind(path, MAX_HEAD, "a signed head"));
    Ok(Known {
        competition: pins.expect,
        receipts: receipts.iter().map(|path| load::receipt(path.as_ref())).collect::<Result<_, _>>()?,
        heads: heads.collect::<Result<_, Failure>>()?,
    })
}

fn judge() -> Result<EngineJudge, Failure> {
    Ok(EngineJudge::new(data_folder()?))
}

/// A receipt, as scripts see it.
fn receipt_json(receipt: &Receipt) -> serde_json::Value {
    let registration = receipt.registration();
    serde_json::json!({
        "entry": receipt.entry().index(),
        "card_id": registration.map(|r| r.card().to_string()),
        "name": registration.map(|r| r.name().as_str()),
        "owner": registration.map(|r| r.owner().fingerprint().to_string()),
    })
}

/// What to say of the log as it stands now.
fn tell_head(report: &mut Report, head: &Head) {
    report.field("log", format!("{} entries, root {}", head.size(), head.root().hash));
    report.set("log_entries", head.size());
    report.set("log_root", head.root().hash.to_string());
}
