//! What quantisation did and what it cost.

/// Rows whose predicted class is the labelled one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accuracy {
    /// Rows predicted right.
    pub correct: usize,
    /// Rows in all.
    pub total: usize,
}

impl Accuracy {
    /// Share of right rows, in `0.0..=1.0`; 0 of no rows.
    #[must_use]
    pub fn rate(&self) -> f64 {
        if self.total == 0 { 0.0 } else { self.correct as f64 / self.total as f64 }
    }
}

/// One step of the model that rounds: a requantisation or a function's table.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerReport {
    /// Name of the ONNX node that it comes from.
    pub name: String,
    /// `dense`, `convolution`, `affine`, `sum`, `product`, `mean`, `function`, `table` or `clamp`.
    pub kind: &'static str,
    /// Shape of the result per sample.
    pub shape: Vec<usize>,
    /// A real weight is the integer times `2^-weight_exponent`; `None` without weights.
    pub weight_exponent: Option<i32>,
    /// A real accumulator value is the integer times `2^-accumulator_exponent`.
    pub accumulator_exponent: i32,
    /// A real activation is the integer times `2^-exponent`.
    pub exponent: i32,
    /// Bits dropped between accumulator and activation.
    pub shift: u8,
    /// Smallest real value on the calibration records, before quantisation.
    pub observed_min: f64,
    /// Largest real value on the calibration records, before quantisation.
    pub observed_max: f64,
    /// Smallest real value that an activation can hold.
    pub representable_min: f64,
    /// Largest real value that an activation can hold.
    pub representable_max: f64,
    /// Values on the calibration records that were cut off for lack of width (not by a ReLU or clip).
    pub saturated: u64,
    /// Weights cut off at the largest magnitude.
    pub clipped_weights: usize,
    /// Largest absolute difference between the integers and the float model's values on the tuning records (those that
    /// roundings are chosen on), errors of earlier layers included.
    pub max_error: f64,
    /// Root mean square of that difference.
    pub rms_error: f64,
    /// Biases that did not fit their width and were cut off. Below zero before a ReLU that changes nothing: the bias still
    /// outweighs everything that the weights can add.
    pub clipped_biases: usize,
}

/// One width of weights that was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Signed width of the weights in bits.
    pub weight_bits: u8,
    /// Where it strays too far from the float model, in words; `None` where it does not.
    pub shortfall: Option<String>,
}

/// Share of rows on which a classifier is to predict the float model's class.
const AGREEMENT: f64 = 0.995;
/// Share of rows that a classifier may be expected to decide otherwise: a fifth of what [`AGREEMENT`] leaves, since records
/// to come vary.
const EXPECTED_DISAGREEMENT: f64 = 0.001;
/// Largest error of a regressor or of a probability, as a share of the range of the outputs.
const RELATIVE_ERROR: f64 = 0.01;
/// How much of it the records at hand may use up where a width is chosen, since records to come vary ...
const CHOSEN_ERROR: f64 = 0.6;
/// ... and probabilities most, of which few lie away from 0 and 1, where errors show.
const CHOSEN_ERROR_OF_PROBABILITIES: f64 = 0.3;

/// Float and quantised model side by side on the calibration records.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantiseReport {
    /// Number of records.
    pub rows: usize,
    /// Features with values outside their declared range, which were clipped to it, and how many of each, most first.
    pub clipped_features: Vec<(String, usize)>,
    /// Rows of which the float model predicts another class because of that.
    pub clipped_classes: usize,
    /// Signed width of the weights in bits.
    pub weight_bits: u8,
    /// The widths that were tried, narrowest first; more than one where none was asked for and the first strayed too far
    /// from the float model.
    pub tried: Vec<Attempt>,
    /// Accuracy of the float model, run by tract, on the records before values were clipped; `None` without labels.
    pub float_accuracy: Option<Accuracy>,
    /// Accuracy of the quantised model; `None` without labels.
    pub quantised_accuracy: Option<Accuracy>,
    /// Rows where both predict the same class; `None` where the schema names no classes.
    pub agreement: Option<Accuracy>,
    /// Share of rows like these on which the two would differ if the errors of the outputs fell on each row at random, by how
    /// close the float model's decisions are; steadier than counting on few rows. `None` where the schema names no classes.
    pub expected_disagreement: Option<f64>,
    /// Largest absolute difference of an output between float and quantised model.
    pub max_error: f64,
    /// Root mean square of that difference.
    pub rms_error: f64,
    /// Largest absolute output of the float model, to judge the errors by.
    pub largest_output: f64,
    /// Largest less smallest output of the float model.
    pub output_range: f64,
    /// Largest absolute difference between tract's outputs and this crate's own reading of the float model.
    pub reference_difference: f64,
    /// Whether neurons were rescaled before rounding.
    pub equalised: bool,
    /// Whether the outputs are probabilities, kept in the model.
    pub probabilities: bool,
    /// Whether the float model has probabilities that were left out and do not follow from the outputs, each from its own.
    pub probabilities_lost: bool,
    /// Name of the ONNX tensor that became the output (the logits).
    pub output: String,
    /// Names of the ONNX nodes after the logits that were left out.
    pub dropped: Vec<String>,
    /// Every requantised step, in order.
    pub layers: Vec<LayerReport>,
}

