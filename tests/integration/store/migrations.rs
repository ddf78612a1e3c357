//! Up, down and up again; two nodes at once; a database that is behind.

use std::path::{Path, PathBuf};

use countersign_model::{NpiRule, Timestamp};
use countersign_store::{PeopleFilter, StoreError, Tx};
use countersign_tests::stores::{Backend, Stored, TestDatabase, block_on};

use super::fixtures::{NOW, user_id};

/// The folders of a backend's migrations, oldest first.
fn folders(backend: Backend) -> Vec<PathBuf> {
    let name = match backend {
        Backend::Postgres => "postgres",
        Backend::Sqlite => "sqlite",
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(name);
    let mut folders: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

fn on_each(test: impl AsyncFn(Backend)) {
    for backend in [Backend::Postgres, Backend::Sqlite] {
        block_on(test(backend));
    }
}

#[test]
fn schema_goes_up_down_and_up_again() {
    on_each(async |backend| {
        let database = TestDatabase::empty(backend).await;
        let applied = database.db.migrate().await.unwrap();
        assert_eq!(applied.len(), folders(backend).len());
        for folder in folders(backend).iter().rev() {
            database.raw(&std::fs::read_to_string(folder.join("down.sql")).unwrap()).await.unwrap();
        }
        database.raw("DELETE FROM __diesel_schema_migrations").await.unwrap();
        assert_eq!(database.db.pending_migrations().await.unwrap(), applied.len());
        // Fails when a down left anything: nothing is made IF NOT EXISTS.
        assert_eq!(database.db.migrate().await.unwrap(), applied);
        let works: Stored<bool> = database.db.write(async |tx: &mut Tx| tx.insert_effect("k", NOW).await).await;
        assert!(works.unwrap());
    });
}

#[test]
fn people_of_an_older_database_count_as_registered() {
    on_each(async |backend| {
        let database = TestDatabase::empty(backend).await;
        let first = &folders(backend)[0];
        database.raw(&std::fs::read_to_string(first.join("up.sql")).unwrap()).await.unwrap();
        let version: String = first.file_name().unwrap().to_str().unwrap().split('_').next().unwrap().replace('-', "");
        let user = user_id(1);
        let old = format!(
            "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, \
             run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP); \
             INSERT INTO __diesel_schema_migrations (version) VALUES ('{version}'); \
             INSERT INTO users (id, email, status, roles, profile, created_at, updated_at) \
             VALUES ('{user}', 'old@example.test', 'active', '[]', '{{}}', 1000, 2000)"
        );
        database.raw(&old).await.unwrap();
        database.db.migrate().await.unwrap();
        let found: Stored<_> = database.db.read(async |tx: &mut Tx| tx.find_account(&user).await).await;
        assert_eq!(found.unwrap().unwrap().user.registered_at, Some(Timestamp::from_millis(1000)));
    });
}

#[test]
fn provider_administrators_of_an_older_database_look_after_their_own_organization() {
    on_each(async |backend| {
        let database = TestDatabase::new(backend).await;
        let folder = folders(backend).into_iter().find(|folder| folder.ends_with("2026-11-22-000005_desk")).unwrap();
        database.raw(&std::fs::read_to_string(folder.join("down.sql")).unwrap()).await.unwrap();
        let (manager, nurse, ward) = (user_id(1), user_id(2), user_id(3));
        let code = if backend == Backend::Postgres { "'\\x00'" } else { "X'00'" };
        let old = format!(
            "INSERT INTO organizations (id, name, npi, registration_code, created_at) VALUES ('{ward}', 'W', '1', {code}, 0); \
             INSERT INTO users (id, status, organization, roles, profile, created_at, updated_at) VALUES \
             ('{manager}', 'active', '{ward}', '[\"provider_administrator\"]', '{{\"name\":\"Mo Manager\"}}', 1000, 2000), \
             ('{nurse}', 'active', '{ward}', '[\"help_desk\"]', '{{\"name\":null}}', 1000, 2000); \
             DELETE FROM __diesel_schema_migrations WHERE version = '20261122000005'"
        );
        database.raw(&old).await.unwrap();
        database.db.migrate().await.unwrap();
        let filter = PeopleFilter { search: Some("mo man".to_owned()), limit: 9, ..PeopleFilter::default() };
        let found: Stored<_> = database
            .db
            .read(async |tx: &mut Tx| {
                let people = tx.list_people(&filter).await?;
                Ok((tx.list_administered(&manager).await?, tx.list_administered(&nurse).await?, people))
            })
            .await;
        let (managers, nurses, people) = found.unwrap();
        assert_eq!(managers.iter().map(ToString::to_string).collect::<Vec<_>>(), [ward.to_string()]);
        assert!(nurses.is_empty() && people.len() == 1 && people[0].id == manager);
    });
}

#[test]
fn organizations_of_an_older_database_take_what_they_took() {
    on_each(async |backend| {
        let database = TestDatabase::new(backend).await;
        let folder =
            folders(backend).into_iter().find(|folder| folder.ends_with("2026-11-22-000009_validators")).unwrap();
        database.raw(&std::fs::read_to_string(folder.join("down.sql")).unwrap()).await.unwrap();
        let code = |byte: &str| {
            let hex = byte.repeat(32);
            if backend == Backend::Postgres { format!("'\\x{hex}'") } else { format!("X'{hex}'") }
        };
        let (one, other, twin) = (user_id(1), user_id(2), user_id(3));
        let old = format!(
            "INSERT INTO organizations (id, name, npi, registration_code, created_at) VALUES \
             ('{one}', 'A', 'bcbs-1', {}, 0), ('{other}', 'B', 'bcbs-2', {}, 0), ('{twin}', 'C', 'BCBS-2', {}, 0); \
             DELETE FROM __diesel_schema_migrations WHERE version = '20261122000009'",
            code("01"),
            code("02"),
            code("02"),
        );
        database.raw(&old).await.unwrap();
        database.db.migrate().await.unwrap();
        let found: Stored<_> = database.db.read(async |tx: &mut Tx| tx.list_organizations().await).await;
        let found = found.unwrap();
        let npis: Vec<_> = found.iter().map(|organization| organization.npi.as_str()).collect();
        assert_eq!(npis, ["BCBS-1", "bcbs-2", "BCBS-2"]);
        assert!(found.iter().all(|organization| organization.validator == NpiRule::NpiOrOther));
    });
}

#[test]
fn both_databases_have_the_same_migrations() {
    let names =
        |backend| -> Vec<_> { folders(backend).iter().map(|folder| folder.file_name().unwrap().to_owned()).collect() };
    assert_eq!(names(Backend::Postgres), names(Backend::Sqlite));
}

#[test]
fn two_nodes_may_migrate_at_once() {
    on_each(async |backend| {
        let database = TestDatabase::empty(backend).await;
        let (one, other) = (database.another_node(), database.another_node());
        let (one, other) = tokio::join!(one.migrate(), other.migrate());
        let mut applied = one.unwrap();
        applied.extend(other.unwrap());
        assert_eq!(applied.len(), folders(backend).len(), "each was applied by one of them");
        assert_eq!(database.db.pending_migrations().await.unwrap(), 0);
    });
}

#[test]
fn database_without_schema_says_so() {
    on_each(async |backend| {
        let database = TestDatabase::empty(backend).await;
        assert_eq!(database.db.pending_migrations().await.unwrap(), folders(backend).len());
        let refused: Stored<bool> = database.db.write(async |tx: &mut Tx| tx.insert_effect("k", NOW).await).await;
        assert!(matches!(refused, Err(StoreError::Database(_))), "{refused:?}");
    });
}
