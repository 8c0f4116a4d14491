//! What a competitor does: request, submit.

use std::path::PathBuf;

use tacit_claim::{Bundle, Card, CardId, CardPoints, OwnerKey};

use crate::competition::Competition;
use crate::entry::{Publication, Registration};
use crate::error::{CompetitionError, Reason};
use crate::folder::Folder;
use crate::host::{check_data_file, read_test_set, request_name};
use crate::ids::FileDigest;
use crate::judge::{Judge, Score, Submission};
use crate::ledger::{Ledger, Registered, card_folder, check_bundle, check_card, check_points, load_card};
use crate::log::Known;
use crate::text::DisplayName;

pub(crate) const SUBMISSIONS: &str = "submissions";

/// A proof that lies in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The card that it is about.
    pub card: CardId,
    /// SHA-256 of the proof file.
    pub digest: FileDigest,
    /// The file's name in the folder.
    pub file: String,
}

/// Name of a submission's file.
fn submission_name(card: CardId, digest: FileDigest) -> String {
    format!("{SUBMISSIONS}/{card}/{digest}.proof")
}

impl Folder {
    /// Asks to compete with `card`: copies the card, and the points beside it where it has some, and writes a
    /// signed request. The host's next [`Folder::accept`] takes it into the log; [`crate::Log::receipts`]
    /// shows that.
    ///
    /// # Errors
    /// [`CompetitionError::Refused`] for what the host would refuse: somebody else's card, a card for other
    /// records, a card or an owner that is registered.
    pub fn request(
        &self,
        card: &Card,
        points: Option<&CardPoints>,
        name: DisplayName,
        key: &OwnerKey,
        known: &Known,
    ) -> Result<Registration, CompetitionError> {
        let log = self.log(known)?;
        let competition = log.competition();
        let points = points.filter(|_| card.inline_points().is_none());
        check_card(competition, card, &key.public())?;
        check_points(card, points)?;
        let folder = card_folder(card.id());
        self.place(&format!("{folder}/card.json"), card.to_json())?;
        if let Some(points) = points {
            self.place(&format!("{folder}/card.points"), &points.to_bytes())?;
        }
        let request = Registration::sign(competition.id(), card.id(), name, key);
        let mut ledger = Ledger::default();
        for entry in log.entries() {
            let _ = ledger.apply(self, competition, entry);
        }
        ledger.check(self, competition, &request)?;
        let bytes = request.to_json();
        self.place(&request_name(&bytes), &bytes)?;
        Ok(request)
    }

    /// What a proof counts for once it is submitted, as everybody will find: its claim is about a registered
    /// card, and `judge` verifies it against the published test set.
    ///
    /// # Errors
    /// As for [`Folder::submit`], and [`Reason::Judged`].
    pub fn judge_submission(
        &self,
        proof: &[u8],
        judge: &dyn Judge,
        known: &Known,
    ) -> Result<Score, CompetitionError> {
        let Candidate { competition, registered, publication, data, bundle } =
            self.candidate(proof, known)?;
        let data = read_test_set(&competition, judge, &data, publication.test_set)?;
        let (card, points) = load_card(self, registered.card)?;
        let submission = Submission {
            competition: &competition,
            bundle: &bundle,
            card: &card,
            points: points.as_ref(),
            context: &competition.context(&registered.owner),
            data: &data,
        };
        Ok(judge.judge(&submission).map_err(Reason::Judged)?)
    }

    /// Submits a proof file: checks what can be checked without verifying it, and puts it in its place.
    ///
    /// # Errors
    /// [`CompetitionError::NotPublished`], and [`CompetitionError::Refused`] for a proof that could not
    /// count.
    pub fn submit(&self, proof: &[u8], known: &Known) -> Result<Submitted, CompetitionError> {
        let card = self.candidate(proof, known)?.registered.card;
        let digest = FileDigest::of(proof);
        let file = submission_name(card, digest);
        self.place(&file, proof)?;
        Ok(Submitted { card, digest, file })
    }

    /// Everything that belongs to a proof file that could count.
    fn candidate(&self, proof: &[u8], known: &Known) -> Result<Candidate, CompetitionError> {
        let log = self.log(known)?;
        let competition = log.competition().clone();
        let mut ledger = Ledger::default();
        for entry in log.entries() {
            let _ = ledger.apply(self, &competition, entry);
        }
        let (_, publication) = ledger.publication().ok_or(CompetitionError::NotPublished)?;
        let data = check_data_file(self, publication)?;
        let bundle = Bundle::from_bytes(proof).map_err(Reason::Bundle)?;
        let card = bundle.claim().card_id;
        let registered = ledger.of_card(card).ok_or(Reason::NotRegistered(card))?;
        check_bundle(&competition, registered, &bundle)?;
        let (registered, publication) = (registered.clone(), publication.clone());
        Ok(Candidate { competition, registered, publication, data, bundle })
    }
}

/// A proof that could count, with the published test set that it must be about.
struct Candidate {
    competition: Competition,
    registered: Registered,
    publication: Publication,
    data: PathBuf,
    bundle: Bundle,
}
