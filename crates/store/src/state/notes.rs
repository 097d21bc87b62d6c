//! Small relational state: what sources are called, and from which day on lines are kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use crate::index::{Date, Identity};

/// How long one process waits for another one's write.
const PATIENCE: Duration = Duration::from_secs(5);

/// The database.
#[derive(Debug)]
pub struct Notes {
    connection: Connection,
}

impl Notes {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS source (identity TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT;
             CREATE TABLE IF NOT EXISTS followed (source INTEGER PRIMARY KEY, path TEXT NOT NULL, bytes INTEGER NOT NULL) STRICT;
             CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;",
        )?;
        Ok(Self { connection })
    }

    pub(super) fn open_read_only(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(PATIENCE)?;
        Ok(Self { connection })
    }

    /// Notes what sources are called now, all at once. Another source of that name keeps it: it may be what is left of a copy.
    pub fn name(&self, named: &[(Identity, String)]) -> rusqlite::Result<()> {
        if named.is_empty() {
            return Ok(());
        }
        // Two of the same source begin with the same line.
        let mut known: HashMap<String, Vec<(Identity, String)>> = HashMap::new();
        for (identity, name) in self.names()? {
            known.entry(identity.short()).or_default().push((identity, name));
        }
        let transaction = self.connection.unchecked_transaction()?;
        for (identity, name) in named {
            let alike = known.entry(identity.short()).or_default();
            let at = alike.iter().position(|(known, _)| known.is_same(identity));
            if let Some((known, old)) = at.map(|at| alike.swap_remove(at)) {
                let is_noted = (&known, &old) == (identity, name);
                alike.push((identity.clone(), name.clone()));
                if is_noted {
                    continue;
                }
                transaction.execute("DELETE FROM source WHERE identity = ?1", params![text_of(&known)])?;
            } else {
                alike.push((identity.clone(), name.clone()));
            }
            transaction.execute(
                "INSERT OR REPLACE INTO source (identity, name) VALUES (?1, ?2)",
                params![text_of(identity), name],
            )?;
        }
        transaction.commit()
    }

    /// What sources are called.
    pub fn names(&self) -> rusqlite::Result<Vec<(Identity, String)>> {
        let mut rows = self.connection.prepare("SELECT identity, name FROM source ORDER BY rowid")?;
        let rows = rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let mut names = Vec::new();
        for row in rows {
            let (identity, name) = row?;
            // What cannot be read is as if it were not noted: the source keeps the name it had at first.
            names.extend(serde_json::from_str(&identity).ok().map(|identity: Identity| (identity, name)));
        }
        Ok(names)
    }

    /// Notes how many bytes of a followed file were read: to tell how far behind one is, nothing else hangs on it.
    pub fn followed(&self, source: u64, path: &str, bytes: u64) -> rusqlite::Result<()> {
        self.connection.execute(
            "INSERT OR REPLACE INTO followed (source, path, bytes) VALUES (?1, ?2, ?3)",
            params![source.cast_signed(), path, bytes.cast_signed()],
        )?;
        Ok(())
    }

    /// Forgets it: more may have been read since in another way.
    pub fn forget_followed(&self, source: u64) -> rusqlite::Result<()> {
        self.connection.execute("DELETE FROM followed WHERE source = ?1", params![source.cast_signed()])?;
        Ok(())
    }

    /// Path and bytes read of the sources that were followed last, by number.
    pub fn all_followed(&self) -> rusqlite::Result<BTreeMap<u64, (String, u64)>> {
        let mut rows = self.connection.prepare("SELECT source, path, bytes FROM followed")?;
        let rows = rows.query_map([], |row| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), (row.get(1)?, row.get::<_, i64>(2)?.cast_unsigned())))
        })?;
        rows.collect()
    }

    /// Sources that went in by themselves, and of which nobody has seen yet what the logs before them tell.
    pub fn alone(&self) -> rusqlite::Result<BTreeSet<u64>> {
        let text = self.setting("alone")?.unwrap_or_default();
        // What cannot be read is as if it were not noted.
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Adds one to them.
    pub fn note_alone(&self, source: u64) -> rusqlite::Result<()> {
        let mut sources = self.alone()?;
        if sources.insert(source) { self.set_alone(&sources) } else { Ok(()) }
    }

    /// Some of them are not any more.
    pub fn forget_alone(&self, seen: &[u64]) -> rusqlite::Result<()> {
        let mut sources = self.alone()?;
        let before = sources.len();
        sources.retain(|source| !seen.contains(source));
        if sources.len() < before { self.set_alone(&sources) } else { Ok(()) }
    }

    fn set_alone(&self, sources: &BTreeSet<u64>) -> rusqlite::Result<()> {
        // Cannot fail: they are numbers.
        self.set("alone", &serde_json::to_string(sources).unwrap_or_default())
    }

    /// The first day whose lines are kept: older ones were removed, and are not taken in again.
    pub fn horizon(&self) -> rusqlite::Result<Option<Date>> {
        Ok(self.setting("horizon")?.and_then(|text| text.parse().ok()))
    }

    /// Moves the horizon, never back.
    pub fn set_horizon(&self, day: Date) -> rusqlite::Result<()> {
        if self.horizon()?.is_none_or(|now| now < day) { self.set("horizon", &day.to_string()) } else { Ok(()) }
    }

    fn setting(&self, name: &str) -> rusqlite::Result<Option<String>> {
        let sql = "SELECT value FROM setting WHERE name = ?1";
        self.connection.query_row(sql, params![name], |row| row.get(0)).optional()
    }

    fn set(&self, name: &str, value: &str) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)";
        self.connection.execute(sql, params![name, value]).map(drop)
    }
}

