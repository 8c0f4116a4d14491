//! Changes, in one transaction.
//!
//! Every transaction begins by writing the one row of `usage`, which locks it: changes happen one after another in either
//! database, also those of several relays, and what is read in between cannot change under them.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};
use tacit_claim::CardId;
use tacit_exchange::RequestId;

use super::posts::post_all;
use super::{Change, NewCard, Outcome, Quota, Quotas, StoreError, WorkerId};

pub(super) const WAITING: i64 = 0;
pub(super) const ANSWERED: i64 = 1;
pub(super) const GONE: i64 = 2;

/// Rows that one transaction sweeps.
const SWEEP: i64 = 200;

/// The one row, while it is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) next_seq: i64,
    pub(super) stored_bytes: i64,
    pub(super) cards: i64,
}

impl Counters {
    async fn lock(connection: &mut AnyConnection) -> Result<Self, StoreError> {
        let sql =
            "UPDATE usage SET next_seq = next_seq WHERE only_row = 1 RETURNING next_seq, stored_bytes, cards";
        let row = sqlx::query(sql).fetch_one(connection).await?;
        Ok(Self { next_seq: row.try_get(0)?, stored_bytes: row.try_get(1)?, cards: row.try_get(2)? })
    }

    async fn store(self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        sqlx::query("UPDATE usage SET next_seq = $1, stored_bytes = $2, cards = $3 WHERE only_row = 1")
            .bind(self.next_seq)
            .bind(self.stored_bytes)
            .bind(self.cards)
            .execute(connection)
            .await?;
        Ok(())
    }

    pub(super) fn take_seq(&mut self) -> i64 {
        self.next_seq += 1;
        self.next_seq - 1
    }

    /// Counts `new` bytes in place of `old`, if there is room.
    pub(super) fn make_room(&mut self, old: i64, new: usize, quotas: &Quotas) -> Result<(), Quota> {
        let after = self.stored_bytes.saturating_sub(old).saturating_add(integer(new as u64));
        if new > 0 && after > integer(quotas.stored_bytes) {
            return Err(Quota::Bytes);
        }
        self.stored_bytes = after;
        Ok(())
    }
}

/// What a database can hold of it.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Change {
    /// Bytes that it brings.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::PutCard(card, _) => card.json.len(),
            Self::PutPoints { points: bytes, .. }
            | Self::PutProvider { json: bytes, .. }
            | Self::PutResponse { sealed: bytes, .. } => bytes.len(),
            Self::PostRequest(request, _) => request.sealed.len(),
            _ => 0,
        }
    }
}

/// Makes all changes; one outcome each. Requests that were posted are made together, first.
pub(super) async fn apply_all(
    connection: &mut AnyConnection,
    changes: &[Change],
) -> Result<Vec<Outcome>, StoreError> {
    let before = Counters::lock(connection).await?;
    let mut counters = before;
    let posts: Vec<_> = changes
        .iter()
        .filter_map(|change| match change {
            Change::PostRequest(request, quotas) => Some((&**request, quotas)),
            _ => None,
        })
        .collect();
    let mut posted = post_all(connection, &mut counters, &posts).await?.into_iter();
    let mut outcomes = Vec::with_capacity(changes.len());
    for change in changes {
        let outcome = if matches!(change, Change::PostRequest(..)) {
            posted.next().ok_or(StoreError::Corrupt("list of outcomes"))?
        } else {
            apply(connection, &mut counters, change).await?
        };
        outcomes.push(outcome);
    }
    if counters != before {
        counters.store(connection).await?;
    }
    Ok(outcomes)
}

