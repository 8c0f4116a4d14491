//! Facts of answers: what is read, what is refused and what to do then, what the integers are.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use tacit_claim::testing::{commitment, sign, unsigned_card};
use tacit_claim::{
    AnswerBound, AnswerError, AnswerFact, Answers, Claim, Context, EngineId, Inference, InputClaim,
    OutputClaim, Threshold, WeightsClaim,
};
use tacit_model::testing::{mlp, schema};
use tacit_model::{Architecture, OutputScale};

/// Outputs of 16 bits in units of 2^-8.
fn architecture(outputs: usize, classes: usize, scale: OutputScale) -> Architecture {
    let mut architecture = mlp(&[2, outputs], 8, 16, 1).architecture().clone();
    architecture.schema = schema(2, classes);
    architecture.output_scale = scale;
    architecture
}

/// One spelling and the integer, or why not.
fn read(architecture: &Architecture, text: &str) -> Result<(String, i64), AnswerError> {
    let answers = Answers::of(architecture).unwrap();
    let bound = AnswerBound::parse(text, &answers)?;
    assert_eq!(AnswerBound::parse(&bound.text(&answers), &answers), Ok(bound), "one spelling");
    Ok((bound.text(&answers), bound.bound()))
}

#[test]
fn bounds_are_exact_integers() {
    use OutputScale as S;
    let cases = [
        (1, 0, S::Plain, "output >= 2.5", "output >= 2.5", 640),
        (1, 0, S::Plain, "0 < 2.50", "output < 2.5", 639),
        (1, 0, S::Plain, "output <= -0.001", "output <= -0.001", -1),
        (1, 0, S::Plain, "output > 0.001", "output > 0.001", 1),
        (4, 0, S::Plain, "output[3] >= 1", "output[3] >= 1", 256),
        (3, 3, S::Plain, "class 1 >= 0.8", "output[class 1] >= 0.8", 205),
        (3, 3, S::SoftmaxLogits, "output[\"class 1\"] <= 0.8", "output[class 1] <= 0.8", 204),
        (3, 3, S::SoftmaxLogits, "margin[class 2] > 1", "margin[class 2] > 1", 257),
        (3, 3, S::Plain, "2 >= 80%", "output[class 2] >= 0.8", 205),
        // ln 4 = 354.89 · 2^-8: up for what is at least, down for what is at most.
        (1, 2, S::SigmoidLogit, "class 1 >= 0.8", "probability[class 1] >= 0.8", 355),
        (1, 2, S::SigmoidLogit, "class 1 > 80 %", "probability[class 1] > 0.8", 355),
        (1, 2, S::SigmoidLogit, "class 1 <= 0.8", "probability[class 1] <= 0.8", 354),
        (1, 2, S::SigmoidLogit, "class 1 >= 0.2", "probability[class 1] >= 0.2", -354),
        (1, 2, S::SigmoidLogit, "class 0 >= 0.8", "probability[class 0] >= 0.8", 355),
        (1, 2, S::SigmoidLogit, "output[class 1] >= 0.8", "output >= 0.8", 205),
        (2, 2, S::SoftmaxLogits, "probability[class 0] < 0.2", "probability[class 0] < 0.2", -355),
        (1, 0, S::SigmoidLogit, "0 >= 0.5", "probability[0] >= 0.5", 0),
        (1, 0, S::SigmoidLogit, "0 > 0.5", "probability[0] > 0.5", 1),
        (1, 0, S::SigmoidLogit, "0 <= 0.5", "probability[0] <= 0.5", 0),
        (1, 0, S::SigmoidLogit, "0 < 0.5", "probability[0] < 0.5", -1),
        (3, 3, S::SigmoidLogit, "class 2 >= 0.8", "probability[class 2] >= 0.8", 355),
    ];
    for (outputs, classes, scale, text, spelling, bound) in cases {
        let found = read(&architecture(outputs, classes, scale), text);
        assert_eq!(found, Ok((spelling.to_owned(), bound)), "{text}");
    }
}

