//! What a store may answer instead of a result.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// Why a store did not do what it was asked. The text is for the log: it holds no parameter and no secret.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, is too busy or did not answer in time. A write may or may not have happened.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// Something unique is there already; names the constraint or column.
    #[error("conflicts with a row that exists: {0}")]
    Conflict(String),
    /// A value that this version never writes.
    #[error("impossible value in {table}.{column} of row {row}")]
    Corrupt {
        /// Table, or kind of key in the short-lived store.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// The row's primary key, hashes in hexadecimal.
        row: String,
    },
    /// More bytes than the store accepts.
    #[error("{0} is too large to store")]
    TooLarge(&'static str),
    /// The settings cannot work.
    #[error("settings of the store: {0}")]
    Settings(String),
    /// The schema could not be brought up to date.
    #[error("migration: {0}")]
    Migration(String),
    /// The database refused a statement.
    #[error("database: {0}")]
    Database(String),
}

/// What a failed statement means for the transaction it ran in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// No statement failed.
    Clean,
    /// One did: nothing of it may be committed.
    Doomed,
    /// It collided with another transaction: run it again.
    Contended,
    /// The connection is gone.
    Closed,
}

impl StoreError {
    pub(crate) fn from_diesel(error: DieselError) -> (Self, Fate) {
        match error {
            DieselError::DatabaseError(kind, information) => {
                let message = information.message().to_owned();
                match kind {
                    DatabaseErrorKind::UniqueViolation => {
                        let constraint = information.constraint_name().map_or(message, str::to_owned);
                        (Self::Conflict(constraint), Fate::Doomed)
                    }
                    DatabaseErrorKind::SerializationFailure => (Self::Unavailable(message), Fate::Contended),
                    DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => {
                        (Self::Unavailable(message), Fate::Closed)
                    }
                    _ => Self::from_message(message),
                }
            }
            DieselError::BrokenTransactionManager => (Self::Unavailable(error.to_string()), Fate::Closed),
            other => (Self::Database(other.to_string()), Fate::Doomed),
        }
    }

    /// diesel keeps no SQLSTATE, so the rest is told apart by PostgreSQL's and SQLite's fixed English texts.
    fn from_message(message: String) -> (Self, Fate) {
        let any = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
        if any(&["deadlock detected", "database is locked", "database table is locked"]) {
            return (Self::Unavailable(message), Fate::Contended);
        }
        if any(&["terminating connection", "the database system is", "connection closed"]) {
            return (Self::Unavailable(message), Fate::Closed);
        }
        if any(&["statement timeout", "lock timeout", "too many clients", "too many connections"]) {
            return (Self::Unavailable(message), Fate::Doomed);
        }
        (Self::Database(message), Fate::Doomed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(message: &str) -> (StoreError, Fate) {
        let information = Box::new(message.to_owned());
        StoreError::from_diesel(DieselError::DatabaseError(DatabaseErrorKind::Unknown, information))
    }

    #[test]
    fn a_deadlock_is_worth_another_try() {
        assert_eq!(unknown("deadlock detected").1, Fate::Contended);
        assert_eq!(unknown("database is locked").1, Fate::Contended);
    }

    #[test]
    fn a_closed_connection_is_unavailable() {
        let (error, fate) = unknown("terminating connection due to administrator command");
        assert!(matches!(error, StoreError::Unavailable(_)));
        assert_eq!(fate, Fate::Closed);
    }

    #[test]
    fn a_missing_table_is_nothing_to_repeat() {
        let (error, fate) = unknown("relation \"users\" does not exist");
        assert!(matches!(error, StoreError::Database(_)));
        assert_eq!(fate, Fate::Doomed);
    }
}