async fn apply(
    connection: &mut AnyConnection,
    counters: &mut Counters,
    change: &Change,
) -> Result<Outcome, StoreError> {
    match change {
        Change::PostRequest(..) => Err(StoreError::Corrupt("batch")),
        Change::PutCard(card, quotas) => put_card(connection, counters, card, quotas).await,
        Change::PutPoints { card, points, quotas } => {
            let sql = "SELECT points FROM cards WHERE id = $1";
            let Some(row) = sqlx::query(sql).bind(bytes(card)).fetch_optional(&mut *connection).await? else {
                return Ok(Outcome::Unknown);
            };
            let old: Option<Vec<u8>> = row.try_get(0)?;
            if old.as_ref() == Some(points) {
                return Ok(Outcome::Same);
            }
            if let Err(full) = counters.make_room(stored(&old), points.len(), quotas) {
                return Ok(Outcome::Full(full));
            }
            let sql = "UPDATE cards SET points = $2 WHERE id = $1";
            sqlx::query(sql).bind(bytes(card)).bind(points.clone()).execute(connection).await?;
            Ok(if old.is_some() { Outcome::Replaced } else { Outcome::Created })
        }
        Change::PutProvider { card, json, issued_at, expires_at, quotas } => {
            let sql = "SELECT provider, provider_issued FROM cards WHERE id = $1";
            let Some(row) = sqlx::query(sql).bind(bytes(card)).fetch_optional(&mut *connection).await? else {
                return Ok(Outcome::Unknown);
            };
            let old: Option<Vec<u8>> = row.try_get(0)?;
            let old_issued: Option<i64> = row.try_get(1)?;
            if old.as_ref() == Some(json) {
                return Ok(Outcome::Same);
            }
            if old_issued.is_some_and(|old| old >= integer(*issued_at)) {
                return Ok(Outcome::Older);
            }
            if let Err(full) = counters.make_room(stored(&old), json.len(), quotas) {
                return Ok(Outcome::Full(full));
            }
            let sql =
                "UPDATE cards SET provider = $2, provider_issued = $3, provider_expires = $4 WHERE id = $1";
            sqlx::query(sql)
                .bind(bytes(card))
                .bind(json.clone())
                .bind(integer(*issued_at))
                .bind(integer(*expires_at))
                .execute(connection)
                .await?;
            Ok(if old.is_some() { Outcome::Replaced } else { Outcome::Created })
        }
        Change::Lease { request, worker, now, until } => {
            lease(connection, *request, *worker, *now, Some(*until)).await
        }
        Change::Release { request, worker, now } => lease(connection, *request, *worker, *now, None).await,
        Change::PutResponse { request, sealed, quotas } => {
            put_response(connection, counters, *request, sealed, quotas).await
        }
        Change::Delete { request } => {
            let Some(row) = place(connection, *request).await? else { return Ok(Outcome::Unknown) };
            if row.state != GONE {
                forget(connection, counters, &row).await?;
            }
            Ok(Outcome::Done)
        }
        Change::Nonce { owner, nonce, expires_at } => {
            let sql =
                "INSERT INTO nonces (owner, nonce, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
            let done = sqlx::query(sql)
                .bind(owner.to_string())
                .bind(nonce.to_vec())
                .bind(integer(*expires_at))
                .execute(connection)
                .await?;
            Ok(if done.rows_affected() == 1 { Outcome::Created } else { Outcome::Same })
        }
        Change::Sweep { now } => sweep(connection, counters, integer(*now)).await,
    }
}

async fn put_card(
    connection: &mut AnyConnection,
    counters: &mut Counters,
    card: &NewCard,
    quotas: &Quotas,
) -> Result<Outcome, StoreError> {
    let sql = "SELECT published_at FROM cards WHERE id = $1";
    if sqlx::query(sql).bind(bytes(&card.id)).fetch_optional(&mut *connection).await?.is_some() {
        return Ok(Outcome::Same);
    }
    let owner = card.owner.to_string();
    let row = sqlx::query("SELECT COUNT(*) FROM cards WHERE owner = $1")
        .bind(owner.clone())
        .fetch_one(&mut *connection)
        .await?;
    if row.try_get::<i64, _>(0)? >= integer(quotas.cards_per_owner) {
        return Ok(Outcome::Full(Quota::CardsOfOwner));
    }
    if counters.cards >= integer(quotas.cards) {
        return Ok(Outcome::Full(Quota::Cards));
    }
    if let Err(full) = counters.make_room(0, card.json.len(), quotas) {
        return Ok(Outcome::Full(full));
    }
    counters.cards += 1;
    let sql = "INSERT INTO cards (id, seq, owner, owner_key, name, engines, weights, published_at, waiting, json) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9)";
    sqlx::query(sql)
        .bind(bytes(&card.id))
        .bind(counters.take_seq())
        .bind(owner)
        .bind(card.owner_key.to_vec())
        .bind(card.name.clone())
        .bind(card.engines.clone())
        .bind(card.weights)
        .bind(integer(card.published_at))
        .bind(card.json.clone())
        .execute(connection)
        .await?;
    Ok(Outcome::Created)
}

/// Where a request is, without its messages.
struct Place {
    id: RequestId,
    card: Vec<u8>,
    state: i64,
    size: i64,
    lease_until: i64,
    worker: Option<Vec<u8>>,
}

impl TryFrom<&AnyRow> for Place {
    type Error = StoreError;

    fn try_from(row: &AnyRow) -> Result<Self, StoreError> {
        let id: Vec<u8> = row.try_get(0)?;
        Ok(Self {
            id: RequestId(id.try_into().map_err(|_| StoreError::Corrupt("request id"))?),
            card: row.try_get(1)?,
            state: row.try_get(2)?,
            size: row.try_get(3)?,
            lease_until: row.try_get(4)?,
            worker: row.try_get(5)?,
        })
    }
}

async fn place(connection: &mut AnyConnection, id: RequestId) -> Result<Option<Place>, StoreError> {
    let sql = "SELECT id, card_id, state, size, lease_until, worker FROM requests WHERE id = $1";
    let row = sqlx::query(sql).bind(id.0.to_vec()).fetch_optional(connection).await?;
    row.as_ref().map(Place::try_from).transpose()
}

