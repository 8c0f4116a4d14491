//! What is read, outside of transactions.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tacit_claim::{CardId, Fingerprint};
use tacit_exchange::{CapabilityHash, RequestId};

use super::apply::{ANSWERED, GONE, WAITING, bytes, integer};
use super::{
    Change, ListedCard, Outcome, RequestState, SqlStore, Store, StoreError, StoredCard, StoredRequest, Usage,
    WaitingRequest,
};

/// 32 bytes of a column.
fn bytes32(row: &AnyRow, column: usize, what: &'static str) -> Result<[u8; 32], StoreError> {
    row.try_get::<Vec<u8>, _>(column)?.try_into().map_err(|_| StoreError::Corrupt(what))
}

fn unsigned(row: &AnyRow, column: usize) -> Result<u64, StoreError> {
    Ok(row.try_get::<i64, _>(column)?.max(0).unsigned_abs())
}

impl SqlStore {
    async fn message(&self, sql: &'static str, id: RequestId) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query(sql).bind(id.0.to_vec()).fetch_optional(&self.readers).await?;
        Ok(row.map(|row| row.try_get::<Option<Vec<u8>>, _>(0)).transpose()?.flatten())
    }
}

#[async_trait::async_trait]
impl Store for SqlStore {
    async fn apply(&self, change: Change) -> Result<Outcome, StoreError> {
        self.change(change).await
    }

    async fn card(&self, id: CardId) -> Result<Option<StoredCard>, StoreError> {
        let row = sqlx::query("SELECT owner_key, provider FROM cards WHERE id = $1")
            .bind(bytes(&id))
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(StoredCard { owner_key: bytes32(&row, 0, "key of an owner")?, provider: row.try_get(1)? }))
    }

    async fn card_json(&self, id: CardId) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT json FROM cards WHERE id = $1";
        let row = sqlx::query(sql).bind(bytes(&id)).fetch_optional(&self.readers).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    async fn card_points(&self, id: CardId) -> Result<Option<Option<Vec<u8>>>, StoreError> {
        let sql = "SELECT points FROM cards WHERE id = $1";
        let row = sqlx::query(sql).bind(bytes(&id)).fetch_optional(&self.readers).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    async fn cards(&self, after: u64, limit: u32) -> Result<Vec<ListedCard>, StoreError> {
        let sql = "SELECT seq, id, name, owner, engines, weights, published_at, provider_expires FROM cards \
                   WHERE seq > $1 ORDER BY seq LIMIT $2";
        let rows = sqlx::query(sql).bind(integer(after)).bind(i64::from(limit)).fetch_all(&self.readers);
        let rows = rows.await?;
        rows.iter()
            .map(|row| {
                Ok(ListedCard {
                    seq: unsigned(row, 0)?,
                    id: CardId(bytes32(row, 1, "card id")?),
                    name: row.try_get(2)?,
                    owner: row.try_get(3)?,
                    engines: row.try_get(4)?,
                    weights: row.try_get(5)?,
                    published_at: unsigned(row, 6)?,
                    provider_expires: row.try_get::<Option<i64>, _>(7)?.map(|at| at.max(0).unsigned_abs()),
                })
            })
            .collect()
    }

    async fn owner_key(&self, owner: Fingerprint) -> Result<Option<[u8; 32]>, StoreError> {
        let row = sqlx::query("SELECT owner_key FROM cards WHERE owner = $1 LIMIT 1")
            .bind(owner.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| bytes32(&row, 0, "key of an owner")).transpose()
    }

    async fn request(&self, id: RequestId) -> Result<Option<StoredRequest>, StoreError> {
        let sql = "SELECT r.card_id, c.owner, r.state, r.capability_hash FROM requests r JOIN cards c ON c.id = r.card_id \
                   WHERE r.id = $1";
        let row = sqlx::query(sql).bind(id.0.to_vec()).fetch_optional(&self.readers).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(StoredRequest {
            card: CardId(bytes32(&row, 0, "card id")?),
            owner: row.try_get(1)?,
            state: match row.try_get::<i64, _>(2)? {
                WAITING => RequestState::Waiting,
                ANSWERED => RequestState::Answered,
                GONE => RequestState::Gone,
                _ => return Err(StoreError::Corrupt("state of a request")),
            },
            capability_hash: CapabilityHash(bytes32(&row, 3, "capability hash")?),
        }))
    }

    async fn sealed(&self, id: RequestId) -> Result<Option<Vec<u8>>, StoreError> {
        self.message("SELECT sealed FROM requests WHERE id = $1", id).await
    }

    async fn response(&self, id: RequestId) -> Result<Option<Vec<u8>>, StoreError> {
        self.message("SELECT response FROM requests WHERE id = $1", id).await
    }

    async fn waiting(
        &self,
        card: CardId,
        after: u64,
        limit: u32,
        now: u64,
    ) -> Result<Vec<WaitingRequest>, StoreError> {
        let sql = "SELECT seq, id, size, received_at FROM requests WHERE card_id = $1 AND state = 0 AND seq > $2 \
                   AND lease_until <= $3 ORDER BY seq LIMIT $4";
        let rows = sqlx::query(sql)
            .bind(bytes(&card))
            .bind(integer(after))
            .bind(integer(now))
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(WaitingRequest {
                    seq: unsigned(row, 0)?,
                    id: RequestId(bytes32(row, 1, "request id")?),
                    size: unsigned(row, 2)?,
                    received_at: unsigned(row, 3)?,
                })
            })
            .collect()
    }

    async fn usage(&self) -> Result<Usage, StoreError> {
        let sql = "SELECT stored_bytes, cards, (SELECT CAST(COALESCE(SUM(waiting), 0) AS BIGINT) FROM cards) FROM usage";
        let row = sqlx::query(sql).fetch_one(&self.readers).await?;
        Ok(Usage { stored_bytes: unsigned(&row, 0)?, cards: unsigned(&row, 1)?, waiting: unsigned(&row, 2)? })
    }

    fn shared(&self) -> Option<Duration> {
        self.poll_interval()
    }

    async fn close(&self) {
        self.shut().await;
    }
}