#[test]
fn what_cannot_be_stated_says_what_can() {
    use AnswerError as E;
    use OutputScale as S;
    let plain = architecture(3, 3, S::Plain);
    for bad in ["", "class 1", "class 1 = 0.8", ">= 0.8", "class 1 >=", "class 1 ==0"] {
        assert!(matches!(read(&plain, bad), Err(E::Form(_))), "{bad}");
    }
    for bad in [
        "x",
        "1e3",
        "1/2",
        "--1",
        "+1",
        ".5",
        "5.",
        "1.2.3",
        "0.1234567890123",
        "9999999999999999",
        "NaN",
        "0x1",
        "1 2",
        "%",
    ] {
        let text = format!("class 1 >= {bad}");
        assert!(matches!(read(&plain, &text), Err(E::Threshold(_))), "{text}: {:?}", read(&plain, &text));
    }
    let unknown = read(&plain, "malignant >= 0.8").unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "`malignant` is no class or output of the model (there are class 0, class 1, class 2)"
    );
    for bad in [
        "3 >= 1",
        "output[3] >= 1",
        "margin[class 9] >= 1",
        "class 1 >= 1 <= 2",
        "class 1 => 2",
        "\u{1b}[31m > 1",
    ] {
        let e = read(&plain, bad).unwrap_err();
        assert!(matches!(e, E::Name { .. }) && !e.to_string().contains('\u{1b}'), "{bad}: {e}");
    }
    assert!(matches!(read(&plain, "output >= 1"), Err(E::NoName(..))));
    assert_eq!(read(&plain, "probability[class 1] >= 0.8"), Err(E::NoProbability));
    assert_eq!(read(&plain, "margin[class 1] <= 1"), Err(E::MarginSide));
    assert!(matches!(read(&plain, "class 1 >= 128"), Err(E::Never(_))));
    assert!(matches!(read(&plain, "class 1 <= 128"), Err(E::Always(_))));
    assert!(matches!(read(&plain, "class 1 >= -128"), Err(E::Always(_))));
    assert!(matches!(read(&plain, "class 1 < -128"), Err(E::Never(_))));
    assert!(matches!(read(&plain, "class 1 >= 999999999999999"), Err(E::Never(_))));
    assert!(matches!(read(&plain, "class 1 > -999999999999999"), Err(E::Always(_))));
    assert!(matches!(read(&plain, "margin[class 1] >= 256"), Err(E::Never(_))));

    let softmax = architecture(3, 3, S::SoftmaxLogits);
    let e = read(&softmax, "class 1 >= 0.8").unwrap_err();
    assert_eq!(e, E::Softmax(3));
    assert!(e.to_string().contains("margin[...]") && e.to_string().contains("state the class"), "{e}");
    let sigmoid = architecture(1, 2, S::SigmoidLogit);
    for bad in ["0", "1", "-0.1", "1.5", "100 %"] {
        let e = read(&sigmoid, &format!("class 1 >= {bad}")).unwrap_err();
        assert!(matches!(e, E::NotAProbability(_)), "{bad}: {e}");
    }
    // Probabilities kept in the model, in a range that holds more than those.
    let kept = architecture(3, 3, S::Probabilities);
    for bad in ["0", "1", "-0.1", "1.5"] {
        for what in ["class 1", "probability[class 1]", "output[class 1]", "output[1]"] {
            for side in [">=", ">", "<=", "<"] {
                let e = read(&kept, &format!("{what} {side} {bad}")).unwrap_err();
                assert!(matches!(e, E::NotAProbability(_)), "{what} {side} {bad}: {e}");
            }
        }
    }
    assert!(read(&kept, "output[class 1] >= 0.5").is_ok() && read(&kept, "margin[class 1] >= -0.5").is_ok());
    for (text, always) in [("-1", true), ("-1.5", true), ("1.5", false)] {
        let e = read(&kept, &format!("margin[class 1] >= {text}")).unwrap_err();
        assert!(if always { matches!(e, E::Always(_)) } else { matches!(e, E::Never(_)) }, "{text}: {e}");
    }

    // Classes called by numbers: an index would mean another class than the one of that name.
    let mut numbered = architecture(3, 3, S::Plain);
    for (class, name) in numbered.schema.classes.iter_mut().zip(["1", "2", "3"]) {
        class.name = name.into();
    }
    assert_eq!(read(&numbered, "1 >= 0.8"), Ok(("output[1] >= 0.8".into(), 205)));
    for bad in ["0 >= 0.8", "output[0] >= 0.8", "margin[0] > 1"] {
        let e = read(&numbered, bad).unwrap_err();
        assert!(matches!(e, E::NumberedClass { .. }) && e.to_string().contains("1, 2, 3"), "{bad}: {e}");
    }
    assert!(matches!(read(&numbered, "malignant >= 0.8"), Err(E::Name { .. })));
    assert!(matches!(read(&sigmoid, "output[class 0] >= 1"), Err(E::SharedLogit(_))));
    assert_eq!(read(&sigmoid, "margin[class 1] >= 1"), Err(E::OneOutput));
    let mut fine = sigmoid;
    fine.output_exponent = 41;
    assert!(matches!(read(&fine, "class 1 >= 0.8"), Err(E::Exponent { .. })));
    fine.output_exponent = 61;
    assert!(matches!(read(&fine, "output >= 0.8"), Err(E::Exponent { .. })));
}

