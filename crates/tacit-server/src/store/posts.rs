//! Requests that were posted, many in one statement: what the relay does most.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, btree_map};
use std::fmt::Write as _;
use std::sync::LazyLock;

use sqlx::{AnyConnection, AssertSqlSafe, Row as _};
use tacit_claim::CardId;
use tacit_exchange::RequestId;

use super::apply::{Counters, GONE, WAITING, bytes, integer};
use super::{NewRequest, Outcome, Quota, Quotas, StoreError};

/// Rows of one statement. Few sizes, so that each is prepared once.
const SIZES: [usize; 3] = [64, 8, 1];
const COLUMNS: usize = 9;

/// `SELECT` and `INSERT` for each of [`SIZES`]. Made of constants and places for parameters alone.
static STATEMENTS: LazyLock<[(String, String); 3]> = LazyLock::new(|| {
    SIZES.map(|rows| {
        let mut select = String::from("SELECT id, state FROM requests WHERE id IN (");
        let mut insert = String::from(
            "INSERT INTO requests (id, seq, card_id, state, received_at, due, forget_at, size, lease_until, \
             capability_hash, sealed) VALUES ",
        );
        for row in 0..rows {
            let comma = if row == 0 { "" } else { ", " };
            let _ = write!(select, "{comma}${}", row + 1);
            let at = |column: usize| row * COLUMNS + column + 1;
            let _ = write!(
                insert,
                "{comma}(${}, ${}, ${}, {WAITING}, ${}, ${}, ${}, ${}, 0, ${}, ${})",
                at(0),
                at(1),
                at(2),
                at(3),
                at(4),
                at(5),
                at(6),
                at(7),
                at(8)
            );
        }
        select.push(')');
        (select, insert)
    })
});

/// Cuts a list into pieces of [`SIZES`].
fn pieces<T>(mut list: &[T]) -> impl Iterator<Item = (usize, &[T])> {
    std::iter::from_fn(move || {
        let size = SIZES.iter().position(|size| *size <= list.len())?;
        let (piece, rest) = list.split_at(SIZES[size]);
        list = rest;
        Some((size, piece))
    })
}

pub(super) async fn post_all(
    connection: &mut AnyConnection,
    counters: &mut Counters,
    posts: &[(&NewRequest, &Quotas)],
) -> Result<Vec<Outcome>, StoreError> {
    let mut known: HashMap<RequestId, i64> = HashMap::new();
    for (size, piece) in pieces(posts) {
        let mut query = sqlx::query(AssertSqlSafe(STATEMENTS[size].0.as_str()));
        for (request, _) in piece {
            query = query.bind(request.id.0.to_vec());
        }
        for row in query.fetch_all(&mut *connection).await? {
            let id: Vec<u8> = row.try_get(0)?;
            let id = RequestId(id.try_into().map_err(|_| StoreError::Corrupt("request id"))?);
            known.insert(id, row.try_get(1)?);
        }
    }

    let mut waiting: BTreeMap<CardId, Option<(i64, i64)>> = BTreeMap::new();
    let mut new = Vec::with_capacity(posts.len());
    let mut outcomes = Vec::with_capacity(posts.len());
    for (request, quotas) in posts {
        let known = match known.entry(request.id) {
            Entry::Occupied(state) => {
                outcomes.push(if *state.get() == GONE { Outcome::Gone } else { Outcome::Same });
                continue;
            }
            Entry::Vacant(place) => place,
        };
        let place = match waiting.entry(request.card) {
            btree_map::Entry::Occupied(place) => place.into_mut(),
            btree_map::Entry::Vacant(place) => {
                let row = sqlx::query("SELECT waiting FROM cards WHERE id = $1")
                    .bind(bytes(&request.card))
                    .fetch_optional(&mut *connection)
                    .await?;
                let count = row.map(|row| row.try_get::<i64, _>(0)).transpose()?;
                place.insert(count.map(|count| (count, count)))
            }
        };
        let Some((_, count)) = place else {
            outcomes.push(Outcome::Unknown);
            continue;
        };
        if *count >= integer(quotas.waiting_per_card) {
            outcomes.push(Outcome::Full(Quota::WaitingOfCard));
            continue;
        }
        if let Err(full) = counters.make_room(0, request.sealed.len(), quotas) {
            outcomes.push(Outcome::Full(full));
            continue;
        }
        *count += 1;
        known.insert(WAITING);
        new.push((*request, counters.take_seq()));
        outcomes.push(Outcome::Created);
    }

    for (size, piece) in pieces(&new) {
        let mut query = sqlx::query(AssertSqlSafe(STATEMENTS[size].1.as_str()));
        for (request, seq) in piece {
            query = query
                .bind(request.id.0.to_vec())
                .bind(*seq)
                .bind(bytes(&request.card))
                .bind(integer(request.received_at))
                .bind(integer(request.expires_at))
                .bind(integer(request.forget_at))
                .bind(integer(request.sealed.len() as u64))
                .bind(request.capability_hash.0.to_vec())
                .bind(request.sealed.clone());
        }
        query.execute(&mut *connection).await?;
    }
    for (card, count) in waiting {
        if let Some((before, after)) = count
            && after != before
        {
            sqlx::query("UPDATE cards SET waiting = $2 WHERE id = $1")
                .bind(bytes(&card))
                .bind(after)
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(outcomes)
}
