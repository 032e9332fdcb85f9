//! Principals: who may report in whose name, and how far their word has been found good.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::outcome::{Agreement, Credit, Group};

use super::authorities::Trust;
use super::changes::Op;
use super::db::{Tx, sql};
use super::heads;
use super::names::{PrincipalName, intern_principal};
use super::reports::Row;
use super::sum::RowSum;

/// How a report's reporter stood when it was told. The numbers are part of the file format: reports of
/// version 1 knew no difference, and count as the owner's, as they did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub(crate) enum Standing {
    Owner = 0,
    /// A registered principal, proven by its token.
    Registered = 1,
    /// A name that anybody may use.
    Unregistered = 2,
}

impl Standing {
    pub(super) fn from_number(n: i64) -> Result<Self> {
        [Standing::Owner, Standing::Registered, Standing::Unregistered]
            .into_iter()
            .find(|standing| *standing as i64 == n)
            .ok_or_else(|| Error::corrupt(format!("a report has the standing {n}, which there is not")))
    }

    /// Whose word it is that a reporter of this standing gives.
    pub(super) fn group(self, reporter: Option<i64>) -> Group {
        match (self, reporter) {
            (Standing::Owner, _) => Group::OWNER,
            (Standing::Registered, Some(principal)) => Group(principal),
            (Standing::Registered | Standing::Unregistered, _) => Group::POOL,
        }
    }
}

/// A principal and what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct PrincipalRow {
    pub name: String,
    pub registered_at: Option<Timestamp>,
    /// The table has a registration that no authority signed: it is not believed.
    pub disbelieved: bool,
    pub reports: i64,
    pub group: Group,
    pub agreement: Agreement,
}

/// Registers a principal, or gives it another token. Returns the token, of which only a hash is kept.
pub(crate) fn register(tx: &mut Tx<'_>, name: &str) -> Result<String> {
    let mut secret = [[0_u8; 16]; 2];
    getrandom::fill(secret.as_flattened_mut()).map_err(Error::internal)?;
    let [first, second] = secret.map(u128::from_be_bytes);
    let token = format!("{first:032x}{second:032x}");
    let mut known = intern_principal(tx, name)?;
    (known.registered_at, known.token_hash) = (Some(tx.now), Some(hash(&token)));
    known.store(tx)?;
    tx.change(Op::TrustChanged, 0, known.id)?;
    Ok(token)
}

/// Takes a principal's registration away. Returns whether it was registered.
pub(crate) fn revoke(tx: &mut Tx<'_>, name: &str) -> Result<bool> {
    let Some(mut known) = PrincipalName::by_name(tx.conn, name)?.filter(|one| one.token_hash.is_some())
    else {
        return Ok(false);
    };
    (known.registered_at, known.token_hash) = (None, None);
    known.store(tx)?;
    tx.change(Op::TrustChanged, 0, known.id)?;
    Ok(true)
}

/// Takes every registration away, also where the row is not as it was written. Returns whose.
pub(crate) fn revoke_all(tx: &mut Tx<'_>) -> Result<Vec<String>> {
    let all: Vec<PrincipalName> = {
        let mut statement = tx
            .conn
            .prepare(
                "SELECT id, name, created_at FROM principals
                 WHERE token_hash IS NOT NULL OR registered_at IS NOT NULL ORDER BY name",
            )
            .map_err(sql)?;
        let rows = statement.query_map([], |r| {
            let (id, name, created_at) = (r.get(0)?, r.get(1)?, r.get(2)?);
            Ok(PrincipalName { id, name, created_at, registered_at: None, token_hash: None })
        });
        rows.map_err(sql)?.collect::<rusqlite::Result<_>>().map_err(sql)?
    };
    for known in &all {
        known.store(tx)?;
        tx.change(Op::TrustChanged, 0, known.id)?;
    }
    Ok(all.into_iter().map(|known| known.name).collect())
}

