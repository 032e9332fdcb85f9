"""Backup and restore, export and import, erasure and compaction."""

from pathlib import Path

import pytest

import wisen


def test_a_backup_is_restored(
    store: wisen.Store, tmp_path: Path, east: list[float], north: list[float]
) -> None:
    store.remember("go east", east)
    file, place = tmp_path / "backup", tmp_path / "restored"
    assert store.backup(file) == file.stat().st_size
    with pytest.raises(wisen.InvalidArgumentError, match="exists"):
        store.backup(file)
    store.remember("go north", north)
    assert store.backup(str(file), replace=True) > 0
    wisen.restore(file, place)
    with wisen.open(place) as restored:
        assert restored.verify().ok
        assert [one.content for one in restored.memories()] == ["go east", "go north"]
        found = restored.verify_quick()
        assert found.ok
        assert not found.full
    with pytest.raises(wisen.InvalidArgumentError, match="not empty"):
        wisen.restore(file, place)
    file.write_bytes(b"no backup")
    with pytest.raises(wisen.BadBackupError, match="no whole backup"):
        wisen.restore(file, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_an_export_is_imported(
    store: wisen.Store, tmp_path: Path, east: list[float], north: list[float]
) -> None:
    store.remember("go east", east, key="e", metadata={"a": [1, None, 0.1]})
    used = store.remember("go north", north, kind="recipe")
    store.report(store.recall(north, k=2), "success", used=used)
    file, place = tmp_path / "lines", tmp_path / "imported"
    rows = store.export(file)
    text = file.read_bytes()
    assert text.count(b"\n") == rows + 2
    wisen.import_store(file, place)
    with wisen.open(place) as imported:
        assert imported.verify().ok
        assert imported.export(file, replace=True) == rows
        assert file.read_bytes() == text
        assert imported.import_memories(file) == [1, 3]
    file.write_bytes(text[:-30])
    with pytest.raises(wisen.BadImportError, match=r"line .* cut short"):
        wisen.import_store(file, tmp_path / "none")
    with pytest.raises(wisen.BadImportError, match="cut short"):
        store.import_memories(file)
    with pytest.raises(TypeError, match="file must be str"):
        store.export(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="replace must be bool"):
        store.backup(file, replace=1)  # type: ignore[arg-type]


def test_what_is_erased_is_in_no_file(
    store: wisen.Store, path: Path, east: list[float], north: list[float]
) -> None:
    canary = "incompressible 9f3a1c77e0b25d48"
    erased = store.remember(canary, east)
    store.remember("go north", north)
    store.report(store.recall(east, text=canary), "success", used=erased, note=canary)
    store.seal()
    store.flush()

    def found() -> list[str]:
        files = [file for file in path.rglob("*") if file.is_file()]
        return [file.name for file in files if canary.encode() in file.read_bytes()]

    assert found()
    assert store.forget_hard(erased)
    assert not store.forget_hard(erased)
    sizes = store.compact()
    assert sizes.bytes_before >= sizes.bytes_after > 0
    assert repr(sizes).startswith("Compaction(bytes_before=")
    assert found() == []
    assert store.verify().ok
    assert store.count() == 1
