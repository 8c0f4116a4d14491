//! The files that somebody dropped, told apart by what they hold.

use tacit_claim::{
    Bundle, BundleError, Card, CardPoints, Disclosure, DisclosureError, FileKind, InputOpening,
    OutputOpening, sniff,
};
use tacit_model::Model;

use super::report::{Stop, Verdict};

/// A file as somebody dropped it.
#[derive(Debug, Clone)]
pub struct File<'a> {
    /// What they call it.
    pub name: String,
    /// What it holds.
    pub bytes: &'a [u8],
}

/// A proof file that was read.
#[derive(Debug)]
pub(super) struct Proof<'a> {
    pub(super) name: &'a str,
    pub(super) bytes: usize,
    pub(super) bundle: Bundle,
}

/// One of each that a verifier has a use for.
#[derive(Debug, Default)]
pub(super) struct Given<'a> {
    pub(super) proof: Option<Proof<'a>>,
    pub(super) card: Option<Card>,
    pub(super) points: Option<CardPoints>,
    pub(super) model: Option<Model>,
    pub(super) answer: Option<OutputOpening>,
    pub(super) record: Option<InputOpening>,
    pub(super) data: Option<&'a File<'a>>,
    /// Names and kinds of the files that are of no use here.
    pub(super) ignored: Vec<String>,
}

impl<'a> Given<'a> {
    /// Reads every file.
    pub(super) fn of(files: &'a [File<'a>]) -> Result<Self, Stop> {
        let mut given = Self::default();
        for file in files {
            given.add(file)?;
        }
        Ok(given)
    }

    /// The proof, which there must be.
    pub(super) fn proof(&self) -> Result<&Proof<'a>, Stop> {
        self.proof.as_ref().ok_or_else(|| {
            let reason = match self.data {
                Some(file) => format!("there is no proof: `{}` is none, nor any other file", file.name),
                None => "there is no proof among these files".to_owned(),
            };
            Stop::unusable(reason).advise("drop a .proof file; what else it needs is said then")
        })
    }

    /// The card, which there must be.
    pub(super) fn card(&self) -> Result<&Card, Stop> {
        self.card.as_ref().ok_or_else(|| {
            Stop::unusable("the card that the proof is about is not among these files")
                .advise("drop card.json too, as its owner published it")
        })
    }

    /// Reads a file into its place. A new kind of file gets its place here and in [`use_of`].
    fn add(&mut self, file: &'a File<'a>) -> Result<(), Stop> {
        let File { name, bytes } = file;
        let kind = sniff(bytes);
        match kind {
            FileKind::Proof => put(&mut self.proof, proof(file)?, file),
            FileKind::Disclosure => {
                let Disclosure { bundle, card, points } = disclosure(file)?;
                put(&mut self.proof, Proof { name, bytes: bytes.len(), bundle }, file)?;
                points.map_or(Ok(()), |points| put_same(&mut self.points, points, file))?;
                put_same(&mut self.card, card, file)
            }
            FileKind::Card => put_same(&mut self.card, read(file, Card::from_json(bytes))?, file),
            FileKind::CardPoints => {
                put_same(&mut self.points, read(file, CardPoints::from_bytes(bytes))?, file)
            }
            FileKind::Model => put(&mut self.model, read(file, Model::from_bytes(bytes))?, file),
            FileKind::OutputOpening => {
                put(&mut self.answer, read(file, OutputOpening::from_bytes(bytes))?, file)
            }
            FileKind::InputOpening => {
                put(&mut self.record, read(file, InputOpening::from_bytes(bytes))?, file)
            }
            FileKind::Unknown if Bundle::resembles(bytes) => put(&mut self.proof, proof(file)?, file),
            FileKind::Unknown => put(&mut self.data, file, file),
            FileKind::Chunk => {
                Err(Stop::unusable(format!("{name}: this is a part of a proof, not a whole one"))
                    .advise("ask the prover for the merged proof (`tacit merge`)"))
            }
            other => {
                self.ignored.push(format!("{name} ({other})"));
                Ok(())
            }
        }
    }
}

/// What a file of this kind is for, as the page says it: `None` where it is of no use.
pub(super) const fn use_of(kind: FileKind) -> Option<&'static str> {
    Some(match kind {
        FileKind::Proof => "the proof",
        FileKind::Disclosure => "the proof with its card",
        FileKind::Card => "the card",
        FileKind::CardPoints => "the points of the card",
        FileKind::Model => "the model, whose weights are compared with the card's",
        FileKind::OutputOpening => "the hidden answer, which is compared with the proof's",
        FileKind::InputOpening => "the record, whose commitment is compared with the proof's",
        FileKind::Unknown => "the test set, if the claim is about one",
        _ => return None,
    })
}

fn put<T>(place: &mut Option<T>, value: T, file: &File<'_>) -> Result<(), Stop> {
    if place.replace(value).is_none() {
        return Ok(());
    }
    let what = use_of(sniff(file.bytes)).unwrap_or("a file");
    Err(Stop::unusable(format!("{}: there are two files for {what}", file.name))
        .advise("start again, and drop the files of one proof at a time"))
}

/// The same for what may come twice, in a disclosure and beside it, if it is the same.
fn put_same<T: PartialEq>(place: &mut Option<T>, value: T, file: &File<'_>) -> Result<(), Stop> {
    if place.as_ref() == Some(&value) { Ok(()) } else { put(place, value, file) }
}

fn read<T>(file: &File<'_>, found: Result<T, impl std::fmt::Display>) -> Result<T, Stop> {
    found.map_err(|e| {
        Stop::unusable(format!("{}: {e}", file.name)).advise("get the file from its owner again")
    })
}

/// A proof.
fn proof<'a>(file: &'a File<'a>) -> Result<Proof<'a>, Stop> {
    let bundle = Bundle::from_bytes(file.bytes).map_err(|e| unproved(file, &e, &e))?;
    Ok(Proof { name: &file.name, bytes: file.bytes.len(), bundle })
}

/// A proof with its card.
fn disclosure(file: &File<'_>) -> Result<Disclosure, Stop> {
    Disclosure::from_bytes(file.bytes).map_err(|e| match &e {
        DisclosureError::Bundle(bundle) => unproved(file, &e, bundle),
        DisclosureError::Length => unproved(file, &e, &BundleError::Truncated),
        _ => Stop::unusable(format!("{}: {e}", file.name)).advise("ask whoever made the file for it again"),
    })
}

/// Why a file is no proof. One that was altered until it is none does not hold; one of a version to come is unusable.
fn unproved(file: &File<'_>, shown: &dyn std::fmt::Display, error: &BundleError) -> Stop {
    let reason = format!("{}: {shown}", file.name);
    match error.newer_than() {
        Some(read) => Stop::unusable(reason)
            .advise(format!("use a newer verifier, or ask for a proof of version {read}")),
        None => Stop::new(Verdict::DoesNotHold, reason).advise("ask the prover for the proof again"),
    }
}
