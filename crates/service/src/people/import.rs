//! Brings people over from the legacy portal with their password hashes: they register with these once (R5 to R9).

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead, Read as _};

use countersign_flow::password;
use countersign_model::{
    Account, AuditEvent, AuditKind, LegacyCredential, Organization, OrganizationId, Profile, User, UserId, UserStatus,
};
use countersign_store::{StoreError, Tx};
use zeroize::{Zeroize as _, Zeroizing};

use super::import_line::{Fields, Header, ImportFormat, LegacyPerson};
use super::{Actor, change_event, find_npi};
use crate::ServiceError;
use crate::audit::RequestContext;
use crate::clock::random;
use crate::legacy::{MAX_COSTS, list_costs, note_cost};
use crate::provider::Provider;

/// Longest line, in bytes.
const MAX_LINE: usize = 8192;
/// Lines that are written in one transaction.
const BATCH: usize = 100;
/// Rejected lines that are told of one by one; the rest is counted.
const MAX_TOLD: usize = 1000;

/// What became of an import.
#[derive(Clone, Debug, Default)]
pub struct ImportReport {
    /// Lines that were read, without a header and empty ones.
    pub lines: u64,
    /// People who were brought over, or would be.
    pub imported: u64,
    /// How many of these came without a hash: the legacy portal is asked about them, if there is a connector.
    pub without_hash: u64,
    /// Lines whose user name is there already.
    pub skipped: u64,
    /// Lines that were not accepted.
    pub rejected: u64,
    /// The first thousand of these.
    pub told: Vec<Rejected>,
}

/// A line that was not accepted. Holds nothing of what it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its number, from 1.
    pub line: u64,
    /// Why.
    pub reason: &'static str,
}

/// How an import ended.
#[derive(Clone, Debug)]
pub enum Imported {
    /// All of it was read.
    Done(ImportReport),
    /// It could not be read on; what was written before stands, and another try skips it.
    Unreadable(String, ImportReport),
}

/// An import under way.
struct Import<'a> {
    format: ImportFormat,
    dry_run: bool,
    context: &'a RequestContext,
    organizations: Vec<Organization>,
    /// Of the hashes that are there, and of those to come.
    costs: BTreeSet<String>,
    report: ImportReport,
    /// Of a dry run: names and addresses that would be there by now, hashed.
    seen: HashSet<u64>,
    hasher: RandomState,
}

/// A line that was read: its number, the account, the event that tells of it.
type Row = (u64, Account, AuditEvent);

/// What became of a row.
#[derive(Clone, Copy)]
enum Fate {
    New,
    Known,
    EmailTaken,
    IdTaken,
}

impl Provider {
    /// Imports people, a hundred lines a transaction; a dry run only looks. Reads `source` where it stands: for
    /// commands, not for a node that serves.
    pub async fn import_people(
        &self,
        mut source: impl BufRead + Send,
        format: ImportFormat,
        dry_run: bool,
        context: &RequestContext,
    ) -> Result<Imported, ServiceError> {
        let (organizations, costs) = self
            .db
            .read(async |tx| Ok::<_, StoreError>((tx.list_organizations().await?, list_costs(tx).await?)))
            .await?;
        let mut import = Import {
            format,
            dry_run,
            context,
            organizations,
            costs,
            report: ImportReport::default(),
            seen: HashSet::new(),
            hasher: RandomState::new(),
        };
        let (mut header, mut number, mut rows) = (None, 0_u64, Vec::with_capacity(BATCH));
        loop {
            let line = match read_line(&mut source) {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(why) => {
                    self.write_rows(&mut import, &mut rows).await?;
                    return Ok(Imported::Unreadable(why.to_string(), import.report));
                }
            };
            number += 1;
            if number == 1 && format == ImportFormat::Csv {
                match line.text().map_err(str::to_owned).and_then(Header::parse) {
                    Ok(read) => header = Some(read),
                    Err(why) => return Ok(Imported::Unreadable(why, import.report)),
                }
                continue;
            }
            if let Some(row) = self.read_row(&mut import, header.as_ref(), &line, number)? {
                rows.push(row);
            }
            if rows.len() == BATCH {
                self.write_rows(&mut import, &mut rows).await?;
            }
        }
        self.write_rows(&mut import, &mut rows).await?;
        Ok(Imported::Done(import.report))
    }