/// How a reporter stands who shows this token. Where registrations are not what an authority signed, no token
/// proves anything, and no name that the table says is registered is taken for one that anybody may use.
pub(crate) fn standing(
    conn: &Connection,
    trust: &Trust,
    name: Option<&str>,
    token: Option<&str>,
) -> Result<Standing> {
    let Some(name) = name else {
        return Ok(Standing::Owner);
    };
    if token.is_some()
        && let Some(doubt) = heads::doubt_principals(conn, trust)?
    {
        return Err(Error::corrupt(doubt));
    }
    let known = PrincipalName::by_name(conn, name)?.and_then(|known| known.token_hash);
    match (known, token) {
        (None, None) => Ok(Standing::Unregistered),
        (Some(known), Some(token)) if same(&known, &hash(token)) => Ok(Standing::Registered),
        _ => Err(Error::BadToken { name: name.to_owned() }),
    }
}

fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Compares without telling by its time how much is equal.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && std::hint::black_box(a.iter().zip(b).fold(0, |seen, (x, y)| seen | (x ^ y))) == 0
}

/// All principals that are registered or have reported, by name.
pub(crate) fn all(conn: &Connection, trust: &Trust) -> Result<Vec<PrincipalRow>> {
    let doubted = heads::doubt_principals(conn, trust)?.is_some();
    let agreements = agreements(conn)?;
    let mut statement = conn
        .prepare("SELECT reporter, count(*) FROM reports WHERE reporter IS NOT NULL GROUP BY reporter")
        .map_err(sql)?;
    let counted = statement.query_map([], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?))).map_err(sql)?;
    let reports: BTreeMap<i64, i64> = counted.collect::<rusqlite::Result<_>>().map_err(sql)?;
    let mut all = PrincipalName::all(conn, "1")?;
    all.retain(|one| one.registered_at.is_some() || reports.contains_key(&one.id));
    let row = |one: PrincipalName| {
        let registered_at = one.registered_at.filter(|_| !doubted);
        let group = if registered_at.is_some() { Group(one.id) } else { Group::POOL };
        PrincipalRow {
            registered_at,
            disbelieved: one.registered_at.is_some() && doubted,
            reports: reports.get(&one.id).copied().unwrap_or(0),
            group,
            agreement: agreements.get(&group).copied().unwrap_or_default(),
            name: one.name,
        }
    };
    Ok(all.into_iter().map(row).collect())
}

/// Mean of the posterior of how far the word of a principal agrees with the owner's, in `0..=1`. Without
/// `trust`, registrations are taken as they are.
pub(crate) fn reliability(conn: &Connection, trust: Option<&Trust>, principal: i64) -> Result<f64> {
    let known = PrincipalName::by_id(conn, principal)?;
    let registered = known.is_some_and(|known| known.registered_at.is_some())
        && trust.map_or(Ok(None), |trust| heads::doubt_principals(conn, trust))?.is_none();
    let group = if registered { Group(principal) } else { Group::POOL };
    let (a, b) = agreements(conn)?.get(&group).copied().unwrap_or_default().posterior(group);
    Ok(a / (a + b))
}

/// What the credit of each group is multiplied by. One that is not in it has no weight; the owner has
/// all. Registrations that no authority signed give none.
pub(crate) fn weights(conn: &Connection, trust: &Trust) -> Result<BTreeMap<Group, f64>> {
    let agreements = agreements(conn)?;
    let registered = match heads::doubt_principals(conn, trust)? {
        None => PrincipalName::all(conn, "registered_at IS NOT NULL")?,
        Some(_) => Vec::new(),
    };
    let mut groups: Vec<Group> = registered.iter().map(|one| Group(one.id)).collect();
    groups.push(Group::POOL);
    let weight = |group: &Group| agreements.get(group).copied().unwrap_or_default().weight(*group);
    let mut weights: BTreeMap<Group, f64> = groups.iter().map(|group| (*group, weight(group))).collect();
    weights.insert(Group::OWNER, 1.0);
    Ok(weights)
}

