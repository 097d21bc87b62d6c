//! The users, their tokens and sessions, on disk.

use std::fmt;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::secret;

/// What a user may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything, also what others asked for.
    Admin,
    /// Everything of the log.
    Reader,
    /// The log with names and addresses masked.
    Masked,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Reader, Self::Masked];

    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Reader => "reader",
            Self::Masked => "masked",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = AccessError;

    fn from_str(text: &str) -> Result<Self, AccessError> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| AccessError::Role(text.to_owned()))
    }
}

/// Why users cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The database cannot be made.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database cannot be read or written.
    #[error("the users: {0}")]
    Database(#[from] rusqlite::Error),
    /// Such a user is there already.
    #[error("there is a user `{0}` already")]
    Exists(String),
    /// There is no such user.
    #[error("there is no user `{0}`")]
    Missing(String),
    /// There is no such token.
    #[error("there is no token {0}")]
    NoToken(i64),
    /// A name that cannot be one.
    #[error("a user's name has 1 to 64 letters, digits and `.-_@`, and `{0}` has not")]
    Name(String),
    /// A domain that cannot be one.
    #[error("`{0}` is no domain: write example.org")]
    Domain(String),
    /// An admin sees all domains.
    #[error("an admin sees all domains: choose the role reader or masked, or name no domain")]
    AdminOfDomain,
    /// There is no such role.
    #[error("there is no role `{0}`: choose admin, reader or masked")]
    Role(String),
    /// Too short or too long.
    #[error("a password has {} characters or more, and at most {} bytes", secret::PASSWORD_MIN, secret::PASSWORD_MAX)]
    Password,
    /// The password could not be hashed.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name to sign in with.
    pub name: String,
    /// What the user may see.
    pub role: Role,
    /// The domains whose events alone the user may see; all if there are none.
    pub domains: Vec<String>,
    /// Whether there is a password; without one, only tokens and a proxy's word sign the user in.
    pub has_password: bool,
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its number.
    pub id: i64,
    /// Whose it is.
    pub user: String,
    /// What it is for.
    pub label: String,
    /// When it was made.
    pub made: Timestamp,
}

/// The users on disk.
pub struct Users {
    pub(super) database: Connection,
}

