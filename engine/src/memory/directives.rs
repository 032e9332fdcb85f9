//! Rules: putting them in force, lifting them, asking them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::key::{PublicKey, SecretKey};
use crate::rules::{Action, Answer, Decision, Directive, Lint, Linter, lint_rules};
use crate::store::audit::{self, Actor};
use crate::store::directives::{self, Signed};
use crate::store::heads::{self, Part};
use crate::store::{Tx, principals as store_principals};

use super::core::{Call, Core, after, check_name};
use super::halt;
use super::rulebook;
use super::ruled::wrong_dimension;
use super::store::Store;
use super::triggers;

/// Longest JSON text of a fact, in bytes.
const MAX_FACT: usize = 64 << 10;

/// A directive in force, or to come.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DirectiveRecord {
    /// The directive.
    pub directive: Directive,
    /// When it was added.
    pub added_at: Timestamp,
    /// The key that signed it.
    pub signed_by: PublicKey,
    /// Whose key that is.
    pub signer: String,
    /// Until when an override lifts it; `None` if none does now.
    pub lifted_until: Option<Timestamp>,
}

/// What an owner has recorded, for rules to require.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Fact {
    /// Its name.
    pub name: String,
    /// Its value: any JSON.
    pub value: Value,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// When it stops holding.
    pub expires_at: Timestamp,
}

/// Rules. They are stored apart from memories, in rows that an authority has signed, and nothing that is
/// remembered, reported or imported can make, change, weaken or hide one. Every handle of every process goes
/// by a change from its next call on.
impl Store {
    /// Puts a directive in force, durably. Returns what may be wrong with it beside the others.
    ///
    /// Fails with [`Unauthorised`](Error::Unauthorised) if the key is none of a valid authority, with
    /// [`RuleConflict`](Error::RuleConflict) if it contradicts, repeats or is hidden by another one, or has
    /// the id of one, and with [`Corrupt`](Error::Corrupt) if somebody has changed the rules by other means
    /// ([`Store::repair_rules`]).
    pub fn add_directive(&self, signer: &SecretKey, directive: &Directive) -> Result<Vec<Lint>> {
        self.add_directives(signer, std::slice::from_ref(directive))
    }

    /// Puts several directives in force: all of them, or none and an error.
    pub fn add_directives(&self, signer: &SecretKey, directives: &[Directive]) -> Result<Vec<Lint>> {
        add(&self.core, signer, directives, None)
    }

    /// Puts a directive in force that conflicts with others, all the same. The reason goes to the audit
    /// table. An id that is taken is still refused.
    pub fn force_directive(
        &self,
        signer: &SecretKey,
        directive: &Directive,
        reason: &str,
    ) -> Result<Vec<Lint>> {
        self.force_directives(signer, std::slice::from_ref(directive), reason)
    }

    /// Puts several directives in force whatever they conflict with: all of them, or none and an error.
    pub fn force_directives(
        &self,
        signer: &SecretKey,
        directives: &[Directive],
        reason: &str,
    ) -> Result<Vec<Lint>> {
        check_name("reason", reason)?;
        add(&self.core, signer, directives, Some(reason))
    }

    /// Takes a directive out of force for good, with the overrides of it. Fails with
    /// [`UnknownDirective`](Error::UnknownDirective) if there is none with this id.
    pub fn remove_directive(&self, signer: &SecretKey, id: &str, reason: &str) -> Result<()> {
        check_name("reason", reason)?;
        change(&self.core, signer, |tx, signed, name| {
            find(signed, id)?;
            directives::remove(tx, id)?;
            let detail = json!({ "directive": id, "reason": reason, "authority": name });
            audit::record(tx, Actor::Authority(name), "directive_removed", 0, 0, &detail).map(|_| ())
        })
    }

    /// Lifts a directive until a time, for everybody. It cannot be made longer by moving a clock back.
    pub fn override_directive(
        &self,
        signer: &SecretKey,
        id: &str,
        reason: &str,
        until: Timestamp,
    ) -> Result<()> {
        check_name("reason", reason)?;
        change(&self.core, signer, |tx, signed, name| {
            find(signed, id)?;
            if until <= tx.now {
                return Err(Error::invalid("until", "it is not in the future"));
            }
            directives::lift(tx, &self.core.trust(), signer, (id, reason, until))?;
            let detail = json!({ "directive": id, "reason": reason, "until": until, "authority": name });
            audit::record(tx, Actor::Authority(name), "directive_overridden", 0, 0, &detail).map(|_| ())
        })
    }

