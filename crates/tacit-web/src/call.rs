//! The verifier as one function of bytes to bytes: what crosses the border to JavaScript.
//!
//! A call is the length of a JSON text (four bytes, little-endian), the text, and the bytes of the files that it lists,
//! one after another. The answer is JSON.

use serde::{Deserialize, Serialize};
use tacit_core::Progress;

use crate::verifier::{Expected, File, Inspection, Report, inspect, verify};

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// What to do with the files.
    pub task: Task,
    /// The files behind the text.
    pub files: Vec<Listed>,
    /// What the verifier insists on.
    #[serde(default)]
    pub expected: Expected,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Say what the files are.
    Inspect,
    /// Say whether the proof among them holds.
    Verify,
}

/// A file of a call.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// What its owner calls it.
    pub name: String,
    /// How long it is.
    pub bytes: usize,
}

/// What is answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// What the files are.
    Inspection(Inspection),
    /// Whether the proof holds.
    Report(Report),
    /// The call is none.
    Malformed(&'static str),
}

/// Answers a call; `progress` hears what is at work.
#[must_use]
pub fn answer(call: &[u8], progress: &dyn Progress) -> Answer {
    let Some((call, files)) = parse(call) else {
        return Answer::Malformed(
            "the page and the verifier do not understand one another: they are of different versions",
        );
    };
    match call.task {
        Task::Inspect => Answer::Inspection(inspect(&files)),
        Task::Verify => Answer::Report(verify(&files, &call.expected, progress)),
    }
}

/// The answer as it crosses the border.
#[must_use]
pub fn answer_bytes(call: &[u8], progress: &dyn Progress) -> Vec<u8> {
    serde_json::to_vec(&answer(call, progress)).expect("an answer holds no map with keys that are no strings")
}

/// The call's bytes: what [`answer`] reads.
#[must_use]
pub fn encode(task: Task, files: &[File<'_>], expected: Expected) -> Vec<u8> {
    let listed = files.iter().map(|f| Listed { name: f.name.clone(), bytes: f.bytes.len() }).collect();
    let text = serde_json::to_vec(&Call { task, files: listed, expected }).expect("a call is plain");
    let length = u32::try_from(text.len()).expect("a call's text is short");
    let mut bytes = [&length.to_le_bytes(), text.as_slice()].concat();
    files.iter().for_each(|file| bytes.extend_from_slice(file.bytes));
    bytes
}

fn parse(bytes: &[u8]) -> Option<(Call, Vec<File<'_>>)> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (text, mut rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let mut call: Call = serde_json::from_slice(text).ok()?;
    let mut files = Vec::new();
    for Listed { name, bytes } in std::mem::take(&mut call.files) {
        let (file, behind) = rest.split_at_checked(bytes)?;
        files.push(File { name, bytes: file });
        rest = behind;
    }
    rest.is_empty().then_some((call, files))
}