/// The file in the state directory.
const FILE: &str = "access.sqlite";
/// A session that is not used ends.
const IDLE: i64 = 12 * 3600;
/// A session ends in any case.
const LONGEST: i64 = 7 * 24 * 3600;
/// Sessions of one user at most: the oldest end first.
const SESSIONS: i64 = 50;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, role TEXT NOT NULL, domains TEXT NOT NULL, hash TEXT);
    CREATE TABLE IF NOT EXISTS tokens (id INTEGER PRIMARY KEY, user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, label TEXT NOT NULL,
        secret TEXT NOT NULL UNIQUE, made INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS sessions (secret TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, made INTEGER NOT NULL,
        used INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS audit (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, user TEXT NOT NULL, client TEXT NOT NULL, asked TEXT NOT NULL);
";

impl Users {
    /// Whether users were ever kept in this folder.
    #[must_use]
    pub fn are_in(folder: &Path) -> bool {
        folder.join(FILE).exists()
    }

    /// Opens the users of a state directory; makes the file if there is none.
    pub fn open(folder: &Path) -> Result<Self, AccessError> {
        let path = folder.join(FILE);
        let io = |source| AccessError::Io { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        // Made here, so that nobody else can read it at any time.
        let made = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        drop(made.map_err(io)?);
        let database = Connection::open(&path)?;
        database.busy_timeout(Duration::from_secs(5))?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.pragma_update(None, "synchronous", "NORMAL")?;
        database.pragma_update(None, "foreign_keys", true)?;
        database.execute_batch(TABLES)?;
        Ok(Self { database })
    }

    /// Whether there is a user.
    pub fn any(&self) -> Result<bool, AccessError> {
        Ok(self.database.prepare_cached("SELECT 1 FROM users LIMIT 1")?.exists([])?)
    }

    /// Adds a user. Without a password, only tokens and a proxy's word sign the user in.
    pub fn add(&self, name: &str, role: Role, domains: &[String], password: Option<&str>) -> Result<(), AccessError> {
        check_name(name)?;
        if role == Role::Admin && !domains.is_empty() {
            return Err(AccessError::AdminOfDomain);
        }
        let domains: Vec<String> = domains.iter().map(|domain| domain_of(domain)).collect::<Result<_, _>>()?;
        let hash = password.map(secret::hash).transpose()?;
        let sql = "INSERT INTO users (name, role, domains, hash) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        match self.database.execute(sql, params![name, role.name(), domains.join(" "), hash])? {
            0 => Err(AccessError::Exists(name.to_owned())),
            _ => Ok(()),
        }
    }

    /// Gives a user another password. All sessions end.
    pub fn set_password(&self, name: &str, password: &str) -> Result<(), AccessError> {
        let hash = secret::hash(password)?;
        if self.database.execute("UPDATE users SET hash = ?2 WHERE name = ?1", params![name, hash])? == 0 {
            return Err(AccessError::Missing(name.to_owned()));
        }
        self.database.execute("DELETE FROM sessions WHERE user = ?1", [name])?;
        Ok(())
    }

    /// Removes a user with all tokens and sessions.
    pub fn remove(&self, name: &str) -> Result<(), AccessError> {
        match self.database.execute("DELETE FROM users WHERE name = ?1", [name])? {
            0 => Err(AccessError::Missing(name.to_owned())),
            _ => Ok(()),
        }
    }

    /// All users, by name.
    pub fn list(&self) -> Result<Vec<User>, AccessError> {
        let mut rows =
            self.database.prepare("SELECT name, role, domains, hash IS NOT NULL FROM users ORDER BY name")?;
        let users = rows.query_map([], user_of)?.collect::<Result<Vec<_>, _>>()?;
        users.into_iter().collect()
    }

    /// A user.
    pub fn user(&self, name: &str) -> Result<Option<User>, AccessError> {
        let mut row =
            self.database.prepare_cached("SELECT name, role, domains, hash IS NOT NULL FROM users WHERE name = ?1")?;
        row.query_row([name], user_of).optional()?.transpose()
    }

    /// Makes a token of a user's. Output: the secret, which is shown once and not kept.
    pub fn add_token(&self, user: &str, label: &str) -> Result<String, AccessError> {
        if self.user(user)?.is_none() {
            return Err(AccessError::Missing(user.to_owned()));
        }
        let secret = secret::random();
        let sql = "INSERT INTO tokens (user, label, secret, made) VALUES (?1, ?2, ?3, ?4)";
        self.database.execute(sql, params![user, label, secret::kept(&secret), now()])?;
        Ok(secret)
    }

    /// All tokens.
    pub fn tokens(&self) -> Result<Vec<Token>, AccessError> {
        let mut rows = self.database.prepare("SELECT id, user, label, made FROM tokens ORDER BY id")?;
        let token = |row: &rusqlite::Row<'_>| {
            let made = Timestamp::from_second(row.get(3)?).unwrap_or_default();
            Ok(Token { id: row.get(0)?, user: row.get(1)?, label: row.get(2)?, made })
        };
        Ok(rows.query_map([], token)?.collect::<Result<_, _>>()?)
    }

    /// Takes a token back.
    pub fn remove_token(&self, id: i64) -> Result<(), AccessError> {
        match self.database.execute("DELETE FROM tokens WHERE id = ?1", [id])? {
            0 => Err(AccessError::NoToken(id)),
            _ => Ok(()),
        }
    }

    /// Whose token that is.
    pub(super) fn by_token(&self, secret: &str) -> Result<Option<User>, AccessError> {
        let mut row = self.database.prepare_cached("SELECT user FROM tokens WHERE secret = ?1")?;
        let name: Option<String> = row.query_row([secret::kept(secret)], |row| row.get(0)).optional()?;
        name.map_or(Ok(None), |name| self.user(&name))
    }

    /// The hash of a user's password.
    pub(crate) fn hash(&self, name: &str) -> Result<Option<String>, AccessError> {
        let mut row = self.database.prepare_cached("SELECT hash FROM users WHERE name = ?1")?;
        Ok(row.query_row([name], |row| row.get(0)).optional()?.flatten())
    }

    /// Begins a session. Output: the secret for the cookie.
    pub(crate) fn begin(&self, user: &str) -> Result<String, AccessError> {
        let secret = secret::random();
        let now = now();
        self.database.execute("DELETE FROM sessions WHERE used < ?1 OR made < ?2", [now - IDLE, now - LONGEST])?;
        let sql = "INSERT INTO sessions (secret, user, made, used) VALUES (?1, ?2, ?3, ?3)";
        self.database.execute(sql, params![secret::kept(&secret), user, now])?;
        let sql = "DELETE FROM sessions WHERE user = ?1 AND secret NOT IN (SELECT secret FROM sessions WHERE user = ?1 ORDER BY made DESC, rowid DESC LIMIT ?2)";
        self.database.execute(sql, params![user, SESSIONS])?;
        Ok(secret)
    }

    /// Whose session that is, if it goes on.
    pub(super) fn by_session(&self, secret: &str) -> Result<Option<User>, AccessError> {
        let (kept, now) = (secret::kept(secret), now());
        let mut row = self
            .database
            .prepare_cached("SELECT user, used FROM sessions WHERE secret = ?1 AND used >= ?2 AND made >= ?3")?;
        let found: Option<(String, i64)> =
            row.query_row(params![kept, now - IDLE, now - LONGEST], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((name, used)) = found else { return Ok(None) };
        // Not at every request.
        if now - used > 60 {
            self.database.execute("UPDATE sessions SET used = ?2 WHERE secret = ?1", params![kept, now])?;
        }
        self.user(&name)
    }

    /// Ends a session.
    pub(crate) fn end(&self, secret: &str) -> Result<(), AccessError> {
        self.database.execute("DELETE FROM sessions WHERE secret = ?1", [secret::kept(secret)])?;
        Ok(())
    }
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    Timestamp::now().as_second()
}

fn user_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Result<User, AccessError>> {
    let (name, role): (String, String) = (row.get(0)?, row.get(1)?);
    let domains: String = row.get(2)?;
    let has_password = row.get(3)?;
    Ok(role.parse().map(|role| User {
        name,
        role,
        domains: domains.split_whitespace().map(str::to_owned).collect(),
        has_password,
    }))
}

fn check_name(name: &str) -> Result<(), AccessError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_@".contains(c);
    if (1..=64).contains(&name.len()) && name.chars().all(fits) {
        Ok(())
    } else {
        Err(AccessError::Name(name.to_owned()))
    }
}

/// In small letters. Queries are made of it, so nothing else may be in it.
fn domain_of(text: &str) -> Result<String, AccessError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    let is_domain =
        (1..=253).contains(&text.len()) && text.chars().all(fits) && !text.starts_with('.') && !text.starts_with('-');
    if is_domain { Ok(text.to_ascii_lowercase()) } else { Err(AccessError::Domain(text.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_tokens_and_sessions() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!Users::are_in(folder.path()));
        let users = Users::open(folder.path()).unwrap();
        assert!(Users::are_in(folder.path()) && !users.any().unwrap());
        users.add("alice", Role::Admin, &[], Some("a long password")).unwrap();
        users.add("help", Role::Masked, &["Example.ORG".to_owned()], None).unwrap();
        assert_eq!(users.user("help").unwrap().unwrap().domains, ["example.org"]);
        assert!(matches!(users.add("alice", Role::Reader, &[], None), Err(AccessError::Exists(_))));
        assert!(matches!(users.add("a b", Role::Reader, &[], None), Err(AccessError::Name(_))));
        assert!(matches!(
            users.add("x", Role::Admin, &["a.example".to_owned()], None),
            Err(AccessError::AdminOfDomain)
        ));
        for domain in ["", "*", "a b", "a OR b", ".x", "-x"] {
            assert!(
                matches!(users.add("y", Role::Reader, &[domain.to_owned()], None), Err(AccessError::Domain(_))),
                "{domain}"
            );
        }
        let token = users.add_token("help", "scripts").unwrap();
        assert_eq!(users.by_token(&token).unwrap().unwrap().name, "help");
        assert!(users.by_token("").unwrap().is_none() && users.by_token(&secret::kept(&token)).unwrap().is_none());
        let session = users.begin("alice").unwrap();
        assert_eq!(users.by_session(&session).unwrap().unwrap().role, Role::Admin);
        users.set_password("alice", "another password").unwrap();
        assert!(users.by_session(&session).unwrap().is_none());
        let id = users.tokens().unwrap()[0].id;
        users.remove_token(id).unwrap();
        assert!(users.by_token(&token).unwrap().is_none());
        let session = users.begin("alice").unwrap();
        users.end(&session).unwrap();
        assert!(users.by_session(&session).unwrap().is_none());
        let session = users.begin("alice").unwrap();
        users.remove("alice").unwrap();
        assert!(users.by_session(&session).unwrap().is_none());
        assert!(matches!(users.remove("alice"), Err(AccessError::Missing(_))));
    }

    #[test]
    fn nobody_else_can_read_them() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        drop(Users::open(folder.path()).unwrap());
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn sessions_end() {
        let folder = tempfile::tempdir().unwrap();
        let users = Users::open(folder.path()).unwrap();
        users.add("alice", Role::Reader, &[], None).unwrap();
        for (column, age) in [("used", IDLE), ("made", LONGEST)] {
            let session = users.begin("alice").unwrap();
            assert!(users.by_session(&session).unwrap().is_some());
            users.database.execute(&format!("UPDATE sessions SET {column} = ?1"), [now() - age - 1]).unwrap();
            assert!(users.by_session(&session).unwrap().is_none(), "{column}");
        }
    }
}
