//! A spinner on standard error, for what takes more than a second on a terminal.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tacit_core::Progress;
use tacit_core::srs::{SrsProgress, SrsStage};

/// Before this, nothing is shown.
const PATIENCE: Duration = Duration::from_millis(1000);

/// Shows the current stage until it is dropped.
pub(crate) struct Spinner {
    bar: ProgressBar,
    done: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Spinner {
    /// A spinner that says `what`, shown after a second.
    pub(crate) fn new(what: &'static str) -> Self {
        // Hidden by itself where standard error is no terminal.
        let bar = ProgressBar::with_draw_target(None, indicatif::ProgressDrawTarget::hidden())
            .with_style(
                ProgressStyle::with_template("{spinner} {msg} ({elapsed})")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            )
            .with_message(what);
        let (done, signal) = channel();
        let shown = bar.clone();
        let thread = std::thread::spawn(move || {
            if signal.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                shown.set_draw_target(indicatif::ProgressDrawTarget::stderr());
                shown.enable_steady_tick(Duration::from_millis(100));
            }
        });
        Self { bar, done: Some((done, thread)) }
    }

    /// Takes what a setup's import reports.
    pub(crate) fn srs(&self, p: SrsProgress) {
        let what = match p.stage {
            SrsStage::Reading => "reading and hashing the file",
            SrsStage::Checking => "checking the powers",
            SrsStage::LagrangeBasis => "computing the Lagrange basis",
            SrsStage::Writing => "writing the setup",
        };
        let percent =
            if p.total > 1 { format!(" {} %", p.done.saturating_mul(100) / p.total) } else { String::new() };
        self.bar.set_message(format!("{what}{percent}"));
    }
}

impl Progress for Spinner {
    fn stage(&self, name: &str) {
        self.bar.set_message(name.to_owned());
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.done.take() {
            drop(done);
            // It only waits and draws: it cannot fail in a way that matters here.
            let _ = thread.join();
        }
        self.bar.finish_and_clear();
    }
}
