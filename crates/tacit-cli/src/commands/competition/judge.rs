//! What a competition is ranked by, and whether a submission shows it.

use std::borrow::Cow;
use std::path::Path;

use tacit_claim::{
    AccuracyClaim, ClaimKind, ColumnName, Comparison, DataClaim, Fraction, Metric, Requirement, Scope,
};
use tacit_competition::{Better, Competition, Judge, Score, Submission};
use tacit_core::{DataFolder, Expectations, Silent, Supplied, verify};
use tacit_data::read_dataset;
use tacit_model::{Dataset, Schema};

/// A requirement without its bound, better on one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ranking {
    pub(crate) metric: Metric,
    pub(crate) scope: Scope,
    /// How submissions bound it: from below where more is better.
    comparison: Comparison,
}

impl Ranking {
    /// Reads `accuracy`, `recall[malignant] by site`, `gap(recall[malignant]) by site`.
    pub(crate) fn parse(text: &str, schema: &Schema) -> Result<Self, String> {
        // Names of classes may hold anything, inside of brackets.
        let end = text.rfind([']', ')']).map_or(0, |at| at + 1);
        let (left, by) = match text[end..].split_once(" by ") {
            Some((rest, column)) => (&text[..end + rest.len()], format!(" by {}", column.trim())),
            None => (text, String::new()),
        };
        if left.contains(">=") || left.contains("<=") {
            return Err(format!("`{text}` has a bound; submissions choose theirs"));
        }
        let one = |sign: &str| match Requirement::parse(&format!("{left} {sign} 0.5{by}"), schema, None) {
            Ok(all) => match <[Requirement; 1]>::try_from(all) {
                Ok([one]) => Ok(one),
                Err(_) => Err(format!("`{text}` is more than one metric: submissions are ranked by one")),
            },
            Err(e) => Err(e.to_string()),
        };
        let Requirement { metric, scope, comparison, .. } = one("<=")?;
        let smaller = match metric {
            _ if metric.is_error() || matches!(scope, Scope::Gap(_)) => true,
            Metric::FalsePositiveRate(_) => true,
            Metric::SelectionRate(_) => {
                return Err(format!("`{text}` ranks nothing: neither more nor less of it is better"));
            }
            _ => false,
        };
        if smaller {
            return Ok(Self { metric, scope, comparison });
        }
        let Requirement { metric, scope, comparison, .. } = one(">=")?;
        Ok(Self { metric, scope, comparison })
    }

    /// What a competition is ranked by.
    pub(crate) fn of(competition: &Competition) -> Result<Self, String> {
        let terms = competition.terms();
        Self::parse(terms.metric.as_str(), &terms.schema)
            .map_err(|e| format!("the competition's metric cannot be judged: {e}"))
    }

    /// The one spelling.
    pub(crate) fn text(&self, schema: &Schema) -> String {
        let metric = self.metric.text(schema);
        match &self.scope {
            Scope::Overall => metric,
            Scope::EachGroup(column) => format!("{metric} by {column}"),
            Scope::Gap(column) => format!("gap({metric}) by {column}"),
        }
    }

    /// A score in few words: counts where the claim states counts.
    pub(crate) fn score_text(&self, value: Fraction) -> String {
        let (part, whole) = (value.numerator(), value.denominator());
        match (self.is_counted(), self.metric.is_error()) {
            (true, _) => format!("{part} of {whole} ({})", tacit_claim::percent(part, whole)),
            (false, true) => format!("{:.6}", part as f64 / whole as f64),
            (false, false) => tacit_claim::percent(part, whole),
        }
    }

    /// The heading of a column of scores.
    pub(crate) fn heading(&self) -> &'static str {
        match self.comparison {
            Comparison::AtLeast => "proved: at least",
            Comparison::AtMost => "proved: at most",
        }
    }

    fn is_counted(&self) -> bool {
        matches!(self.metric, Metric::Accuracy | Metric::Top(_)) && self.scope == Scope::Overall
    }

    const fn better(&self) -> Better {
        match self.comparison {
            Comparison::AtLeast => Better::Larger,
            Comparison::AtMost => Better::Smaller,
        }
    }
}

/// The judge of every competition: the engines.
pub(crate) struct EngineJudge {
    folder: DataFolder,
}

impl EngineJudge {
    /// A judge that remembers in `folder` which cards' certificates it checked.
    pub(crate) const fn new(folder: DataFolder) -> Self {
        Self { folder }
    }