    /// The directives, in the order in which they decide; of a namespace, those that may apply in it. They
    /// can be read without a key. Fails with [`Corrupt`](Error::Corrupt) if they are not what an authority
    /// signed.
    pub fn directives(&self, namespace: Option<&str>) -> Result<Vec<DirectiveRecord>> {
        self.core.enter()?;
        let signed = signed(&self.core)?;
        let now = self.core.now().max(self.core.db.latest_time());
        let mut records: Vec<DirectiveRecord> = Vec::new();
        for row in signed.directives {
            let ends = signed.overrides.iter().filter(|lift| lift.directive == row.directive.id);
            let signer = signed.authorities.rows().iter().find(|authority| authority.key == row.signer);
            records.push(DirectiveRecord {
                added_at: row.at,
                signed_by: row.signer,
                signer: signer.map(|signer| signer.name.clone()).unwrap_or_default(),
                lifted_until: ends.map(|lift| lift.until).filter(|until| now < *until).max(),
                directive: row.directive,
            });
        }
        if let Some(namespace) = namespace {
            records.retain(|record| record.directive.may_apply_in(namespace));
        }
        records.sort_by(|a, b| a.directive.order(&b.directive));
        Ok(records)
    }

    /// Compares all directives with each other.
    pub fn lint_directives(&self) -> Result<Vec<Lint>> {
        self.core.enter()?;
        let mut rows = signed(&self.core)?.directives;
        rows.sort_by_key(|row| row.at);
        let rules: Vec<Directive> = rows.into_iter().map(|row| row.directive).collect();
        Ok(lint_rules(&rules))
    }

    /// Makes the rules of a store good again that somebody has changed by other means than this library: drops
    /// the rows that no authority signed, and signs what is left. Returns a sentence for each row dropped; what
    /// somebody has deleted is gone, so look at [`Store::directives`] afterwards. Also forgets times at which
    /// a clock ran ahead.
    ///
    /// The same for what guards the store and for registrations of principals, which are signed together: where
    /// these are not as they were signed, triggers and the level of the audit are gone and all registrations with
    /// them, and have to be set and made again. Can be done in a halt, and ends none.
    pub fn repair_rules(&self, signer: &SecretKey, reason: &str) -> Result<Vec<String>> {
        self.core.enter_for(Call::Oversight)?;
        self.core.writable_when_halted()?;
        check_name("reason", reason)?;
        let core = &self.core;
        let (generation, dropped) = core.db.write_durably(core.now(), |tx| {
            let authorities = heads::authorities_for_repair(tx.conn, &core.trust())?;
            let name = authorities.signer(signer)?;
            let head = heads::load(tx.conn, &core.trust()).ok().and_then(|(_, head)| head);
            let mut dropped = directives::sweep(tx, &authorities)?;
            dropped.extend(halt::make_good(core, tx, head.as_ref())?);
            if head.is_none_or(|head| head.check_principals(tx.conn).is_err()) {
                let gone = store_principals::revoke_all(tx)?;
                dropped.extend(gone.into_iter().map(|name| {
                    format!(
                        "the registration of {name:?} was not as an authority signed it: register it again"
                    )
                }));
            }
            let detail = json!({ "reason": reason, "dropped": dropped, "authority": name });
            audit::record(tx, Actor::Authority(&name), "rules_repaired", 0, 0, &detail)?;
            Ok((heads::sign_above(tx, &authorities, signer, core.trust().least)?, dropped))
        })?;
        core.db.note_rules(generation);
        core.db.reset_time(core.now());
        core.guard_changed();
        core.doubt(false);
        core.rules.outdate();
        Ok(dropped)
    }

    /// Records a fact for some time, in the place of an earlier one of the same name: what a MUST can require.
    /// Whoever can open the store for writing can record one; nothing that is remembered can.
    pub fn record_fact(&self, name: &str, value: &Value, time_to_live: Duration) -> Result<()> {
        self.core.enter()?;
        self.core.writable()?;
        check_name("name", name)?;
        if value.is_null() {
            return Err(Error::invalid("value", "a fact that is null is none: use true"));
        }
        let text = value.to_string();
        if text.len() > MAX_FACT || serde_json::from_str::<Value>(&text).is_err() {
            return Err(Error::invalid("value", "it is longer than 64 KiB of JSON, or nested too deep"));
        }
        let core = &self.core;
        core.db.write(core.now(), |tx| {
            let until = after(tx.now, time_to_live);
            directives::record(tx, name, value, until)?;
            let detail = json!({ "name": name, "value": value, "until": until });
            audit::record(tx, Actor::Owner, "fact_recorded", 0, 0, &detail)
        })?;
        core.rules.outdate();
        Ok(())
    }

    /// The facts that hold, by name.
    pub fn facts(&self) -> Result<Vec<Fact>> {
        self.core.enter()?;
        let now = self.core.now().max(self.core.db.latest_time());
        let rows = self.core.db.snapshot(directives::facts)?.into_iter().filter(|row| now < row.until);
        let fact = |row: directives::FactRow| Fact {
            name: row.name,
            value: row.value,
            recorded_at: row.at,
            expires_at: row.until,
        };
        Ok(rows.map(fact).collect())
    }

