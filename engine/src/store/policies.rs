//! Policies of namespaces, as JSON text. A namespace without a row has the default one.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result};

use super::changes::Op;
use super::db::{Tx, sql};
use super::sum::RowSum;

fn sum(namespace: i64, policy: &str) -> RowSum {
    RowSum::new("policies").int(namespace).text(Some(policy))
}

/// The policy of a namespace, if one was set.
pub(crate) fn load(conn: &Connection, namespace: i64) -> Result<Option<String>> {
    let row = conn
        .prepare_cached("SELECT policy, checksum FROM policies WHERE namespace = ?1")
        .and_then(|mut s| {
            s.query_row([namespace], |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?))).optional()
        })
        .map_err(sql)?;
    row.map(|(policy, checksum)| {
        sum(namespace, &policy).check(checksum, namespace)?;
        Ok(policy)
    })
    .transpose()
}

/// Sets the policy of a namespace.
pub(crate) fn set(tx: &mut Tx<'_>, namespace: i64, policy: &str) -> Result<()> {
    tx.conn
        .prepare_cached("INSERT OR REPLACE INTO policies(namespace, policy, checksum) VALUES (?1, ?2, ?3)")
        .and_then(|mut s| s.execute(params![namespace, policy, sum(namespace, policy).finish()]))
        .map_err(sql)?;
    tx.change(Op::Policy, namespace, namespace).map(|_| ())
}

/// Reads every policy. One sentence for each row at fault.
pub(crate) fn check_all(conn: &Connection) -> Result<Vec<String>> {
    let mut statement = conn.prepare("SELECT namespace FROM policies").map_err(sql)?;
    let rows = statement.query_map([], |r| r.get::<_, i64>(0)).map_err(sql)?;
    let mut faults = Vec::new();
    for namespace in rows {
        match load(conn, namespace.map_err(sql)?) {
            Err(Error::Corrupt { what }) => faults.push(what),
            other => drop(other?),
        }
    }
    Ok(faults)
}