/// Cannot fail: an identity is numbers and text.
fn text_of(identity: &Identity) -> String {
    serde_json::to_string(identity).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        let of = |text: &str| Identity::of(text.as_bytes()).unwrap();
        let notes = Notes::open(&path).unwrap();
        notes.name(&[(of("a\n"), "mail.log".into()), (of("b\n"), "other".into())]).unwrap();
        notes.name(&[(of("b\n"), "other".into()), (of("a\nmore\n"), "mail.log.1".into())]).unwrap();
        // What is noted already is not written.
        let changes = notes.connection.total_changes();
        notes.name(&[(of("b\n"), "other".into()), (of("a\nmore\n"), "mail.log.1".into())]).unwrap();
        assert_eq!(notes.connection.total_changes(), changes);
        notes.set_horizon("2026-06-17".parse().unwrap()).unwrap();
        notes.set_horizon("2026-06-10".parse().unwrap()).unwrap();
        notes.followed(1, "mail.log", 10).unwrap();
        notes.followed(2, "other", 5).unwrap();
        notes.followed(1, "mail.log.1", 12).unwrap();
        notes.forget_followed(2).unwrap();
        assert_eq!(notes.alone().unwrap(), [].into());
        notes.note_alone(7).unwrap();
        notes.note_alone(3).unwrap();
        assert_eq!(notes.all_followed().unwrap(), [(1, ("mail.log.1".to_owned(), 12))].into());
        drop(notes);
        let notes = Notes::open_read_only(&path).unwrap();
        assert_eq!(notes.names().unwrap(), [(of("b\n"), "other".into()), (of("a\nmore\n"), "mail.log.1".into())]);
        assert_eq!(notes.alone().unwrap(), [3, 7].into());
        assert!(notes.forget_alone(&[3]).is_err(), "it is read-only");
        Notes::open(&path).unwrap().forget_alone(&[1, 3]).unwrap();
        assert_eq!(notes.alone().unwrap(), [7].into());
        assert_eq!(notes.horizon().unwrap(), "2026-06-17".parse().ok());
        assert!(notes.set_horizon("2027-01-01".parse().unwrap()).is_err());
    }
}
