//! Who may change the rules of a store.

use crate::clock::Timestamp;
use crate::error::Result;
use crate::key::{PublicKey, SecretKey};
use crate::store::authorities::{Act, Proposal, state};
use crate::store::heads;

use super::core::{Call, Core, check_name};
use super::halt;
use super::store::Store;

/// A key that may change the rules of a store, or once might.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Authority {
    /// Its public key.
    pub key: PublicKey,
    /// Whose key it is.
    pub name: String,
    /// When it was admitted.
    pub added_at: Timestamp,
    /// When it was revoked or rotated; `None` while it is valid.
    pub revoked_at: Option<Timestamp>,
    /// The key that signed its admission: its own for the first, the recovery key after a recovery.
    pub admitted_by: PublicKey,
}

/// The keys made by [`Store::create_authority`] and [`Store::recover_authority`]. They are kept nowhere
/// else: write both down, apart from each other and from the store.
#[derive(Debug)]
#[non_exhaustive]
pub struct AuthorityKeys {
    /// Signs rules.
    pub secret: SecretKey,
    /// Signs nothing but a recovery, when all other keys are lost or stolen.
    pub recovery: SecretKey,
}

/// Authorities: Ed25519 keys that sign rules. Without one, rules can be read and are obeyed, and nobody can
/// change them. Every change of authorities is signed, chained to those before it and written to the audit
/// table; all of them are durable on return. All but the founding can be done in a halt, which keys that were
/// stolen or lost must not make last.
impl Store {
    /// Makes the first authority of the store, and returns its keys: the only time they are seen. It vouches for
    /// what it finds: registrations of principals, triggers, the level of the audit, and halts that were ended
    /// before. From then on each of these is believed only as an authority has signed it.
    ///
    /// Fails with [`Unauthorised`](crate::Error::Unauthorised) if the store has an authority, and with
    /// [`Corrupt`](crate::Error::Corrupt) if it had one that was taken away by other means.
    pub fn create_authority(&self, name: &str) -> Result<AuthorityKeys> {
        let (secret, recovery) = (SecretKey::generate()?, SecretKey::generate()?);
        let proposal = Proposal {
            act: Act::Found,
            name,
            key: secret.public(),
            recovery: Some(recovery.public()),
            reason: "",
            signer: &secret,
            head: &secret,
        };
        change(&self.core, &proposal)?;
        Ok(AuthorityKeys { secret, recovery })
    }

    /// Admits another key. Its owner makes it ([`SecretKey::generate`]) and hands over the public half.
    pub fn add_authority(&self, signer: &SecretKey, name: &str, key: PublicKey) -> Result<()> {
        let proposal =
            Proposal { act: Act::Admit, name, key, recovery: None, reason: "", signer, head: signer };
        change(&self.core, &proposal)
    }

    /// Puts a new key in the place of the one that signs, which is valid no more. Returns the new one: the
    /// only time it is seen.
    pub fn rotate_authority(&self, signer: &SecretKey) -> Result<SecretKey> {
        self.core.enter_for(Call::Oversight)?;
        let authorities = self.core.db.snapshot(|conn| heads::authorities(conn, &self.core.trust()))?;
        let name = authorities.signer(signer)?;
        let fresh = SecretKey::generate()?;
        let proposal = Proposal {
            act: Act::Rotate,
            name: &name,
            key: fresh.public(),
            recovery: None,
            reason: "",
            signer,
            head: &fresh,
        };
        change(&self.core, &proposal)?;
        Ok(fresh)
    }

    /// Revokes another authority's key. What it signed stays in force; it can sign no more. A key cannot
    /// revoke itself, so there is always one left.
    pub fn revoke_authority(&self, signer: &SecretKey, key: PublicKey, reason: &str) -> Result<()> {
        let proposal =
            Proposal { act: Act::Revoke, name: "", key, recovery: None, reason, signer, head: signer };
        change(&self.core, &proposal)
    }

    /// Revokes all authorities and makes a new one, with the recovery key; both new keys are seen this
    /// once. What was signed before stays in force.
    pub fn recover_authority(&self, recovery: &SecretKey, name: &str, reason: &str) -> Result<AuthorityKeys> {
        let (secret, next) = (SecretKey::generate()?, SecretKey::generate()?);
        let proposal = Proposal {
            act: Act::Recover,
            name,
            key: secret.public(),
            recovery: Some(next.public()),
            reason,
            signer: recovery,
            head: &secret,
        };
        change(&self.core, &proposal)?;
        Ok(AuthorityKeys { secret, recovery: next })
    }

    /// Everybody who is or was an authority, in the order of admission. Empty: there is none yet.
    pub fn authorities(&self) -> Result<Vec<Authority>> {
        self.core.enter_for(Call::Oversight)?;
        let chain = self.core.db.snapshot(|conn| heads::authorities(conn, &self.core.trust()))?;
        let authority = |row: &crate::store::authorities::AuthorityRow| Authority {
            key: row.key,
            name: row.name.clone(),
            added_at: row.added_at,
            revoked_at: row.revoked_at,
            admitted_by: row.admitted_by,
        };
        Ok(chain.rows().iter().map(authority).collect())
    }
}

fn change(core: &Core, proposal: &Proposal<'_>) -> Result<()> {
    let founds = proposal.act == Act::Found;
    if founds {
        core.enter()?;
        core.writable()?;
    } else {
        core.enter_for(Call::Oversight)?;
        core.writable_when_halted()?;
    }
    if proposal.act != Act::Revoke {
        check_name("name", proposal.name)?;
    }
    if proposal.act == Act::Revoke || proposal.act == Act::Recover {
        check_name("reason", proposal.reason)?;
    }
    let generation = core.db.write_durably(core.now(), |tx| {
        if founds {
            halt::found(core, tx)?;
        }
        state(tx, &core.trust(), proposal)
    })?;
    core.db.note_rules(generation);
    if founds {
        core.guard_changed();
    }
    Ok(())
}
