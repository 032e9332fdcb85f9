//! What scales evidence: trust and half-lives as they are in force.

use rusqlite::Connection;

use crate::error::Result;
use crate::outcome::Scales;

use super::authorities::Trust;
use super::{half_lives, principals};

/// The scales in force.
pub(crate) fn load(conn: &Connection, trust: &Trust) -> Result<Scales> {
    Ok(Scales { trust: principals::weights(conn, trust)?, half_lives: half_lives::in_force(conn)? })
}
