//! What the host does: open, accept, publish.

use std::path::Path;

use tacit_claim::OwnerKey;
use tacit_core::files;
use tacit_model::Dataset;

use crate::competition::{Competition, Terms};
use crate::entry::{DataFormat, Entry, Event, MAX_ENTRIES, MAX_ENTRY, Publication, Registration};
use crate::error::{CompetitionError, Reason};
use crate::folder::{Folder, shown_name};
use crate::head::Head;
use crate::ids::{FileDigest, TestSetDigest};
use crate::judge::Judge;
use crate::ledger::Ledger;
use crate::log::{COMPETITION, Known, Log, entry_at, entry_name, head_name};
use crate::receipt::Receipt;
use crate::seal::Seal;
use crate::tree::Tree;

pub(crate) const REQUESTS: &str = "requests";

/// Something in the folder that does not count, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The file's name in the folder; what a stranger chose is escaped.
    pub file: String,
    /// Why.
    pub reason: Reason,
}

/// What became of the pending requests.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// One for each registration that was taken into the log.
    pub receipts: Vec<Receipt>,
    /// Receipts among them whose registrations are late: logged, and without effect.
    pub late: Vec<Receipt>,
    /// Requests that were not taken. Their files stay where they are.
    pub refused: Vec<Refused>,
    /// The log's head now. The host keeps the note, so that a folder that somebody set back is found out.
    pub head: Head,
}

/// The test set is out.
#[derive(Debug, Clone)]
pub struct Published {
    /// Requests that were pending, accepted just before.
    pub acceptance: Acceptance,
    /// The log's entry.
    pub entry: u64,
    /// The log's head now.
    pub head: Head,
}

impl Folder {
    /// Opens a competition: writes `competition.json`, the log's first entry and its first signed head. After
    /// an interruption the same call completes what is missing.
    ///
    /// # Errors
    /// [`CompetitionError::Differs`] where another competition is there.
    pub fn open(&self, terms: Terms, host: &OwnerKey) -> Result<Competition, CompetitionError> {
        let competition = Competition::sign(terms, host)?;
        self.place(COMPETITION, competition.to_json())?;
        let entry = Entry::new(competition.id(), 0, Event::Opening).to_json();
        self.place(&entry_name(0), &entry)?;
        let tree: Tree = [entry].into_iter().collect();
        let head = Head::sign(&competition.log_name(), tree.root(), host);
        self.place(&head_name(1), head.note().as_bytes())?;
        Ok(competition)
    }

    /// Takes the pending requests into the log, in the order of their files' names, and signs its new head.
    /// Requests that cannot count are refused, each with its reason, and keep nobody else waiting. After the
    /// publication requests are still logged, visibly late.
    ///
    /// # Errors
    /// [`CompetitionError`]; a folder that was tampered with is not signed.
    pub fn accept(&self, host: &OwnerKey, known: &Known) -> Result<Acceptance, CompetitionError> {
        let mut session = Session::begin(self, host, known)?;
        let refused = session.take_requests()?;
        session.finish(refused)
    }

    /// Accepts the pending requests and publishes the test set: the file at `data`, the salt and the digest.
    ///
    /// # Errors
    /// [`CompetitionError`] where the seal is not that of the competition, or the file not that of the seal.
    pub fn publish(
        &self,
        seal: &Seal,
        data: &Path,
        judge: &dyn Judge,
        host: &OwnerKey,
        known: &Known,
    ) -> Result<Published, CompetitionError> {
        let mut session = Session::begin(self, host, known)?;
        let competition = session.log.competition().clone();
        if seal.sealed() != competition.terms().test_set {
            return Err(CompetitionError::Seal);
        }
        if let Some((entry, _)) = session.ledger.publication().cloned() {
            if entry < session.log.head().size() {
                return Err(CompetitionError::Published(entry));
            }
            // An interrupted run wrote it: what is missing is the head.
            let acceptance = session.finish(Vec::new())?;
            return Ok(Published { entry, head: acceptance.head.clone(), acceptance });
        }
        let format = DataFormat::of(data).ok_or_else(|| CompetitionError::DataFormat(data.to_owned()))?;
        read_test_set(&competition, judge, data, seal.digest())?;
        let bytes = files::read(data, files::MAX_FILE)?;
        let refused = session.take_requests()?;
        self.place(&data_name(format), &bytes)?;
        let entry = session.next_index()?;
        session.push(Event::Publication(Publication::new(seal, format, &bytes)))?;
        let acceptance = session.finish(refused)?;
        Ok(Published { entry, head: acceptance.head.clone(), acceptance })
    }
}

/// Name of the published file.
pub(crate) fn data_name(format: DataFormat) -> String {
    format!("published/{}", format.file_name())
}

/// Has the judge read the file, which must be the sealed test set.
pub(crate) fn read_test_set(
    competition: &Competition,
    judge: &dyn Judge,
    data: &Path,
    expected: TestSetDigest,
) -> Result<Dataset, CompetitionError> {
    let path = || data.to_owned();
    let dataset = judge
        .read_test_set(competition, data)
        .map_err(|reason| CompetitionError::Data { path: path(), reason })?;
    let actual = dataset.digest().into();
    if actual == expected {
        Ok(dataset)
    } else {
        Err(CompetitionError::TestSet { path: path(), expected, actual })
    }
}

