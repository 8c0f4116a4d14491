//! What went wrong and what to do next, with the exit code that it means.

mod exchange;

use tacit_competition::{CompetitionError, Reason};
use tacit_core::srs::StoreError;
use tacit_core::{CoreError, Outcome};
use tacit_data::{CellProblem, DataError, Problem};
use tacit_onnx::{AxisError, OnnxError};

/// The claim does not hold.
pub(crate) const DOES_NOT_HOLD: u8 = 1;
/// Unusable arguments, card, model or data.
pub(crate) const UNUSABLE: u8 = 2;
/// Refused by policy.
pub(crate) const POLICY: u8 = 3;

/// Why a command did not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What failed.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) advice: Option<String>,
    /// The exit code.
    pub(crate) code: u8,
    /// Whether it is a verdict whatever the command: on a card whose certificate does not hold, on a model that misses
    /// what was to be proved of it.
    pub(crate) verdict: bool,
}

impl Failure {
    /// Something unusable: exit code 2.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), advice: None, code: UNUSABLE, verdict: false }
    }

    /// The same with advice.
    pub(crate) fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// The same with more to say.
    pub(crate) fn also(self, more: impl Into<String>) -> Self {
        let more = more.into();
        let advice = match self.advice {
            Some(advice) => format!("{advice}; {more}"),
            None => more,
        };
        Self { advice: Some(advice), ..self }
    }

    /// The same with another exit code.
    pub(crate) fn code(self, code: u8) -> Self {
        Self { code, ..self }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

const fn code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::DoesNotHold => DOES_NOT_HOLD,
        Outcome::Unusable => UNUSABLE,
        Outcome::Policy => POLICY,
    }
}

impl From<CoreError> for Failure {
    fn from(e: CoreError) -> Self {
        let code = code(e.outcome());
        let advice = e.advice().or_else(|| match &e {
            CoreError::Io { source, .. } => io_advice(source),
            _ => None,
        });
        let verdict =
            matches!(e, CoreError::Certificate(..) | CoreError::Missed(_) | CoreError::BoundMissed(_));
        Self { message: e.to_string(), advice, code, verdict }
    }
}

impl From<CompetitionError> for Failure {
    fn from(e: CompetitionError) -> Self {
        if let CompetitionError::File(e) = e {
            return e.into();
        }
        let code = code(e.outcome());
        let advice = match &e {
            CompetitionError::Refused(reason) => Some(refused_advice(reason).to_owned()),
            _ => e.advice(),
        };
        Self { message: e.to_string(), advice, code, verdict: code == DOES_NOT_HOLD }
    }
}

/// What to do about a registration or a submission that does not count.
fn refused_advice(reason: &Reason) -> &'static str {
    match reason {
        Reason::NotOwner { .. } => "sign with the key that signed the card",
        Reason::SameOwner(_) | Reason::SameCard(_) => {
            "compete with the card that is registered: each owner has one"
        }
        Reason::Schema => "quantise and commit to a model with the competition's schema",
        Reason::OtherPoints => "use card.points as it was written beside the card",
        Reason::NotRegistered(_) => {
            "register the card with `tacit competition register`, before the test set is published"
        }
        Reason::OtherContext { .. } => {
            "prove it again with --context as `tacit competition context` prints it"
        }
        Reason::Judged(_) => {
            "prove it again: the competition's metric and nothing else, on the published test set"
        }
        _ => "look at the file that it names",
    }
}

/// How an array gets the axes of the model's input.
fn axes_advice(found: &[usize], expected: &[usize]) -> String {
    let mut used = vec![0];
    for wanted in expected {
        match (1..found.len()).find(|i| found[*i] == *wanted && !used.contains(i)) {
            Some(axis) => used.push(axis),
            None => {
                return "records have to be as large as the model takes them; what the file of the model leaves open is \
                    as --shape says"
                    .to_owned();
            }
        }
    }
    let order = used.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    format!(
        "put the axes in the model's order, as numpy.transpose(X, ({order})) does, and save the array again"
    )
}

/// What a schema file looks like.
const SCHEMA_ADVICE: &str = "a schema is {\"format\": \"tacit.schema/1\", \"features\": [{\"name\": \"age\", \"decimals\": 0, \
    \"min\": \"0\", \"max\": \"120\"}, …], \"classes\": [{\"name\": \"benign\"}, …]}, bounds in quotes; `tacit quantize` without \
    --schema writes one to start from";