    /// Whether an action may be taken: allow, deny or ask, with the directive that decides, every one that
    /// matches, and why. To be called by the program that carries actions out, before it does, and heeded by
    /// it: then it holds whatever a model thinks.
    ///
    /// Fails closed: if the rules cannot be read, or are not as an authority signed them, the answer is deny.
    /// An error (a closed handle, a vector of a wrong dimension) is no permission either. Denials are written
    /// to the audit table in the background; `check` itself writes nothing to the database.
    ///
    /// A clock that is moved back brings nothing back that allows (an override, a fact, a PREFER that has
    /// ended), and lets nothing go that restricts.
    pub fn check(&self, action: &Action) -> Result<Decision> {
        self.core.enter_for(Call::Oversight)?;
        let halted = self.core.forbids(Call::Read) && self.core.still_forbids(Call::Read).unwrap_or(true);
        let decision = if halted {
            Decision::closed("the store is halted: `halted` tells why".to_owned())
        } else {
            match triggers::note_action(&self.core, action.fingerprint()) {
                Ok(false) => rulebook::check(&self.core, action)?,
                Ok(true) => {
                    Decision::closed("the same action again and again: the store is halted".to_owned())
                }
                Err(error) => match rulebook::check(&self.core, action)? {
                    // It tells more of what is wrong.
                    denied if denied.answer == Answer::Deny => denied,
                    _ => Decision::closed(format!("what halts the store cannot be read: {error}")),
                },
            }
        };
        let kept = !self.core.db.is_read_only() && !crate::sabotage::on("denials_forgotten");
        if decision.answer == Answer::Deny && kept {
            self.note_denial(json!({
                "tool": action.tool,
                "agent": action.agent,
                "namespace": action.namespace,
                "rule": decision.rule,
                "reason": decision.reason,
            }));
        }
        Ok(decision)
    }
}

pub(super) fn signed(core: &Core) -> Result<Signed> {
    core.db.snapshot(|conn| directives::load(conn, &core.trust(), &mut core.rules.verified.lock()))
}

fn find<'a>(signed: &'a Signed, id: &str) -> Result<&'a Directive> {
    let found = signed.directives.iter().find(|row| row.directive.id == id);
    found.map(|row| &row.directive).ok_or_else(|| Error::UnknownDirective { id: id.to_owned() })
}

/// Changes the rules in one transaction, and signs them anew. `work` gets what is in force and the name of
/// the authority.
fn change<T>(
    core: &Core,
    signer: &SecretKey,
    work: impl FnOnce(&mut Tx<'_>, &Signed, &str) -> Result<T>,
) -> Result<T> {
    core.enter()?;
    core.writable()?;
    let (generation, value) = core.db.write_durably(core.now(), |tx| {
        let signed = directives::load(tx.conn, &core.trust(), &mut core.rules.verified.lock())?;
        let name = signed.authorities.signer(signer)?;
        let value = work(tx, &signed, &name)?;
        Ok((heads::sign(tx, &signed.authorities, signer, Part::Rules)?, value))
    })?;
    core.db.note_rules(generation);
    Ok(value)
}

fn add(core: &Core, signer: &SecretKey, new: &[Directive], force: Option<&str>) -> Result<Vec<Lint>> {
    for directive in new {
        directive.check()?;
        if let Some(found) = wrong_dimension(directive, core.identity.dimension) {
            return Err(Error::WrongDimension { expected: core.identity.dimension, got: found });
        }
    }
    change(core, signer, |tx, signed, name| {
        let linter = Linter::default();
        let mut there: Vec<&Directive> = signed.directives.iter().map(|row| &row.directive).collect();
        let mut lints = Vec::new();
        for directive in new {
            let conflict = |other: &Directive, why: &str| Error::RuleConflict {
                id: directive.id.clone(),
                other: other.id.clone(),
                why: why.to_owned(),
            };
            if let Some(other) = there.iter().find(|other| other.id == directive.id) {
                return Err(conflict(other, "has the id of"));
            }
            for other in &there {
                let Some(lint) = linter.lint(directive, other) else { continue };
                if lint.refused && force.is_none() && !crate::sabotage::on("conflicts_pass") {
                    return Err(conflict(other, lint.what));
                }
                lints.push(lint);
            }
            directives::insert(tx, &core.trust(), signer, directive)?;
            let told: Vec<String> =
                lints.iter().filter(|l| l.id == directive.id).map(Lint::to_string).collect();
            let detail = json!({
                "directive": directive.id, "text": directive.to_string(), "authority": name,
                "forced": force, "lints": told,
            });
            audit::record(tx, Actor::Authority(name), "directive_added", 0, 0, &detail)?;
            there.push(directive);
        }
        Ok(lints)
    })
}