    fn score(&self, submission: &Submission<'_>) -> Result<Score, String> {
        let Submission { competition, bundle, card, points, context, data } = *submission;
        let terms = competition.terms();
        let ranking = Ranking::of(competition)?;
        let ClaimKind::Accuracy(claim) = &bundle.claim().kind else {
            return Err("the claim says nothing of how well the model does".to_owned());
        };
        let requirement = the_one(claim)?;
        let Requirement { metric, scope, comparison, bound } = requirement;
        if (metric, scope) != (&ranking.metric, &ranking.scope) || *comparison != ranking.comparison {
            return Err(format!(
                "the claim is that {}, and the competition is ranked by {}",
                requirement.text(card.schema()),
                ranking.text(&terms.schema)
            ));
        }
        check_labels(claim, &terms.labels)?;
        let data = as_claimed(data, &terms.schema, scope.column()).map_err(|e| e.to_string())?;
        let expected =
            Expectations { card: Some(card.id()), context: Some(context.clone()), ..Expectations::default() };
        let supplied = Supplied { points, data: Some(&data), ..Supplied::default() };
        let verdict =
            verify(&self.folder, bundle, card, supplied, &expected, &Silent).map_err(|e| e.to_string())?;
        // Bounds between two counts prove the better of them.
        let samples = data.samples() as u64;
        let counted = bound.count(*comparison, samples);
        let value = match ranking.is_counted() {
            true => Fraction::new(counted, samples).map_err(|e| e.to_string())?,
            false => *bound,
        };
        Ok(Score { value, sentence: verdict.sentence })
    }
}

/// The one requirement of a claim.
fn the_one(claim: &AccuracyClaim) -> Result<&Requirement, String> {
    match &claim.requirements[..] {
        [one] => Ok(one),
        all => Err(format!("the claim states {} conditions; the competition is ranked by one", all.len())),
    }
}

fn check_labels(claim: &AccuracyClaim, expected: &ColumnName) -> Result<(), String> {
    match &claim.data {
        DataClaim::Public { labels, .. } if labels == expected => Ok(()),
        DataClaim::Public { labels, .. } => {
            Err(format!("the claim takes the labels from `{labels}`, not from `{expected}`"))
        }
        DataClaim::Hidden { .. } => Err("the claim hides which test set it is about".to_owned()),
    }
}

/// The published test set as a claim names it: with the column of groups that the requirement has, and no
/// other.
fn as_claimed<'a>(
    data: &'a Dataset,
    schema: &Schema,
    column: Option<&ColumnName>,
) -> Result<Cow<'a, Dataset>, tacit_model::DatasetError> {
    if data.groupings().iter().map(|g| g.column.as_str()).eq(column.map(ColumnName::as_str)) {
        return Ok(Cow::Borrowed(data));
    }
    let records = (0..data.samples()).map(|i| data.record(i).to_vec()).collect();
    let groupings = column.and_then(|c| data.grouping(c.as_str())).cloned().into_iter().collect();
    Dataset::new(schema, records, data.labels().cloned(), groupings).map(Cow::Owned)
}

impl Judge for EngineJudge {
    fn read_test_set(&self, competition: &Competition, data: &Path) -> Result<Dataset, String> {
        let terms = competition.terms();
        let groups: Vec<&str> = terms.groups.iter().map(ColumnName::as_str).collect();
        // Values out of a card's range are clipped, for prover and verifier alike.
        let file = read_dataset(data, &terms.schema, Some(terms.labels.as_str()), &groups);
        file.map(|file| file.dataset).map_err(|e| e.to_string())
    }

    fn better(&self, competition: &Competition) -> Better {
        Ranking::of(competition).map_or(Better::Larger, |ranking| ranking.better())
    }

    fn judge(&self, submission: &Submission<'_>) -> Result<Score, String> {
        self.score(submission)
    }
}

#[cfg(test)]
mod tests {
    use tacit_model::testing::mlp;

    use super::*;

    #[test]
    fn metrics_rank_from_their_better_side() {
        let schema = mlp(&[3, 4, 2], 8, 16, 1).architecture().schema.clone();
        let read = |text: &str| Ranking::parse(text, &schema).map(|r| (r.text(&schema), r.better()));
        for (text, better) in [
            ("accuracy", Better::Larger),
            ("top[1]", Better::Larger),
            ("accuracy by site", Better::Larger),
            ("recall[class 1]", Better::Larger),
            ("false_positive_rate[class 0]", Better::Smaller),
            ("gap(recall[class 1]) by site of study", Better::Smaller),
        ] {
            assert_eq!(read(text), Ok((text.to_owned(), better)));
        }
        for (text, why) in [
            ("", "is no metric"),
            ("accuracy >= 0.9", "has a bound"),
            ("auc", "is no metric"),
            ("recall", "needs a class"),
            ("recall[class 7]", "is no class"),
            ("gap(recall[class 1])", "column"),
            ("equalised_odds[class 1] by site", "more than one"),
            ("selection_rate[class 1]", "ranks nothing"),
            ("mean_absolute_error", "numbers"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