/// The published file, if it is the one that the log names.
pub(crate) fn check_data_file(
    folder: &Folder,
    publication: &Publication,
) -> Result<std::path::PathBuf, CompetitionError> {
    let path = folder.checked(&data_name(publication.data))?;
    let bytes = files::read(&path, files::MAX_FILE)?;
    if FileDigest::of(&bytes) == publication.file { Ok(path) } else { Err(CompetitionError::DataFile(path)) }
}

/// A host at work: the log that was signed, and what will be appended to it at once.
struct Session<'a> {
    folder: &'a Folder,
    host: &'a OwnerKey,
    log: Log,
    ledger: Ledger,
    fresh: Vec<Entry>,
    late: Vec<u64>,
}

impl<'a> Session<'a> {
    /// Reads the log, and takes up entries that an interrupted run wrote and did not sign: each must be one
    /// that would be written now.
    fn begin(folder: &'a Folder, host: &'a OwnerKey, known: &Known) -> Result<Self, CompetitionError> {
        let log = folder.log(known)?;
        let competition = log.competition();
        if host.public() != *competition.host() {
            let (host, actual) = (competition.host().fingerprint(), host.public().fingerprint());
            return Err(CompetitionError::NotHost { host, actual });
        }
        let mut ledger = Ledger::default();
        for entry in log.entries() {
            // What does not count is for the leaderboard to show.
            let _ = ledger.apply(folder, competition, entry);
        }
        let unsigned = log.unsigned();
        let mut session = Self { folder, host, log, ledger, fresh: Vec::new(), late: Vec::new() };
        for _ in 0..unsigned {
            let index = session.next_index()?;
            let bytes = folder.read(&entry_name(index), MAX_ENTRY)?;
            let adopt = |session: &mut Self| -> Result<(), Reason> {
                let entry = entry_at(session.log.competition(), index, &bytes)
                    .map_err(|e| Reason::File(e.to_string()))?;
                if let Event::Publication(publication) = entry.event() {
                    check_data_file(folder, publication).map_err(|e| Reason::File(e.to_string()))?;
                }
                session.take(entry)
            };
            adopt(&mut session)
                .map_err(|reason| CompetitionError::UnsignedEntry { index, reason: Box::new(reason) })?;
        }
        Ok(session)
    }

    fn next_index(&self) -> Result<u64, CompetitionError> {
        let index = self.log.entries().len() as u64 + self.fresh.len() as u64;
        if index < MAX_ENTRIES { Ok(index) } else { Err(CompetitionError::Full) }
    }

    /// Takes an entry that counts, or is late, into the fresh ones.
    fn take(&mut self, entry: Entry) -> Result<(), Reason> {
        // What is refused leaves no trace in the ledger.
        self.ledger.check_entry(self.folder, self.log.competition(), &entry)?;
        match self.ledger.apply(self.folder, self.log.competition(), &entry) {
            Ok(()) => {}
            Err(Reason::Late(_)) => self.late.push(entry.index()),
            Err(reason) => return Err(reason),
        }
        self.fresh.push(entry);
        Ok(())
    }

    fn push(&mut self, event: Event) -> Result<(), CompetitionError> {
        let entry = Entry::new(self.log.competition().id(), self.next_index()?, event);
        Ok(self.take(entry)?)
    }

    /// Takes what can be taken of the pending requests.
    fn take_requests(&mut self) -> Result<Vec<Refused>, CompetitionError> {
        let mut refused = Vec::new();
        for name in self.folder.list(REQUESTS)? {
            match read_request(self.folder, &name) {
                Ok(registration) if self.ledger.took(&registration) => {}
                Ok(registration) => match self.push(Event::Registration(Box::new(registration))) {
                    Ok(()) => {}
                    Err(CompetitionError::Refused(reason)) => {
                        refused.push(Refused { file: shown_name(REQUESTS, &name), reason });
                    }
                    Err(e) => return Err(e),
                },
                Err(reason) => refused.push(Refused { file: shown_name(REQUESTS, &name), reason }),
            }
        }
        Ok(refused)
    }

    /// Writes and signs.
    fn finish(mut self, refused: Vec<Refused>) -> Result<Acceptance, CompetitionError> {
        let fresh = self.fresh.clone();
        self.log.append(self.folder, self.fresh, self.host)?;
        let receipt = |e: &Entry| Receipt::new(e, self.log.tree(), self.log.head());
        let (mut receipts, mut late) = (Vec::new(), Vec::new());
        for entry in fresh.iter().filter(|e| matches!(e.event(), Event::Registration(_))) {
            let list = if self.late.contains(&entry.index()) { &mut late } else { &mut receipts };
            list.extend(receipt(entry));
        }
        Ok(Acceptance { receipts, late, refused, head: self.log.head().clone() })
    }
}

/// Name of a request's file: its digest, so that nobody can take the name of another's.
pub(crate) fn request_name(request: &[u8]) -> String {
    format!("{REQUESTS}/{}.json", FileDigest::of(request))
}

fn read_request(folder: &Folder, name: &str) -> Result<Registration, Reason> {
    let digest: FileDigest = name.strip_suffix(".json").unwrap_or("").parse().map_err(|_| Reason::Name)?;
    let file = format!("{REQUESTS}/{name}");
    let bytes = folder.read(&file, MAX_ENTRY).map_err(|e| Reason::File(e.to_string()))?;
    if FileDigest::of(&bytes) != digest {
        return Err(Reason::Content);
    }
    Ok(Registration::from_json(&bytes)?)
}
