//! Group commit: one task gathers the changes that wait, makes them in one transaction and acknowledges them when it is
//! committed. While one transaction is being synced to the disk the next gathers.

use std::time::Duration;

use sqlx::AnyPool;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::apply::apply_all;
use super::{Change, Durability, Outcome, StoreError};

/// Most changes in one transaction.
const MAX_BATCH: usize = 256;
/// Most bytes of messages in one transaction, but for the last.
const MAX_BATCH_BYTES: usize = 32 << 20;
/// Changes that may wait; who comes then waits for a place.
const QUEUE: usize = 1024;
/// How long the control of the crash test sits on what it has acknowledged.
const RECKLESS_DELAY: Duration = Duration::from_millis(250);

type Reply = oneshot::Sender<Result<Outcome, StoreError>>;
type Waiting = (Change, Reply);

#[derive(Debug)]
pub(super) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Waiting>>>,
    sender: mpsc::WeakSender<Waiting>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(pool: AnyPool, durability: Durability) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let task = tokio::spawn(run(pool, receiver, durability));
        let weak = sender.downgrade();
        Self { queue: Mutex::new(Some(sender)), sender: weak, task: Mutex::new(Some(task)) }
    }

    pub(super) async fn apply(&self, change: Change) -> Result<Outcome, StoreError> {
        let closing = || StoreError::NotCommitted("the relay is shutting down".to_owned());
        let (reply, outcome) = oneshot::channel();
        let sender = self.sender.upgrade().ok_or_else(closing)?;
        sender.send((change, reply)).await.map_err(|_| closing())?;
        drop(sender);
        outcome.await.map_err(|_| closing())?
    }

    /// Commits what waits and ends the task.
    pub(super) async fn close(&self) {
        drop(self.queue.lock().await.take());
        if let Some(task) = self.task.lock().await.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the store's writer failed");
        }
    }
}

async fn run(pool: AnyPool, mut receiver: mpsc::Receiver<Waiting>, durability: Durability) {
    let mut gathered: Vec<Waiting> = Vec::with_capacity(MAX_BATCH);
    while let Some(first) = receiver.recv().await {
        let mut bytes = first.0.bytes();
        gathered.push(first);
        while gathered.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES {
            let Ok(next) = receiver.try_recv() else { break };
            bytes += next.0.bytes();
            gathered.push(next);
        }
        let (changes, replies): (Vec<_>, Vec<_>) = gathered.drain(..).unzip();
        match durability {
            Durability::Committed => acknowledge(replies, commit_or_each(&pool, &changes).await),
            Durability::AcknowledgeBeforeCommit => reckless(&pool, &changes, replies).await,
        }
    }
    pool.close().await;
}

/// All of them in one transaction, committed and synced.
async fn commit(pool: &AnyPool, changes: &[Change]) -> Result<Vec<Outcome>, StoreError> {
    let mut transaction = pool.begin().await?;
    let outcomes = apply_all(&mut transaction, changes).await?;
    transaction.commit().await?;
    Ok(outcomes)
}

/// The same, or, where the transaction fails, each of them in one of its own: one may be at fault, and the others shall
/// not pay for it.
async fn commit_or_each(pool: &AnyPool, changes: &[Change]) -> Vec<Result<Outcome, StoreError>> {
    match commit(pool, changes).await {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        Err(error) if changes.len() == 1 => vec![Err(error)],
        Err(error) => {
            tracing::warn!(%error, changes = changes.len(), "a transaction failed; its changes are tried one by one");
            let mut outcomes = Vec::with_capacity(changes.len());
            for change in changes {
                let one = commit(pool, std::slice::from_ref(change)).await;
                outcomes.push(one.map(|all| all[0]));
            }
            outcomes
        }
    }
}

/// [`Durability::AcknowledgeBeforeCommit`].
async fn reckless(pool: &AnyPool, changes: &[Change], replies: Vec<Reply>) {
    let result: Result<(), StoreError> = async {
        let mut transaction = pool.begin().await?;
        let outcomes = apply_all(&mut transaction, changes).await?;
        acknowledge(replies, outcomes.into_iter().map(Ok).collect());
        tokio::time::sleep(RECKLESS_DELAY).await;
        Ok(transaction.commit().await?)
    }
    .await;
    if let Err(error) = result {
        tracing::error!(%error, "what was acknowledged was not committed, as durability is switched off");
    }
}

fn acknowledge(replies: Vec<Reply>, outcomes: Vec<Result<Outcome, StoreError>>) {
    for (reply, outcome) in replies.into_iter().zip(outcomes) {
        // Who asked may have gone away.
        let _ = reply.send(outcome);
    }
}