    fn read_row(
        &self,
        import: &mut Import<'_>,
        header: Option<&Header>,
        line: &Line,
        number: u64,
    ) -> Result<Option<Row>, ServiceError> {
        if line.is_empty() {
            return Ok(None);
        }
        import.report.lines += 1;
        let read = line.text().and_then(|text| match (import.format, header) {
            (ImportFormat::Csv, Some(header)) => header.read(text),
            _ => Fields::parse_json(text),
        });
        let person = read.and_then(Fields::read).and_then(|person| {
            let organization = person.npi.as_deref().map(|npi| import.find_organization(npi)).transpose()?;
            person.hash.as_deref().map_or(Ok(()), |hash| import.note_cost(hash))?;
            Ok((person, organization))
        });
        let (person, organization) = match person {
            Ok(person) => person,
            Err(reason) => {
                import.reject(number, reason);
                return Ok(None);
            }
        };
        let now = self.clock.now();
        let id = match person.id.clone() {
            Some(id) => id,
            None => UserId::new(now, random()?),
        };
        let account = account_of(person, organization, id, now);
        let (kind, actor) = (AuditKind::AccountCreated, Actor::Operator);
        let event = change_event(&account.user.id, kind, "imported", None, actor, import.context, now)?;
        Ok(Some((number, account, event)))
    }

    async fn write_rows(&self, import: &mut Import<'_>, rows: &mut Vec<Row>) -> Result<(), ServiceError> {
        if rows.is_empty() {
            return Ok(());
        }
        let fates = if import.dry_run {
            let looked = self.db.read(async |tx| look_up(tx, rows).await).await?;
            rows.iter().zip(looked).map(|(row, fate)| import.note_seen(row, fate)).collect()
        } else {
            self.db.write(async |tx| insert(tx, rows).await).await?
        };
        for ((number, account, _), fate) in rows.iter().zip(fates) {
            match fate {
                Fate::New => {
                    import.report.imported += 1;
                    import.report.without_hash += u64::from(account.legacy.is_none());
                }
                Fate::Known => import.report.skipped += 1,
                Fate::EmailTaken => import.reject(*number, "the mail address is another account's"),
                Fate::IdTaken => import.reject(*number, "the id is another account's"),
            }
        }
        rows.clear();
        Ok(())
    }
}

impl Import<'_> {
    fn reject(&mut self, line: u64, reason: &'static str) {
        self.report.rejected += 1;
        if self.report.told.len() < MAX_TOLD {
            self.report.told.push(Rejected { line, reason });
        }
    }

    fn find_organization(&self, npi: &str) -> Result<OrganizationId, &'static str> {
        use super::PersonRefusal as Refusal;
        find_npi(&self.organizations, npi).map_err(|refusal| match refusal {
            Refusal::OrganizationAmbiguous => "several organizations have this NPI",
            _ => "no organization has this NPI",
        })
    }

    fn note_cost(&mut self, hash: &str) -> Result<(), &'static str> {
        let cost = password::dummy_like(hash).map_err(|_| "the hash is of no known method")?;
        if self.costs.len() >= MAX_COSTS && !self.costs.contains(&cost) {
            return Err("hashes of four other methods or costs are there already");
        }
        self.costs.insert(cost);
        Ok(())
    }

    /// What a dry run would have written by now counts as written.
    fn note_seen(&mut self, (_, account, _): &Row, fate: Fate) -> Fate {
        if !matches!(fate, Fate::New) {
            return fate;
        }
        let hash = |kind: &str, text: &Option<String>| text.as_ref().map(|text| self.hasher.hash_one((kind, text)));
        let (name, email) = (hash("name", &account.user.username), hash("email", &account.user.email));
        let id = self.hasher.hash_one(("id", &account.user.id));
        if name.is_some_and(|name| self.seen.contains(&name)) {
            return Fate::Known;
        }
        if email.is_some_and(|email| self.seen.contains(&email)) {
            return Fate::EmailTaken;
        }
        if self.seen.contains(&id) {
            return Fate::IdTaken;
        }
        self.seen.extend(name.into_iter().chain(email).chain([id]));
        Fate::New
    }
}