fn agreements(conn: &Connection) -> Result<BTreeMap<Group, Agreement>> {
    let mut statement =
        conn.prepare_cached("SELECT principal, agreed, judged, checksum FROM reliabilities").map_err(sql)?;
    let rows = statement
        .query_map([], |r| {
            let agreement = Agreement { agreed: Credit::from_raw(r.get(1)?), judged: r.get(2)? };
            Ok((Group(r.get(0)?), agreement, r.get::<_, i64>(3)?))
        })
        .map_err(sql)?;
    rows.map(|row| {
        let (group, agreement, checksum) = row.map_err(sql)?;
        agreement_sum(group, agreement).check(checksum, group.0)?;
        Ok((group, agreement))
    })
    .collect()
}

fn agreement_sum(group: Group, agreement: Agreement) -> RowSum {
    RowSum::new("reliabilities").int(group.0).int(agreement.agreed.raw()).int(agreement.judged)
}

fn judgement_sum(receipt: &[u8], group: Group, agreement: Credit) -> RowSum {
    RowSum::new("judgements").bytes(receipt).int(group.0).int(agreement.raw())
}

/// The groups other than the owner that told how a recall went that the owner judged too, and how far
/// each agreed with the owner.
fn judge(reports: &[Row]) -> BTreeMap<Group, Credit> {
    // Exact sums: the mean must not depend on the order.
    let mut told: BTreeMap<Group, (i64, i64)> = BTreeMap::new();
    for row in reports {
        if let Some(outcome) = row.verdict() {
            let (sum, n) = told.entry(row.group()).or_default();
            *sum += Credit::share(1, 1).times(outcome).raw();
            *n += 1;
        }
    }
    let mean = |(sum, n): (i64, i64)| Credit::from_raw(sum).weight() / n as f64;
    match told.remove(&Group::OWNER) {
        Some(owner) => {
            told.into_iter().map(|(group, sums)| (group, Agreement::of(mean(owner), mean(sums)))).collect()
        }
        None => BTreeMap::new(),
    }
}

/// Brings in step what the reports on a receipt teach about those who told them. Returns the groups
/// about whom something was learnt, or unlearnt.
pub(super) fn learn(tx: &Tx<'_>, receipt: &[u8], reports: &[Row]) -> Result<Vec<Group>> {
    if reports.iter().all(|row| row.group() == Group::OWNER) {
        return Ok(Vec::new());
    }
    let wanted = judge(reports);
    let held = judgements(tx.conn, "WHERE receipt = ?1", Some(receipt))?;
    let held: BTreeMap<Group, Credit> =
        held.into_iter().map(|(_, group, agreement)| (group, agreement)).collect();
    if wanted == held {
        return Ok(Vec::new());
    }
    let mut agreements = agreements(tx.conn)?;
    let mut learnt = Vec::new();
    let groups: Vec<Group> = wanted.keys().chain(held.keys()).copied().collect();
    for group in groups {
        let (new, old) = (wanted.get(&group), held.get(&group));
        if new == old || learnt.contains(&group) {
            continue;
        }
        learnt.push(group);
        match new {
            Some(agreement) => tx
                .conn
                .prepare_cached(
                    "INSERT OR REPLACE INTO judgements(receipt, principal, agreement, checksum)
                     VALUES (?1, ?2, ?3, ?4)",
                )
                .and_then(|mut s| {
                    let checksum = judgement_sum(receipt, group, *agreement).finish();
                    s.execute(params![receipt, group.0, agreement.raw(), checksum])
                }),
            None => tx
                .conn
                .prepare_cached("DELETE FROM judgements WHERE receipt = ?1 AND principal = ?2")
                .and_then(|mut s| s.execute(params![receipt, group.0])),
        }
        .map_err(sql)?;
        let raw = |credit: Option<&Credit>| credit.map_or(0, |credit| credit.raw());
        let known = agreements.entry(group).or_default();
        known.agreed = Credit::from_raw(known.agreed.raw() + raw(new) - raw(old));
        known.judged += i64::from(new.is_some()) - i64::from(old.is_some());
        let checksum = agreement_sum(group, *known).finish();
        tx.conn
            .prepare_cached(
                "INSERT OR REPLACE INTO reliabilities(principal, agreed, judged, checksum)
                 VALUES (?1, ?2, ?3, ?4)",
            )
            .and_then(|mut s| s.execute([group.0, known.agreed.raw(), known.judged, checksum]))
            .map_err(sql)?;
    }
    Ok(learnt)
}

