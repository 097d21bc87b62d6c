//! Who asked for what: one row for each question of somebody signed in.

use jiff::Timestamp;
use rusqlite::params;
use serde::Serialize;

use super::users::now;
use super::{AccessError, Users};

/// Rows kept at most; the oldest go first.
const ROWS: i64 = 1_000_000;
/// Characters of a question that are kept.
const ASKED: usize = 2_000;

/// A question that somebody asked.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AuditRow {
    /// Its number: a later one is larger.
    pub(crate) id: i64,
    /// When.
    pub(crate) ts: String,
    /// Who.
    pub(crate) user: String,
    /// From where.
    pub(crate) client_ip: String,
    /// The address that was asked for, without the base path.
    pub(crate) asked: String,
}

impl Users {
    /// Notes a question.
    pub(crate) fn note(&self, user: &str, client: &str, asked: &str) -> Result<(), AccessError> {
        let asked: String = asked.chars().take(ASKED).collect();
        let sql = "INSERT INTO audit (at, user, client, asked) VALUES (?1, ?2, ?3, ?4)";
        self.database.prepare_cached(sql)?.execute(params![now(), user, client, asked])?;
        let id = self.database.last_insert_rowid();
        if id % 1_000 == 0 {
            self.database.execute("DELETE FROM audit WHERE id <= ?1", [id - ROWS])?;
        }
        Ok(())
    }

    /// The newest questions before a number, so many at most.
    pub(crate) fn noted(&self, before: i64, most: usize) -> Result<Vec<AuditRow>, AccessError> {
        let sql = "SELECT id, at, user, client, asked FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
        let mut rows = self.database.prepare_cached(sql)?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let row = |row: &rusqlite::Row<'_>| {
            let at = Timestamp::from_second(row.get(1)?).unwrap_or_default();
            Ok(AuditRow {
                id: row.get(0)?,
                ts: at.to_string(),
                user: row.get(2)?,
                client_ip: row.get(3)?,
                asked: row.get(4)?,
            })
        };
        Ok(rows.query_map([before, most], row)?.collect::<Result<_, _>>()?)
    }
}