/// Leases to `worker` until a time, or gives back.
async fn lease(
    connection: &mut AnyConnection,
    id: RequestId,
    worker: WorkerId,
    now: u64,
    until: Option<u64>,
) -> Result<Outcome, StoreError> {
    let Some(row) = place(connection, id).await? else { return Ok(Outcome::Unknown) };
    if row.state != WAITING {
        return Ok(Outcome::Gone);
    }
    let held = row.lease_until > integer(now);
    if held && row.worker.as_deref() != Some(&worker.0) {
        return Ok(Outcome::Held { until: row.lease_until.unsigned_abs() });
    }
    if until.is_none() && !held {
        return Ok(Outcome::Done);
    }
    sqlx::query("UPDATE requests SET lease_until = $2, worker = $3 WHERE id = $1")
        .bind(id.0.to_vec())
        .bind(until.map_or(0, integer))
        .bind(until.map(|_| worker.0.to_vec()))
        .execute(connection)
        .await?;
    Ok(until.map_or(Outcome::Done, |until| Outcome::Leased { until }))
}

async fn put_response(
    connection: &mut AnyConnection,
    counters: &mut Counters,
    id: RequestId,
    sealed: &[u8],
    quotas: &Quotas,
) -> Result<Outcome, StoreError> {
    let Some(row) = place(connection, id).await? else { return Ok(Outcome::Unknown) };
    match row.state {
        WAITING => {}
        ANSWERED => {
            let old = sqlx::query("SELECT response FROM requests WHERE id = $1")
                .bind(id.0.to_vec())
                .fetch_one(connection)
                .await?;
            let old: Option<Vec<u8>> = old.try_get(0)?;
            let same = old.as_deref() == Some(sealed);
            return Ok(if same { Outcome::Same } else { Outcome::Different });
        }
        _ => return Ok(Outcome::Gone),
    }
    if let Err(full) = counters.make_room(row.size, sealed.len(), quotas) {
        return Ok(Outcome::Full(full));
    }
    // Nobody needs the request any more.
    let sql = "UPDATE requests SET state = $2, size = $3, sealed = NULL, response = $4, lease_until = 0, worker = NULL \
               WHERE id = $1";
    sqlx::query(sql)
        .bind(id.0.to_vec())
        .bind(ANSWERED)
        .bind(integer(sealed.len() as u64))
        .bind(sealed.to_vec())
        .execute(&mut *connection)
        .await?;
    waits_no_more(connection, &row).await?;
    Ok(Outcome::Created)
}

async fn waits_no_more(connection: &mut AnyConnection, row: &Place) -> Result<(), StoreError> {
    let sql = "UPDATE cards SET waiting = waiting - 1 WHERE id = $1";
    sqlx::query(sql).bind(row.card.clone()).execute(connection).await?;
    Ok(())
}

/// Keeps the id and nothing of the messages.
async fn forget(
    connection: &mut AnyConnection,
    counters: &mut Counters,
    row: &Place,
) -> Result<(), StoreError> {
    let sql = "UPDATE requests SET state = $2, size = 0, sealed = NULL, response = NULL, lease_until = 0, worker = NULL, \
               due = forget_at WHERE id = $1";
    sqlx::query(sql).bind(row.id.0.to_vec()).bind(GONE).execute(&mut *connection).await?;
    counters.stored_bytes -= row.size;
    if row.state == WAITING {
        waits_no_more(connection, row).await?;
    }
    Ok(())
}

async fn sweep(
    connection: &mut AnyConnection,
    counters: &mut Counters,
    now: i64,
) -> Result<Outcome, StoreError> {
    let sql = "SELECT id, card_id, state, size, lease_until, worker FROM requests WHERE due <= $1 ORDER BY due LIMIT $2";
    let rows = sqlx::query(sql).bind(now).bind(SWEEP).fetch_all(&mut *connection).await?;
    for row in &rows {
        let row = Place::try_from(row)?;
        if row.state == GONE {
            let sql = "DELETE FROM requests WHERE id = $1";
            sqlx::query(sql).bind(row.id.0.to_vec()).execute(&mut *connection).await?;
        } else {
            forget(connection, counters, &row).await?;
        }
    }
    let nonces =
        sqlx::query("DELETE FROM nonces WHERE expires_at < $1").bind(now).execute(connection).await?;
    Ok(Outcome::Swept(rows.len() + usize::try_from(nonces.rows_affected()).unwrap_or(usize::MAX)))
}

pub(super) fn bytes(id: &CardId) -> Vec<u8> {
    id.0.to_vec()
}

fn stored(old: &Option<Vec<u8>>) -> i64 {
    old.as_ref().map_or(0, |old| integer(old.len() as u64))
}
