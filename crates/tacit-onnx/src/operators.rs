//! The operators that can be translated, and the limits of each: what errors name and what the documentation lists.

/// An operator that can be translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    /// Name; outside the standard set with its domain in front.
    pub name: &'static str,
    /// Where it is supported less than the standard allows; empty where nothing is left out.
    pub limits: &'static str,
}

const fn all(name: &'static str) -> Operator {
    Operator { name, limits: "" }
}

const fn but(name: &'static str, limits: &'static str) -> Operator {
    Operator { name, limits }
}

const TABLE: &str = "a public table, over the range that calibration reaches or out to where the function hardly changes (sigmoid ±8, tanh ±4); beyond its ends, the value there";
const TAIL: &str = "only at the end of a model, where it is left out";
const COMPARISON: &str = "its truth values can be cast, negated, and choose between constants";
const CONSTANT: &str = "only on constants and shapes";
const IMAGE: &str = "one or two axes of positions";
const FRONT: &str = "only on features of the record";
const QUANTISED: &str = "read as the reals that it stands for, without the rounding of activations: this project chooses its own, finer scales. The scale is one constant, or one for each weight channel";

/// Every operator that can be translated, by name.
pub const OPERATORS: &[Operator] = &[
    all("Abs"),
    all("Add"),
    but("ArgMax", TAIL),
    but("AveragePool", IMAGE),
    all("BatchNormalization"),
    but("Cast", "between real types, of integers to reals, of constants; no rounding of computed values"),
    but("Celu", TABLE),
    but("Clip", "constant bounds"),
    but("Concat", "any axis but that of the samples; at most 64 parts"),
    all("Constant"),
    but("ConstantOfShape", CONSTANT),
    but("Conv", "one or two axes of positions; a constant kernel"),
    but("ConvInteger", QUANTISED),
    but("ConvTranspose", "one or two axes of positions; a constant kernel; explicit `pads`"),
    all("DepthToSpace"),
    but("DequantizeLinear", QUANTISED),
    but("Div", "by constants, and by values that are not below zero on any calibration record"),
    all("Dropout"),
    but("DynamicQuantizeLinear", QUANTISED),
    but("Elu", TABLE),
    but("Erf", TABLE),
    but("Exp", TABLE),
    but("Expand", "a constant shape, or one computed from shapes"),
    all("Flatten"),
    but("Gather", "constant places"),
    but("Gelu", TABLE),
    but("Gemm", "a constant weight, no `transA`"),
    but("GlobalAveragePool", IMAGE),
    but("GlobalMaxPool", IMAGE),
    but("Greater", COMPARISON),
    but("GreaterOrEqual", COMPARISON),
    but("HardSigmoid", TABLE),
    but("HardSwish", TABLE),
    all("Identity"),
    all("InstanceNormalization"),
    but("LayerNormalization", "the first output"),
    but("LeakyRelu", TABLE),
    but("Less", COMPARISON),
    but("LessOrEqual", COMPARISON),
    but("Log", TABLE),
    but("LogSoftmax", TAIL),
    but("MatMul", "a constant weight on the right"),
    but("MatMulInteger", QUANTISED),
    but("Max", "of a value and one number"),
    but("MaxPool", "one or two axes of positions; the maxima alone, not their places"),
    but("Min", "of a value and one number"),
    but("Mish", TABLE),
    all("Mul"),
    all("Neg"),
    all("Not"),
    all("PRelu"),
    but("Pad", "zeros, constant widths that are not negative"),
    but("Pow", "the exponents -1, 0.5, 1, 2 and 3"),
    but("QLinearConv", QUANTISED),
    but("QLinearMatMul", QUANTISED),
    but("QuantizeLinear", QUANTISED),
    but("Reciprocal", TABLE),
    but("ReduceL1", "any axes but that of the samples"),
    but("ReduceL2", "any axes but that of the samples"),
    but("ReduceMax", "any axes but that of the samples"),
    but("ReduceMean", "any axes but that of the samples"),
    but("ReduceSum", "any axes but that of the samples"),
    but("ReduceSumSquare", "any axes but that of the samples"),
    all("Relu"),
    but("Reshape", "a constant shape, or one computed from shapes; samples stay apart"),
    but("Resize", "the mode `nearest`, whole factors"),
    but("Selu", TABLE),
    but("Shape", CONSTANT),
    but("Sigmoid", "a public table; left out at the end of a model unless `--probabilities` keeps it"),
    all("Sign"),
    but("Slice", "constant places"),
    but(
        "Softmax",
        "left out at the end of a model unless `--probabilities` keeps it; elsewhere over the last axis",
    ),
    but("Softplus", TABLE),
    but("Softsign", TABLE),
    all("SpaceToDepth"),
    but("Split", "constant sizes"),
    all("Sqrt"),
    all("Squeeze"),
    all("Sub"),
    all("Sum"),
    but("Tanh", TABLE),
    but("Transpose", "samples stay first"),
    all("Unsqueeze"),
    but("Upsample", "the mode `nearest`, whole factors"),
    but("Where", "a choice between two constants by a comparison"),
    but("ai.onnx.ml.ArrayFeatureExtractor", "constant places"),
    but("ai.onnx.ml.Binarizer", FRONT),
    but("ai.onnx.ml.FeatureVectorizer", FRONT),
    but("ai.onnx.ml.Imputer", FRONT),
    but(
        "ai.onnx.ml.LabelEncoder",
        "numbers to numbers, on features of the record; at the end of a model it is left out",
    ),
    all("ai.onnx.ml.LinearClassifier"),
    all("ai.onnx.ml.LinearRegressor"),
    but("ai.onnx.ml.Normalizer", "left out after a final softmax or sigmoid"),
    but("ai.onnx.ml.OneHotEncoder", "only on features of the record without decimals"),
    all("ai.onnx.ml.Scaler"),
    but("ai.onnx.ml.ZipMap", TAIL),
    but("com.microsoft.QGemm", QUANTISED),
    but("com.microsoft.QLinearAdd", QUANTISED),
    but("com.microsoft.QLinearAveragePool", QUANTISED),
    but("com.microsoft.QLinearConcat", QUANTISED),
    but("com.microsoft.QLinearGlobalAveragePool", QUANTISED),
    but("com.microsoft.QLinearLeakyRelu", QUANTISED),
    but("com.microsoft.QLinearMul", QUANTISED),
    but("com.microsoft.QLinearSigmoid", QUANTISED),
    but("com.microsoft.QLinearSoftmax", QUANTISED),
];

