//! What anybody does: recompute the standings from the folder.

use tacit_claim::{Bundle, CardId, Context};
use tacit_model::Dataset;

use crate::competition::Competition;
use crate::competitor::SUBMISSIONS;
use crate::entry::Publication;
use crate::error::{CompetitionError, Reason};
use crate::folder::{Folder, shown_name};
use crate::head::Head;
use crate::host::{Refused, check_data_file, read_test_set};
use crate::ids::FileDigest;
use crate::judge::{Judge, Score, Submission};
use crate::ledger::{Ledger, MAX_PROOF, Registered, check_bundle, load_card};
use crate::log::{Known, entry_name};

/// A competitor with a proof that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// From 1. The better score is first; of equal ones, the earlier registration.
    pub rank: usize,
    /// Who, with which card.
    pub competitor: Registered,
    /// The best score that was proved.
    pub score: Score,
    /// SHA-256 of the proof file.
    pub proof: FileDigest,
}

/// What the folder says, checked from the signed terms to the last proof.
#[derive(Debug, Clone)]
pub struct Leaderboard {
    /// The competition.
    pub competition: Competition,
    /// The log's last signed head. Whoever keeps the note can tell later whether the log was rewritten.
    pub head: Head,
    /// Entries that no head counts yet; nothing here depends on them.
    pub unsigned: u64,
    /// The publication and its entry.
    pub publication: Option<(u64, Publication)>,
    /// Competitors with a proof that holds, best first.
    pub standings: Vec<Standing>,
    /// Competitors without one, in the order of their registrations.
    pub unproved: Vec<Registered>,
    /// Entries of the log and submissions that do not count.
    pub refused: Vec<Refused>,
}

impl Folder {
    /// Recomputes the leaderboard from the folder and from what the caller knows, trusting nobody.
    ///
    /// # Errors
    /// [`CompetitionError`] where nothing can be said: the log was rewritten, the test set is not the one
    /// that was sealed, a file is missing. What is wrong with single registrations and submissions is in
    /// [`Leaderboard::refused`].
    pub fn leaderboard(&self, judge: &dyn Judge, known: &Known) -> Result<Leaderboard, CompetitionError> {
        let log = self.log(known)?;
        let competition = log.competition().clone();
        let mut ledger = Ledger::default();
        let mut refused = Vec::new();
        for entry in log.entries() {
            match ledger.apply(self, &competition, entry) {
                Ok(()) => {}
                Err(Reason::Seal) => return Err(CompetitionError::Reveal),
                Err(reason) => refused.push(Refused { file: entry_name(entry.index()), reason }),
            }
        }
        let data = match ledger.publication() {
            None => None,
            Some((_, publication)) => {
                let path = check_data_file(self, publication)?;
                Some(read_test_set(&competition, judge, &path, publication.test_set)?)
            }
        };
        let mut standings = Vec::new();
        let mut unproved = Vec::new();
        for competitor in ledger.registered() {
            let scene = Scene { folder: self, competition: &competition, judge, competitor };
            match scene.best(data.as_ref(), &mut refused)? {
                Some((score, proof)) => {
                    standings.push(Standing { rank: 0, competitor: competitor.clone(), score, proof });
                }
                None => unproved.push(competitor.clone()),
            }
        }
        // Stable: equal scores stay in the order of the log.
        let better = judge.better(&competition);
        standings.sort_by(|a, b| better.compare(&a.score, &b.score));
        standings.iter_mut().zip(1..).for_each(|(standing, rank)| standing.rank = rank);
        for name in self.list(SUBMISSIONS)? {
            let reason = match name.parse::<CardId>() {
                Ok(card) if card.to_string() != name => Reason::Name,
                Ok(card) if ledger.of_card(card).is_some() => continue,
                Ok(card) => Reason::NotRegistered(card),
                Err(_) => Reason::Name,
            };
            refused.push(Refused { file: shown_name(SUBMISSIONS, &name), reason });
        }
        Ok(Leaderboard {
            head: log.head().clone(),
            unsigned: log.unsigned(),
            publication: ledger.publication().cloned(),
            competition,
            standings,
            unproved,
            refused,
        })
    }
}

/// One competitor before the judge.
struct Scene<'a> {
    folder: &'a Folder,
    competition: &'a Competition,
    judge: &'a dyn Judge,
    competitor: &'a Registered,
}

impl Scene<'_> {
    /// The best score among the competitor's submissions, and the proof of it. Of equal ones, the first by
    /// name.
    fn best(
        &self,
        data: Option<&Dataset>,
        refused: &mut Vec<Refused>,
    ) -> Result<Option<(Score, FileDigest)>, CompetitionError> {
        let folder = format!("{SUBMISSIONS}/{}", self.competitor.card);
        let names = self.folder.list(&folder)?;
        if names.is_empty() {
            return Ok(None);
        }
        let context = self.competition.context(&self.competitor.owner);
        let better = self.judge.better(self.competition);
        let mut best: Option<(Score, FileDigest)> = None;
        for name in names {
            match self.score(&folder, &name, &context, data) {
                Ok((score, _)) if best.as_ref().is_some_and(|(b, _)| better.compare(&score, b).is_ge()) => {}
                Ok(better) => best = Some(better),
                Err(reason) => refused.push(Refused { file: shown_name(&folder, &name), reason }),
            }
        }
        Ok(best)
    }

    fn score(
        &self,
        folder: &str,
        name: &str,
        context: &Context,
        data: Option<&Dataset>,
    ) -> Result<(Score, FileDigest), Reason> {
        let digest: FileDigest =
            name.strip_suffix(".proof").unwrap_or("").parse().map_err(|_| Reason::Name)?;
        let bytes = self
            .folder
            .read(&format!("{folder}/{name}"), MAX_PROOF)
            .map_err(|e| Reason::File(e.to_string()))?;
        if FileDigest::of(&bytes) != digest {
            return Err(Reason::Content);
        }
        let bundle = Bundle::from_bytes(&bytes)?;
        check_bundle(self.competition, self.competitor, &bundle)?;
        let data = data.ok_or(Reason::NotPublished)?;
        let (card, points) = load_card(self.folder, self.competitor.card)?;
        let submission = Submission {
            competition: self.competition,
            bundle: &bundle,
            card: &card,
            points: points.as_ref(),
            context,
            data,
        };
        Ok((self.judge.judge(&submission).map_err(Reason::Judged)?, digest))
    }
}