#[test]
fn claims_of_facts_are_encoded_once_and_bound() {
    let content = unsigned_card(&architecture(3, 3, OutputScale::Plain), 1);
    let card = sign(content, 1);
    let bound = AnswerBound::parse("class 1 >= 0.8", &card.answers()).unwrap();
    let claim = |facts: Vec<AnswerFact>| {
        let inference = Inference {
            input: InputClaim::Hidden { commitment: commitment(1) },
            output: OutputClaim::Facts { facts },
            weights: WeightsClaim::Hidden,
        };
        Claim::new(&card, EngineId::Sumcheck, inference, Context::default())
    };
    let class = AnswerFact::Class { index: 1 };
    let all = claim(vec![class.clone(), AnswerFact::Top { indices: vec![0, 1] }, AnswerFact::Bound(bound)])
        .unwrap();
    assert_eq!(Claim::from_bytes(&all.to_bytes()).as_ref(), Ok(&all));
    assert_ne!(all.digest().0, claim(vec![class]).unwrap().digest().0);
    let sentence = all.sentence(&card).unwrap();
    assert!(
        sentence.ends_with(
            " gives a hidden answer of which this holds: its class is class 1; its first 2 classes, in no particular order, \
             are class 0, class 1; output[class 1] >= 0.8 (it is at least 205 in units of 2^-8)."
        ),
        "{sentence}"
    );
    assert_eq!(all.hidden(&card), ["weights", "input", "output, but for what is stated of it"]);
    // A flipped bit is another claim or none, never the same.
    let bytes = all.to_bytes();
    for at in 0..8 * bytes.len() {
        let mut bad = bytes.clone();
        bad[at / 8] ^= 1 << (at % 8);
        assert!(
            Claim::from_bytes(&bad)
                .map_or(true, |read| read.digest() != all.digest() && read.to_bytes() == bad)
        );
    }
    // Another spelling of the threshold is none.
    let fields = serde_json::json!({
        "quantity": {"output": 1}, "side": "at_least", "threshold": "0.80", "bound": 205
    });
    assert!(serde_json::from_value::<AnswerBound>(fields.clone()).is_err());
    let mut fields = fields;
    fields["threshold"] = "0.8".into();
    assert_eq!(serde_json::from_value::<AnswerBound>(fields).unwrap(), bound);
}

proptest! {
    /// The integer is the tightest one: it satisfies the bound as real numbers, its neighbour does not.
    #[test]
    fn rounding_neither_gains_nor_loses(mantissa in 1i64..1_000_000, exponent in -2i32..24) {
        let mut architecture = architecture(1, 2, OutputScale::SigmoidLogit);
        architecture.output_exponent = exponent;
        let threshold = tacit_model::format_decimal(mantissa, 6);
        let real = |q: i64| 1.0 / (1.0 + (-(q as f64) * f64::powi(2.0, -exponent)).exp());
        let wanted = mantissa as f64 / 1e6;
        let answers = Answers::of(&architecture).unwrap();
        let Ok(bound) = AnswerBound::parse(&format!("class 1 >= {threshold}"), &answers) else { return Ok(()) };
        let q = bound.bound();
        // Floats tell as long as a unit moves the probability by more than they err.
        prop_assume!(real(q + 1) - real(q) > 1e-12);
        prop_assert!(real(q) >= wanted - 1e-13 && real(q - 1) < wanted + 1e-13, "{} {} {}", threshold, exponent, q);
    }

    #[test]
    fn thresholds_have_one_spelling(mantissa in -999_999_999_999i64..1_000_000_000_000, decimals in 0u8..13) {
        let text = tacit_model::format_decimal(mantissa, decimals);
        let threshold = Threshold::parse(&text).unwrap();
        let spelling = threshold.to_string();
        prop_assert_eq!(Threshold::parse(&spelling), Ok(threshold));
        prop_assert_eq!(Threshold::try_from(spelling.clone()), Ok(threshold));
        prop_assert_eq!(Threshold::try_from(text.clone()).is_ok(), text == spelling);
    }
}