impl From<DataError> for Failure {
    fn from(e: DataError) -> Self {
        let advice = match e.problem.as_ref() {
            Problem::Io(source) => io_advice(source),
            Problem::RowNotChosen { .. } | Problem::NoSuchRow { .. } => {
                Some("choose the record with --row N, counted from 0".to_owned())
            }
            Problem::Cell { problem: CellProblem::Missing, .. } => {
                Some("fill it in or leave the record out".to_owned())
            }
            Problem::Cell { problem: CellProblem::NotANumber, range: Some(_), .. } => {
                Some("write a number there".to_owned())
            }
            Problem::Cell { problem: CellProblem::TooLarge, range: None, .. } => {
                Some("write the column in a larger unit, or leave the record out".to_owned())
            }
            Problem::Cell { range: None, labelled: true, .. } => Some(
                "write numbers there, leave the column out, or pass --schema to say which columns count".to_owned(),
            ),
            Problem::Cell { range: Some(_), .. } => {
                Some("correct the record, or use a model whose schema declares a wider range".to_owned())
            }
            Problem::Cell { range: None, .. } => {
                Some("name the label column with --labels, or pass --schema to say which columns count".to_owned())
            }
            Problem::MissingColumns { .. } => Some(
                "add the columns; names must be those of the schema, which `tacit inspect` lists for a card or a model"
                    .to_owned(),
            ),
            Problem::NotThere { .. } => Some("check the names given with --labels, --by and `by`: columns are matched to the letter".to_owned()),
            Problem::NotAClass { .. } => Some(
                "a label is the name of a class or a whole number, or any number for a model with one output, and every record \
                 has one: mend it, or leave the record out"
                    .to_owned(),
            ),
            Problem::NotATarget { .. } => Some("mend the label, or leave the record out".to_owned()),
            Problem::Axes { found, expected } => Some(axes_advice(found, expected)),
            Problem::Empty => Some("check that the file was written and copied whole".to_owned()),
            Problem::Foreign(_) => {
                Some("pandas.DataFrame.to_csv(\"records.csv\", index=False) writes CSV that is read".to_owned())
            }
            Problem::Malformed { format: "schema", .. } => Some(SCHEMA_ADVICE.to_owned()),
            Problem::Label { .. } => {
                Some("pass the schema whose classes are those of the labels with --schema".to_owned())
            }
            _ => Some(
                "data files are CSV with a header row and commas, .npy, .npz (arrays X and y) or JSON; check the file"
                    .to_owned(),
            ),
        };
        Self { advice, ..Self::new(e.to_string()) }
    }
}

impl From<OnnxError> for Failure {
    fn from(e: OnnxError) -> Self {
        let advice = match &e {
            OnnxError::UnsupportedOperator { .. } => {
                Some("export the model without; docs/operators.md lists the operators that are supported".to_owned())
            }
            OnnxError::Opset { most, .. } => Some(format!(
                "export it again with opset_version={}, or convert it with onnx.version_converter",
                17.min(*most)
            )),
            OnnxError::Undefined { later: true, .. } => {
                Some("sort the graph's nodes, as exporters do, and see that none depends on itself".to_owned())
            }
            OnnxError::Undefined { .. } => {
                Some("the file lacks a part, perhaps a weight: export the model again".to_owned())
            }
            OnnxError::NoProbabilities(_) => Some("leave out --probabilities".to_owned()),
            OnnxError::UnknownOutput { .. } => Some("name one of them with --onnx-output".to_owned()),
            OnnxError::FeatureCount { .. } => Some(
                "name the label column with --labels, leave out columns that the model does not take, or pass --schema"
                    .to_owned(),
            ),
            OnnxError::ClassCount { .. } => {
                Some("pass a schema with the model's classes in the model's order with --schema".to_owned())
            }
            OnnxError::OpenAxes { axes, .. } => Some(format!(
                "give {} a length: {}",
                if axes.len() == 1 { "it" } else { "them" },
                axes.iter().map(|a| shape_option(a)).collect::<Vec<_>>().join(" ")
            )),
            OnnxError::Axis(AxisError::Fixed { .. } | AxisError::Samples { .. }) => {
                Some("leave out this --shape".to_owned())
            }
            OnnxError::Axis(_) => Some(
                "pass --shape NAME=VALUE once for each open axis, by its name in the file or as INPUT.AXIS".to_owned(),
            ),
            OnnxError::SeveralOutputs { .. } => {
                Some("name the one to quantise with --onnx-output NAME".to_owned())
            }
            OnnxError::Options { option: "weight_bits", .. } => Some("choose another --w-bits".to_owned()),
            OnnxError::Options { option: "activation_bits", .. } => {
                Some("choose another --a-bits".to_owned())
            }
            OnnxError::Malformed(_) => Some("check that the file is an ONNX model and was copied whole".to_owned()),
            _ => None,
        };
        Self { advice, ..Self::new(e.to_string()) }
    }
}

impl From<StoreError> for Failure {
    fn from(e: StoreError) -> Self {
        let advice = match &e {
            StoreError::Io { source, .. } => io_advice(source),
            StoreError::File { .. } => Some("delete the file and import the setup again".to_owned()),
            StoreError::Ptau { .. } => Some(
                "use a .ptau file for BN254 as the Perpetual Powers of Tau ceremony publishes them, copied whole"
                    .to_owned(),
            ),
            StoreError::K { .. } => Some("`tacit prove` and `tacit verify` say which k a model needs".to_owned()),
            _ => None,
        };
        Self { advice, ..Self::new(e.to_string()) }
    }
}

impl From<clap::Error> for Failure {
    fn from(e: clap::Error) -> Self {
        let text = e.to_string();
        let message = text.strip_prefix("error: ").unwrap_or(&text);
        let message = message.split("\n\n").next().unwrap_or_default().split_whitespace();
        Self::new(message.collect::<Vec<_>>().join(" ")).advise("see --help of the command")
    }
}

/// `--shape NAME=VALUE`, quoted for a shell where the name needs it.
fn shape_option(axis: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    match axis.chars().all(plain) {
        true => format!("--shape {axis}=VALUE"),
        false => format!("--shape '{}=VALUE'", axis.replace('\'', r"'\''")),
    }
}

fn io_advice(e: &std::io::Error) -> Option<String> {
    use std::io::ErrorKind as E;
    Some(
        match e.kind() {
            E::NotFound => "check the path",
            E::PermissionDenied => "check who may read or write there",
            E::StorageFull | E::QuotaExceeded => "free some space",
            E::FileTooLarge => {
                "write to a place without a limit on the size of files (`ulimit -f` shows one)"
            }
            _ => "check that it is a regular file that can be used for this",
        }
        .to_owned(),
    )
}