/// Whether an operator can be translated.
pub(crate) fn is_supported(name: &str) -> bool {
    OPERATORS.iter().any(|operator| operator.name == name)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// `docs/operators.md` says what this list says; `TACIT_REGENERATE_FIXTURES=1` writes it anew.
    #[test]
    fn the_documentation_lists_the_operators() {
        let mut page = String::from(
            "# Operators of ONNX files\n\n\
             What `tacit quantize` translates, of operator sets 7 to 25. An exporter's file is read as it is; a file with anything else is \
             refused with the names of all operators that are in the way.\n\n\
             | operator | limits |\n| --- | --- |\n",
        );
        for Operator { name, limits } in OPERATORS {
            writeln!(page, "| `{name}` | {limits} |").unwrap();
        }
        page.push_str(
            "\nFunctions that exporters write in pieces (GELU by `Erf` or `Tanh`, SiLU, HardSwish, Mish) are put together. Weights and slopes are \
             hidden; shapes, attributes and tables are public.\n",
        );
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operators.md");
        if std::env::var_os("TACIT_REGENERATE_FIXTURES").is_some_and(|v| v == "1") {
            std::fs::write(path, &page).unwrap();
        }
        assert!(
            std::fs::read_to_string(path).unwrap() == page,
            "docs/operators.md is not what the code says"
        );
        assert!(OPERATORS.is_sorted_by_key(|operator| operator.name));
    }
}