fn judgements(
    conn: &Connection,
    condition: &str,
    receipt: Option<&[u8]>,
) -> Result<Vec<(Vec<u8>, Group, Credit)>> {
    let mut statement = conn
        .prepare_cached(&format!(
            "SELECT receipt, principal, agreement, checksum FROM judgements {condition}"
        ))
        .map_err(sql)?;
    let read = |r: &rusqlite::Row<'_>| {
        let judgement: (Vec<u8>, Group, Credit) = (r.get(0)?, Group(r.get(1)?), Credit::from_raw(r.get(2)?));
        Ok((judgement, r.get::<_, i64>(3)?))
    };
    let rows = match receipt {
        Some(receipt) => statement.query_map([receipt], read),
        None => statement.query_map([], read),
    }
    .map_err(sql)?;
    rows.map(|row| {
        let ((receipt, group, agreement), checksum) = row.map_err(sql)?;
        judgement_sum(&receipt, group, agreement).check(checksum, group.0)?;
        Ok((receipt, group, agreement))
    })
    .collect()
}

/// One sentence if registrations are not what an authority signed.
pub(crate) fn check_signed(conn: &Connection, trust: &Trust) -> Result<Vec<String>> {
    match heads::load(conn, trust) {
        Ok((_, Some(head))) => match head.check_principals(conn) {
            Err(Error::Corrupt { what }) => Ok(vec![what]),
            checked => checked.map(|()| Vec::new()),
        },
        // What is wrong with the head itself is told of the rules.
        Ok(_) | Err(Error::Corrupt { .. } | Error::Unauthorised { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What has been learnt about the principals must be what the reports teach. One sentence for each fault.
pub(crate) fn check(conn: &Connection) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut sums: BTreeMap<Group, Agreement> = BTreeMap::new();
    let held = judgements(conn, "ORDER BY receipt, principal", None)?;
    let mut statement = conn
        .prepare("SELECT DISTINCT receipt FROM reports WHERE standing > 0 AND receipt IS NOT NULL")
        .map_err(sql)?;
    let receipts = statement.query_map([], |r| r.get::<_, Vec<u8>>(0)).map_err(sql)?;
    let mut expected = BTreeMap::new();
    for receipt in receipts {
        let receipt = receipt.map_err(sql)?;
        for (group, agreement) in judge(&Row::load_where(conn, "receipt = ?1", &receipt)?) {
            let known = sums.entry(group).or_default();
            known.agreed = Credit::from_raw(known.agreed.raw() + agreement.raw());
            known.judged += 1;
            expected.insert((receipt.clone(), group), agreement);
        }
    }
    if held.len() != expected.len()
        || held
            .iter()
            .any(|(receipt, group, agreement)| expected.get(&(receipt.clone(), *group)) != Some(agreement))
    {
        faults.push("the judgements on receipts are not what their reports say".to_owned());
    }
    let mut known = agreements(conn)?;
    known.retain(|_, agreement| *agreement != Agreement::default());
    if known != sums {
        faults.push("the reliabilities of principals are not what their judgements give".to_owned());
    }
    Ok(faults)
}
