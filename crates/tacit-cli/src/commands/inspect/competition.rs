//! What the files of competitions, and verdicts, hold.

use std::path::Path;

use tacit_claim::{ColumnName, FileKind};
use tacit_competition::{
    Competition, Entry, Event, Finding, Receipt, Registration, Seal, SignedVerdict, VerdictError,
};

use super::{reveals, schema_table, schema_value};
use crate::commands::attestation;
use crate::failure::Failure;
use crate::load;
use crate::report::{BAD, Report, plain};

pub(super) fn tell(report: &mut Report, kind: FileKind, bytes: &[u8], path: &Path) -> Result<(), Failure> {
    let failed = |e: &dyn std::error::Error| {
        Failure::new(format!("{}: {e}", path.display()))
            .advise("get the file again: it is read only as it was written, byte for byte")
    };
    match kind {
        FileKind::Competition => competition(report, &Competition::from_json(bytes).map_err(|e| failed(&e))?),
        FileKind::CompetitionEntry => entry(report, &Entry::from_json(bytes).map_err(|e| failed(&e))?),
        FileKind::CompetitionRequest => {
            let request = Registration::from_json(bytes).map_err(|e| failed(&e))?;
            request.verify().map_err(|e| failed(&e))?;
            report.set("competition", request.competition().to_string());
            report.field("competition", request.competition().to_string());
            registration(report, &request);
            reveals(report, "who wants to compete with which card");
        }
        FileKind::CompetitionReceipt => receipt(report, &load::receipt(path)?),
        FileKind::CompetitionSeal => seal(report, &load::seal(path)?),
        _ => verdict(report, &SignedVerdict::read_unpinned(bytes).map_err(|e: VerdictError| failed(&e))?),
    }
    Ok(())
}

fn competition(report: &mut Report, competition: &Competition) {
    let terms = competition.terms();
    report.field("id", competition.id().to_string());
    report.field("name", plain(terms.name.as_str()));
    report.field("host", competition.host().fingerprint().to_string());
    report.field("ranked by", plain(terms.metric.as_str()));
    report.field("labels", plain(terms.labels.as_str()));
    let groups: Vec<String> = terms.groups.iter().map(ColumnName::as_str).map(plain).collect();
    if !groups.is_empty() {
        report.field("groups by", groups.join(", "));
    }
    report.field("test set sealed as", terms.test_set.to_string());
    report.field("name of its log", plain(&competition.log_name()));
    schema_table(report, &terms.schema);
    report.note("`tacit competition rank` checks the folder that it belongs to");
    report.set("competition", competition.id().to_string());
    report.set("name", plain(terms.name.as_str()));
    report.set("host", competition.host().fingerprint().to_string());
    report.set("metric", plain(terms.metric.as_str()));
    report.set("labels", plain(terms.labels.as_str()));
    report.set("groups_by", groups);
    report.set("sealed_test_set", terms.test_set.to_string());
    report.set("schema", schema_value(&terms.schema));
    reveals(report, "what the competition is about; of the test set nothing until the seal is published");
}

fn registration(report: &mut Report, registration: &Registration) {
    report.field("card", registration.card().to_string());
    report.field("competitor", plain(registration.name().as_str()));
    report.field("owner", registration.owner().fingerprint().to_string());
    report.set("card_id", registration.card().to_string());
    report.set("name", plain(registration.name().as_str()));
    report.set("owner", registration.owner().fingerprint().to_string());
}

fn entry(report: &mut Report, entry: &Entry) {
    report.field("entry", entry.index().to_string());
    report.field("competition", entry.competition().to_string());
    report.set("entry", entry.index());
    report.set("competition", entry.competition().to_string());
    let event = match entry.event() {
        Event::Opening => "opening",
        Event::Registration(request) => {
            registration(report, request);
            "registration"
        }
        Event::Publication(publication) => {
            report.field("test set", publication.test_set.to_string());
            report.field("its file", publication.file.to_string());
            report.set("dataset_digest", publication.test_set.to_string());
            report.set("test_set_sha256", publication.file.to_string());
            "publication"
        }
    };
    report.field("event", event);
    report.set("event", event);
    report.note("nothing was checked here: `tacit competition rank` checks the log that it belongs to");
    reveals(report, "what happened in the competition: a log is public");
}

fn receipt(report: &mut Report, receipt: &Receipt) {
    report.field("competition", receipt.entry().competition().to_string());
    report.field("entry", receipt.entry().index().to_string());
    report.set("competition", receipt.entry().competition().to_string());
    report.set("entry", receipt.entry().index());
    if let Some(request) = receipt.registration() {
        registration(report, request);
    }
    report.note("nothing was checked here: `tacit competition rank --receipt` compares it with the log");
    reveals(report, "who registered which card, which the log shows too: keep it, and show it to anybody");
}

fn seal(report: &mut Report, seal: &Seal) {
    report.field("opens", format!("the test set sealed as {}", seal.sealed()));
    report.set("sealed_test_set", seal.sealed().to_string());
    reveals(report, "which test set it is, to whoever can guess it: for the host only until it is published");
}

fn verdict(report: &mut Report, signed: &SignedVerdict) {
    if let Finding::DoesNotHold { reason } = &signed.verdict.verdict {
        report.line(BAD, format!("DOES NOT HOLD, says {}", signed.verifier.fingerprint()));
        report.line(BAD, plain(reason));
    }
    report.set("holds", signed.verdict.verdict == Finding::Holds);
    attestation::tell(report, signed);
    report.note("who signed it is nobody's word but its own: `tacit attestation --verifier` checks that");
    reveals(report, "what a verifier found of a proof");
}
