//! Where the time went: spans of the project's crates, added up by the path of their names.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tracing::span::{Attributes, Id};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};

use crate::report::Report;

/// Spans of one name under one parent.
struct Node {
    name: &'static str,
    parent: Option<usize>,
    time: Duration,
    count: u64,
}

/// The tree, in the order in which its nodes were first met.
#[derive(Default)]
struct Tree(Vec<Node>);

impl Tree {
    fn find_or_add(&mut self, name: &'static str, parent: Option<usize>) -> usize {
        let known = self.0.iter().position(|n| n.name == name && n.parent == parent);
        known.unwrap_or_else(|| {
            self.0.push(Node { name, parent, time: Duration::ZERO, count: 0 });
            self.0.len() - 1
        })
    }

    /// Every node below `parent`, each before its own children, with its depth.
    fn walk(&self, parent: Option<usize>, depth: usize, visit: &mut impl FnMut(usize, &Node)) {
        for (i, node) in self.0.iter().enumerate().filter(|(_, n)| n.parent == parent) {
            visit(depth, node);
            self.walk(Some(i), depth + 1, visit);
        }
    }
}

/// A span's node, and since when it has been entered.
struct Timing {
    node: usize,
    /// How many threads are inside; the time counts once.
    inside: u32,
    since: Instant,
}

/// Adds up what the spans of the project's crates take.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Tree>>);

impl Collector {
    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collector {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.is_span() && metadata.target().starts_with("tacit")
    }

    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let parent = span.parent().and_then(|p| p.extensions().get::<Timing>().map(|t| t.node));
        let node = self.tree().find_or_add(span.name(), parent);
        span.extensions_mut().insert(Timing { node, inside: 0, since: Instant::now() });
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        let Some(timing) = extensions.get_mut::<Timing>() else { return };
        if timing.inside == 0 {
            timing.since = Instant::now();
        }
        timing.inside += 1;
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        let Some(timing) = extensions.get_mut::<Timing>() else { return };
        timing.inside = timing.inside.saturating_sub(1);
        if timing.inside == 0 {
            self.tree().0[timing.node].time += timing.since.elapsed();
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        if let Some(timing) = span.extensions().get::<Timing>() {
            self.tree().0[timing.node].count += 1;
        }
    }
}

/// A measurement that runs until it is told.
pub(crate) struct Profile {
    collector: Collector,
    start: Instant,
}

impl Profile {
    /// Measures from now on, on every thread. Once per process.
    pub(crate) fn start() -> Self {
        let collector = Collector::default();
        let subscriber = Registry::default().with(collector.clone());
        // Nothing else in this process listens to spans.
        let _ = tracing::subscriber::set_global_default(subscriber);
        Self { collector, start: Instant::now() }
    }

    /// An indented table for standard error, and the same for scripts.
    pub(crate) fn tell(&self, report: &mut Report) {
        let total = self.start.elapsed();
        let tree = self.collector.tree();
        let mut rows = Vec::new();
        let mut path: Vec<&str> = Vec::new();
        let mut spans = Vec::new();
        tree.walk(None, 0, &mut |depth, node| {
            path.truncate(depth);
            path.push(node.name);
            rows.push((format!("{:indent$}{}", "", node.name, indent = 2 * depth), node.time, node.count));
            spans.push(json!({ "path": path, "seconds": node.time.as_secs_f64(), "count": node.count }));
        });
        let told: Duration = tree.0.iter().filter(|n| n.parent.is_none()).map(|n| n.time).sum();
        rows.push(("elsewhere".to_owned(), total.saturating_sub(told), 1));
        rows.push(("in all".to_owned(), total, 1));
        let width = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
        for (name, time, count) in rows {
            let milliseconds = time.as_secs_f64() * 1000.0;
            let share = 100.0 * time.as_secs_f64() / total.as_secs_f64().max(f64::MIN_POSITIVE);
            let times = if count > 1 { format!("  ×{count}") } else { String::new() };
            report.aside.push(format!("{name:width$}  {milliseconds:>10.1} ms  {share:>5.1} %{times}"));
        }
        report.set("profile", spans);
        report.set("profile_seconds", total.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_add_up_by_path() {
        let collector = Collector::default();
        let subscriber = Registry::default().with(collector.clone());
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..2 {
                let _outer = tracing::info_span!(target: "tacit_sumcheck", "outer").entered();
                let _inner = tracing::info_span!(target: "tacit_sumcheck", "inner").entered();
                std::thread::sleep(Duration::from_millis(2));
                let _ignored = tracing::info_span!(target: "tract", "ignored").entered();
            }
            let _inner = tracing::info_span!("inner").entered();
        });
        let tree = collector.tree();
        let mut seen = Vec::new();
        tree.walk(None, 0, &mut |depth, node| seen.push((depth, node.name, node.count)));
        assert_eq!(seen, [(0, "outer", 2), (1, "inner", 2), (0, "inner", 1)]);
        assert!(tree.0[0].time >= tree.0[1].time && tree.0[1].time >= Duration::from_millis(4));
    }
}
