//! `tacit provider work`

use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tacit_claim::EngineId;
use tacit_client::provider::{
    Event, PrekeyStore, ProviderModel, Said, StopSignal, Worker, WorkerHandle, WorkerOptions,
};

use tacit_exchange::Unopened;

use super::relay;
use crate::args::exchange::ProviderWork;
use crate::failure::{Failure, UNUSABLE};
use crate::home::data_folder;
use crate::keys::owner_key;
use crate::load;
use crate::report::{BOLD, Report, count, plain};

pub(super) fn run(args: &ProviderWork, json: bool) -> Result<Report, Failure> {
    let opening = args.opening.as_deref().map(load::opening).transpose()?;
    let card_path = match (&args.card, &args.opening) {
        (Some(path), _) => path.clone(),
        (None, Some(opening)) => opening.with_file_name("card.json"),
        (None, None) => return Err(Failure::new("no card was given").advise("name it with --card")),
    };
    let card = load::card(&card_path)?;
    let points = load::points(&card_path, &card)?;
    let model = load::model(&args.model)?;
    let relay = relay::client(&args.relay)?;
    let key = owner_key(&args.key, &args.unlock)?;
    let store = PrekeyStore::beside(&args.key, card.id());
    let model = ProviderModel { model, card, points, opening, folder: data_folder()? };
    let options = WorkerOptions {
        parallel: usize::from(args.parallel),
        once: args.once,
        lease: args.lease,
        ..WorkerOptions::default()
    };
    let (id, address) = (model.card.id(), relay.address().to_string());
    log(json, "proving once, before any request", &json!({ "event": "starting" }));
    let worker = Worker::new(relay, key, model, store, options, move |event| tell(json, &event));
    let ended = StopSignal::default();
    stop_on_signals(worker.handle(), &ended)?;
    let tally = worker.run()?;
    // An answer that is being logged is logged whole.
    ended.sleep(Duration::from_millis(1));
    let mut report = Report::default();
    let answered = tally.proved + tally.refused;
    report.line(
        BOLD,
        format!("Answered {} at {address}", count(usize::try_from(answered).unwrap_or(0), "request")),
    );
    report.field("with a proof", tally.proved.to_string());
    report.field("refused", tally.refused.to_string());
    if tally.given_up > 0 {
        report.field("given up", tally.given_up.to_string());
        report.note("what was given up waits at the relay: start a worker again");
        if args.once {
            report.code = UNUSABLE;
        }
    }
    report.set("card_id", id.to_string());
    report.set("relay", address);
    report.set("proved", tally.proved);
    report.set("refused", tally.refused);
    report.set("given_up", tally.given_up);
    Ok(report)
}

/// The first signal lets the worker finish what is at hand, the second gives it back and ends the process.
fn stop_on_signals(handle: WorkerHandle, ended: &StopSignal) -> Result<(), Failure> {
    let signals = AtomicU32::new(0);
    let ended = ended.clone();
    ctrlc::set_handler(move || {
        if signals.fetch_add(1, Ordering::Relaxed) == 0 {
            handle.stop();
        } else {
            handle.give_back();
            ended.stop();
            std::process::exit(130);
        }
    })
    .map_err(|e| Failure::new(format!("signals cannot be caught: {e}")))
}

/// One line on standard error: text, or with `--json` one object.
fn log(json: bool, text: &str, value: &Value) {
    let mut err = anstream::stderr().lock();
    // A log that nobody can read stops nothing.
    let _ = if json { writeln!(err, "{value}") } else { writeln!(err, "{}", plain(text)) };
}

/// What happens, without anything of a record or an answer.
fn tell(json: bool, event: &Event) {
    let (text, value) = match event {
        Event::Ready { offered, not_offered } => {
            let works: Vec<_> =
                offered.iter().map(|o| format!("{} in {} ms", o.engine, o.time.as_millis())).collect();
            let not = |(engine, why): &(EngineId, tacit_core::CoreError)| {
                format!("; {engine} is not offered: {why}")
            };
            let missing: String = not_offered.iter().map(not).collect();
            let engines: Vec<_> = offered.iter().map(|o| o.engine.name()).collect();
            (
                format!("ready: proves by {}{missing}", works.join(", ")),
                json!({ "event": "ready", "engines": engines }),
            )
        }
        Event::Published { made, forgotten } => (
            match made {
                Some(prekey) => format!("published prekey {}; {forgotten} old deleted", prekey.short()),
                None => "published the provider's document again".to_owned(),
            },
            json!({ "event": "published", "prekey": made.map(|p| p.to_string()), "deleted": forgotten }),
        ),
        Event::ForeignPrekeys { count, file } => (
            super::foreign_prekeys(*count, file),
            json!({ "event": "foreign_prekeys", "count": count, "prekeys": file.display().to_string() }),
        ),
        Event::NotPublished(e) => (
            format!("prekeys could not be looked after, tried again soon: {e}"),
            json!({ "event": "not_published", "why": e.to_string() }),
        ),
        Event::Answered { id, said, time } => {
            let (what, why) = said_text(said);
            let more = why.as_ref().map_or(String::new(), |why| format!(": {why}"));
            (
                format!("{} {what} in {} ms{more}", id.short(), time.as_millis()),
                json!({ "event": what, "request": id.to_string(), "milliseconds": time.as_millis() as u64, "why": why }),
            )
        }
        Event::AnsweredByAnother(id) => (
            format!("{} was answered by another worker", id.short()),
            json!({ "event": "answered_by_another", "request": id.to_string() }),
        ),
        Event::Gone(id) => {
            (format!("{} was deleted", id.short()), json!({ "event": "gone", "request": id.to_string() }))
        }
        Event::NotAnswered { id, why } => (
            format!("{} could not be answered, left for later: {why}", id.short()),
            json!({ "event": "not_answered", "request": id.to_string(), "why": why }),
        ),
        Event::RelayFails(e) => (
            format!("{e}; tried again for as long as it takes"),
            json!({ "event": "relay_fails", "why": e.to_string() }),
        ),
        Event::RelayIsBack => ("the relay answers again".to_owned(), json!({ "event": "relay_is_back" })),
    };
    log(json, &text, &value);
}

fn said_text(said: &Said) -> (&'static str, Option<String>) {
    match said {
        Said::Proved(_) => ("answered", None),
        Said::Refused => ("refused", None),
        Said::Failed(why) => ("failed", Some(why.clone())),
        Said::NotOpened(Unopened::PrekeyGone) => {
            ("not_opened", Some("its prekey is not here (any more); its sender was told".to_owned()))
        }
        Said::NotOpened(why) => ("not_opened", Some(why.to_string())),
    }
}
