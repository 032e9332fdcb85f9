"""Rules through Python: authorities, directives, facts, and what may be done."""

import datetime as dt
from pathlib import Path

import pytest

import wisen

RULES = """
NEVER "no-force-push" because "it rewrites what others have"
  when tool is "git" and args.command matches /push .*--force/
MUST "tested" because "an untested deploy took us down"
  when tool is "deploy" require fact "tests" is "passed"
AVOID "late" because "nobody is awake" when args.hour >= 22
PREFER "proven" because "the owner trusts these" when tag is "proven"
NEVER "secrets" because "they belong elsewhere" when tag is "secret"
"""


def test_rules_hold(tmp_path: Path) -> None:
    with wisen.open(tmp_path / "s", dimension=2) as store:
        assert store.check("git").allowed
        assert store.check("git")
        key, recovery = store.create_authority("owner")
        assert key.startswith("wisen-secret-")
        assert recovery != key
        assert store.add_directives(key, RULES) == []

        push = {"command": "push origin main --force"}
        decision = store.check("git", args=push, agent="codey", tags=("x",), text="now")
        assert (decision.answer, decision.allowed, decision.rule) == (
            "deny",
            False,
            "no-force-push",
        )
        assert not decision
        assert "rewrites" in decision.reason
        assert "no-force-push" in repr(decision)
        found = decision.matched[0]
        assert (found.force, found.bearing, found.lifted_by) == ("NEVER", "denies", None)
        assert "args.command matches" in found.why

        assert store.check("deploy").answer == "deny"
        store.record_fact("tests", "passed", dt.timedelta(minutes=5))
        assert store.facts() == {"tests": "passed"}
        assert store.check("deploy").answer == "allow"
        assert store.check("x", args={"hour": 23}).answer == "ask"

        until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        store.override_directive(key, "no-force-push", "a clean-up", until)
        assert store.check("git", args=push).matched[0].bearing == "lifted"
        assert store.directives()[0].signer == "owner"
        assert [d.lifted_until for d in store.directives() if d.id == "no-force-push"] == [until]

        for tag in ("proven", "secret", "plain"):
            store.remember(tag, [1.0, 0.5], metadata={"tags": [tag]})
        recall = store.recall([1.0, 0.5], content=True)
        assert [hit.content for hit in recall] == ["proven", "plain"]
        assert (recall[0].rule, recall[1].rule) == ("proven", None)
        assert 0 < recall[0].shift < 0.7
        assert [note.id for note in recall.rules] == ["tested"]
        assert "require fact" in recall.rules[0].text

        store.remove_directive(key, "no-force-push", "not needed")
        assert store.check("git", args=push).allowed
    with wisen.open(tmp_path / "s", authority_key=wisen.public_key(key)) as store:
        assert store.check("x").allowed
    with wisen.open(tmp_path / "s", authority_key=wisen.generate_key()[1]) as store:
        assert not store.check("x").allowed


def test_who_may_change_them(tmp_path: Path) -> None:
    with wisen.open(tmp_path / "s", dimension=2) as store:
        key, recovery = store.create_authority("ann")
        with pytest.raises(wisen.UnauthorisedError):
            store.create_authority("mallory")
        secret, public = wisen.generate_key()
        with pytest.raises(wisen.UnauthorisedError):
            store.add_directives(secret, RULES)
        store.add_authority(key, "bob", public)
        store.add_directives(secret, RULES)
        with pytest.raises(wisen.RuleConflictError, match="no-force-push"):
            store.add_directives(
                key,
                'PREFER "p" because "x" when tool is "git" and args.command is "push a --force"',
            )
        wish = 'PREFER "p" because "x" when tool is "git" and args.command is "push a --force"'
        assert "contradicts" in store.add_directives(key, wish, force="a wish")[0]
        assert "contradicts" in store.lint_directives()[0]
        with pytest.raises(wisen.UnknownDirectiveError):
            store.remove_directive(key, "none", "x")
        with pytest.raises(wisen.InvalidArgumentError, match="line 1, column 11"):
            store.add_directives(key, 'NEVER "x" becuase "y"')
        with pytest.raises(wisen.InvalidArgumentError):
            store.add_directives("wisen-secret-00", RULES)
        newer = store.rotate_authority(key)
        store.revoke_authority(newer, public, "left")
        last, _ = store.recover_authority(recovery, "eve", "a drill")
        names = [(a.name, a.revoked_at is None) for a in store.authorities()]
        assert names == [("ann", False), ("bob", False), ("ann", False), ("eve", True)]
        assert store.authorities()[3].key == wisen.public_key(last)
        assert store.repair_rules(last, "a drill") == []
        assert len(store.directives()) == 6