impl QuantiseReport {
    /// Values outside their declared range, clipped to it.
    #[must_use]
    pub fn clipped_cells(&self) -> usize {
        self.clipped_features.iter().map(|(_, cells)| cells).sum()
    }

    /// Share of rows with another class; 0 without classes.
    fn disagreement(&self) -> f64 {
        self.agreement.map_or(0.0, |a| 1.0 - a.rate())
    }

    /// The largest error as a share of the outputs' range, where outputs are read as numbers; 0 where they are logits.
    fn relative_error(&self) -> f64 {
        let numbers = self.agreement.is_none() || self.probabilities;
        if numbers && self.max_error > 0.0 { self.max_error / self.output_range } else { 0.0 }
    }

    /// How far the model strays, in multiples of what is tolerated.
    pub(crate) fn deviation(&self) -> f64 {
        let expected = self.expected_disagreement.unwrap_or_default();
        (self.disagreement() / (1.0 - AGREEMENT))
            .max(expected / EXPECTED_DISAGREEMENT)
            .max(self.relative_error() / RELATIVE_ERROR)
    }

    /// Whether the model predicts what the float model does, on 99.5 % of the rows (of these, and by expectation of others),
    /// numbers and probabilities within 1 % of the outputs' range.
    #[must_use]
    pub fn is_faithful(&self) -> bool {
        self.deviation() <= 1.0 + 1e-9
    }

    /// Where it is not faithful by enough for no wider weights to be tried, in words.
    pub(crate) fn shortfall(&self) -> Option<String> {
        let share = if self.probabilities { CHOSEN_ERROR_OF_PROBABILITIES } else { CHOSEN_ERROR };
        let chosen = share * RELATIVE_ERROR;
        if let Some(a) = self.agreement.filter(|_| self.disagreement() > 1.0 - AGREEMENT + 1e-9) {
            return Some(format!(
                "{} of {} calibration records get another class",
                a.total - a.correct,
                a.total
            ));
        }
        if let Some(expected) = self.expected_disagreement.filter(|d| *d > EXPECTED_DISAGREEMENT) {
            let percent = 100.0 * expected;
            return Some(format!(
                "{percent:.2} % of records like these may be expected to get another class"
            ));
        }
        (self.relative_error() > chosen).then(|| {
            let percent = 100.0 * self.relative_error();
            format!("an output errs by {percent:.2} % of the range of the outputs")
        })
    }

    /// What was chosen, and why, in sentences.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        match &self.tried[..] {
            [.., Attempt { weight_bits, shortfall: Some(shortfall) }, Attempt { shortfall: None, .. }] => {
                vec![format!("weights have {} bits: with {weight_bits}, {shortfall}", self.weight_bits)]
            }
            _ => Vec::new(),
        }
    }

    /// What deserves a look before anybody commits to the model, in sentences.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut out = Vec::new();
        if let Some((name, cells)) = self.clipped_features.first() {
            let changed = match self.clipped_classes {
                0 => String::new(),
                n => format!(
                    "; the float model predicts another class on {n} of {} records because of it",
                    self.rows
                ),
            };
            out.push(format!(
                "{} values of the calibration records lie outside the declared ranges and were clipped to them, most of feature \
                 `{name}` ({cells}){changed}",
                self.clipped_cells(),
            ));
        }
        if let [.., Attempt { weight_bits, shortfall: Some(_) }] = self.tried[..]
            && self.tried.len() > 1
        {
            out.push(format!(
                "weights have {} bits, and no width up to {weight_bits} brings the model close enough to the float model; wider \
                 activations may",
                self.weight_bits
            ));
        }
        if let Some(a) = self.agreement
            && self.disagreement() > 1.0 - AGREEMENT + 1e-9
        {
            out.push(format!(
                "the quantised model predicts another class than the float model on {} of {} calibration records",
                a.total - a.correct,
                a.total
            ));
        } else if let Some(expected) = self.expected_disagreement.filter(|d| *d > EXPECTED_DISAGREEMENT) {
            out.push(format!(
                "the float model's decisions are close: by the size of the errors, another class is to be expected on {:.2} % of \
                 records like these",
                100.0 * expected
            ));
        }
        if self.relative_error() > RELATIVE_ERROR {
            out.push(format!(
                "an output of the quantised model errs by {:.2} % of the range of the outputs",
                100.0 * self.relative_error()
            ));
        }
        for layer in &self.layers {
            if layer.clipped_biases > 0 {
                out.push(format!(
                    "layer `{}`: {} biases do not fit their width and were cut off; see whether the error is acceptable",
                    layer.name, layer.clipped_biases
                ));
            }
            if layer.saturated > 0 {
                out.push(format!(
                    "layer `{}`: {} values on the calibration records were cut off for lack of width",
                    layer.name, layer.saturated
                ));
            }
        }
        out
    }
}