async fn look_up(tx: &mut Tx, rows: &[Row]) -> Result<Vec<Fate>, ServiceError> {
    let mut fates = Vec::with_capacity(rows.len());
    for (_, account, _) in rows {
        fates.push(find_fate(tx, &account.user).await?);
    }
    Ok(fates)
}

async fn insert(tx: &mut Tx, rows: &[Row]) -> Result<Vec<Fate>, ServiceError> {
    let (mut fates, mut events) = (Vec::with_capacity(rows.len()), Vec::new());
    for (_, account, event) in rows {
        let fate = find_fate(tx, &account.user).await?;
        if matches!(fate, Fate::New) {
            if let Some(legacy) = &account.legacy {
                note_cost(tx, legacy).await?;
            }
            tx.insert_account(account).await?;
            events.push(event.clone());
        }
        fates.push(fate);
    }
    tx.insert_audit_events(&events).await?;
    Ok(fates)
}

async fn find_fate(tx: &mut Tx, user: &User) -> Result<Fate, ServiceError> {
    if let Some(username) = &user.username
        && tx.username_exists(username).await?
    {
        return Ok(Fate::Known);
    }
    if let Some(email) = &user.email
        && tx.email_exists(email).await?
    {
        return Ok(Fate::EmailTaken);
    }
    if tx.find_account(&user.id).await?.is_some() {
        return Ok(Fate::IdTaken);
    }
    Ok(Fate::New)
}

fn account_of(
    person: LegacyPerson,
    organization: Option<OrganizationId>,
    id: UserId,
    now: countersign_model::Timestamp,
) -> Account {
    let user = User {
        id,
        email: person.email,
        username: Some(person.username),
        status: UserStatus::Active,
        organization,
        roles: Vec::new(),
        profile: Profile { name: person.name, ..Profile::default() },
        fax: None,
        locale: None,
        terms_version: None,
        registered_at: None,
        created_at: now,
        updated_at: now,
    };
    let legacy = person.hash.map(|phc| LegacyCredential { phc, imported_at: now });
    Account { user, password: None, legacy, factors: Vec::new() }
}

/// A line without its end; wiped, since it holds a hash.
struct Line {
    bytes: Zeroizing<Vec<u8>>,
    is_long: bool,
}

impl Line {
    fn is_empty(&self) -> bool {
        !self.is_long && self.bytes.iter().all(u8::is_ascii_whitespace)
    }

    fn text(&self) -> Result<&str, &'static str> {
        if self.is_long {
            return Err("longer than 8192 bytes");
        }
        let text = std::str::from_utf8(&self.bytes).map_err(|_| "no UTF-8")?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Ok(text.strip_suffix('\r').unwrap_or(text))
    }
}

/// The next line; of one that is too long no more than the bound is kept.
fn read_line(source: &mut impl BufRead) -> std::io::Result<Option<Line>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(512));
    let most = MAX_LINE as u64 + 1;
    if source.by_ref().take(most).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    let ended = bytes.last() == Some(&b'\n');
    if ended {
        bytes.pop();
    }
    let is_long = bytes.len() > MAX_LINE;
    if is_long && !ended {
        skip_line(source)?;
    }
    Ok(Some(Line { bytes, is_long }))
}

fn skip_line(source: &mut impl BufRead) -> std::io::Result<()> {
    let mut rest = Vec::new();
    loop {
        rest.zeroize();
        let read = source.by_ref().take(MAX_LINE as u64).read_until(b'\n', &mut rest)?;
        if read == 0 || rest.last() == Some(&b'\n') {
            return Ok(());
        }
    }
}
