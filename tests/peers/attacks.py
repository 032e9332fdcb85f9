"""The attacks that can be made on any embedded vector store through its Python package, side by side.

    python tests/peers/attacks.py [--kills N] [--damages N] [--only NAME] > table.md

Each store gets the same 8-dimensional vectors, one write at a time. A write counts as acknowledged when the
call has returned that is to make it last: `add`, `upsert` or `remember`, and `save` for the two libraries that keep
an index in memory and write it out as a file. Every trial runs in a process of its own.

- kill -9: a process writes and says each acknowledged write; it is killed within a second. Lost are
  acknowledged writes that a new process does not find; unopenable are stores that it cannot open.
- failed save: the file system is full (a tmpfs of 12 MiB; needs the right to mount) while a write is made; then
  there is room again. Is what was acknowledged readable in a new process?
- second process: a process has the store open and has searched; another one writes; the first one
  searches again, without opening anew. Does it see the write?
- corrupt file: one byte of one file, anywhere, gets another value, or the file is cut short; a new process opens
  the store and asks for every vector. It is right, says an error, lacks some and says so when asked to verify itself,
  answers wrongly (something is missing, and nothing says so), or ends by a signal.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DIM = 8
TIMEOUT = 30.0


def vector(i: int) -> list[float]:
    rng = random.Random(i + 1_000_000)
    return [rng.uniform(-1, 1) for _ in range(DIM)]


class Wisen:
    name = "Wisen"
    makes_last = "remember"

    def __init__(self, path: str, durability: str = "normal") -> None:
        import wisen

        self.store = wisen.open(path, dimension=DIM, durability=durability)

    def add(self, i: int) -> None:
        self.store.remember(f"memory {i}", vector(i), key=str(i))

    def find(self, i: int) -> bool:
        hits = self.store.recall(vector(i), k=1, content=True, receipt=False)
        return bool(len(hits)) and hits[0].content == f"memory {i}"

    def says_what_is_lost(self) -> bool:
        return not self.store.verify().ok


class Chroma:
    name = "Chroma"
    makes_last = "add"

    def __init__(self, path: str) -> None:
        import chromadb

        client = chromadb.PersistentClient(path, chromadb.Settings(anonymized_telemetry=False))
        self.table = client.get_or_create_collection("memories", embedding_function=None)

    def add(self, i: int) -> None:
        self.table.add(ids=[str(i)], embeddings=[vector(i)], documents=[f"memory {i}"])

    def find(self, i: int) -> bool:
        found = self.table.query(query_embeddings=[vector(i)], n_results=1)
        return found["ids"][0] == [str(i)] and found["documents"][0] == [f"memory {i}"]


class Lance:
    name = "LanceDB"
    makes_last = "add"

    def __init__(self, path: str) -> None:
        import lancedb

        base = lancedb.connect(path)
        names = base.list_tables()
        names = getattr(names, "tables", names)
        if "c" in names:
            self.table = base.open_table("c")
        else:
            first = {"id": -1, "text": "first", "vector": vector(-1)}
            self.table = base.create_table("c", data=[first])

    def add(self, i: int) -> None:
        self.table.add([{"id": i, "text": f"memory {i}", "vector": vector(i)}])

    def find(self, i: int) -> bool:
        found = self.table.search(vector(i)).limit(1).to_list()
        return bool(found) and found[0]["id"] == i and found[0]["text"] == f"memory {i}"


class Qdrant:
    name = "Qdrant Edge"
    makes_last = "upsert"

    def __init__(self, path: str) -> None:
        import qdrant_edge as q

        self.q = q
        if Path(path).is_dir() and any(Path(path).iterdir()):
            self.shard = q.EdgeShard.load(path)
        else:
            params = q.EdgeVectorParams(size=DIM, distance=q.Distance.Euclid)
            self.shard = q.EdgeShard.create(path, q.EdgeConfig(vectors=params))

    def add(self, i: int) -> None:
        point = self.q.Point(i, vector(i), {"text": f"memory {i}"})
        self.shard.update(self.q.UpdateOperation.upsert_points([point]))

    def find(self, i: int) -> bool:
        request = self.q.SearchRequest(query=self.q.Query.Nearest(vector(i)), limit=1, with_payload=True)
        found = self.shard.search(request)
        return bool(found) and found[0].id == i and found[0].payload["text"] == f"memory {i}"


class Usearch:
    name = "usearch"
    makes_last = "save"

    def __init__(self, path: str) -> None:
        import numpy
        import usearch.index

        self.numpy = numpy
        self.file = f"{path}/index.usearch"
        os.makedirs(path, exist_ok=True)
        self.index = usearch.index.Index(ndim=DIM, metric="l2sq", dtype="f32")
        if os.path.exists(self.file):
            self.index.load(self.file)

    def add(self, i: int) -> None:
        self.index.add(i, self.numpy.array(vector(i), dtype="float32"))
        self.index.save(self.file)

    def find(self, i: int) -> bool:
        found = self.index.search(self.numpy.array(vector(i), dtype="float32"), 1)
        return len(found) > 0 and int(found[0].key) == i


class Hnswlib:
    name = "hnswlib"
    makes_last = "save"

    def __init__(self, path: str) -> None:
        import hnswlib
        import numpy

        self.numpy = numpy
        self.file = f"{path}/index.bin"
        os.makedirs(path, exist_ok=True)
        self.index = hnswlib.Index(space="l2", dim=DIM)
        if os.path.exists(self.file):
            self.index.load_index(self.file, max_elements=100_000)
        else:
            self.index.init_index(max_elements=100_000)

    def add(self, i: int) -> None:
        self.index.add_items(self.numpy.array([vector(i)], dtype="float32"), [i])
        self.index.save_index(self.file)

    def find(self, i: int) -> bool:
        labels, _ = self.index.knn_query(self.numpy.array([vector(i)], dtype="float32"), k=1)
        return int(labels[0][0]) == i


STORES = [Wisen, Chroma, Lance, Qdrant, Usearch, Hnswlib]


# --- what the processes of their own do ------------------------------------------------------------------


def say(word: object) -> None:
    print(f"@{word}", flush=True)


def play(part: str, store: type, path: str, argument: str) -> None:
    if part == "write":
        opened = store(path)
        say("open")
        for i in range(int(argument), 1_000_000):
            opened.add(i)
            say(i)
    elif part == "fill":
        opened = store(path)
        for i in range(int(argument)):
            opened.add(i)
        say("filled")
    elif part == "look":
        opened = store(path)
        say("open")
        missing = [i for i in json.loads(argument) if not opened.find(i)]
        say(json.dumps(missing))
        if missing and getattr(opened, "says_what_is_lost", bool)():
            say("said")
    elif part == "again":
        opened = store(path)
        opened.find(0)
        say("searched")
        sys.stdin.readline()
        say(opened.find(1_000))
    elif part == "full":
        opened = store(path)
        say("open")
        i = 1_000
        try:
            while i < 6_000:
                opened.add(i)
                say(i)
                i += 1
        except BaseException as error:  # noqa: BLE001: whatever a package raises, panics included
            say(f"failed {type(error).__name__}")
    else:
        raise SystemExit(f"no part {part}")


# --- the attacks -----------------------------------------------------------------------------------------


def start(part: str, store: type, path: Path, argument: str) -> subprocess.Popen:
    command = [sys.executable, __file__, "--play", part, store.__name__, str(path), argument]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def run(part: str, store: type, path: Path, argument: str) -> tuple[list[str], str]:
    """What it said, and how it ended: "well", "error", "signal" or "late"."""
    process = start(part, store, path, argument)
    try:
        out, _ = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        return [], "late"
    said = [line[1:] for line in out.splitlines() if line.startswith("@")]
    if process.returncode == 0:
        return said, "well"
    return said, "signal" if process.returncode < 0 else "error"


def missing(store: type, path: Path, wanted: list[int]) -> list[int] | None:
    """Which of these a new process does not find; None if it cannot open the store."""
    said, ended = run("look", store, path, json.dumps(wanted))
    if ended != "well":
        return None
    return json.loads(said[1])


def kills(store: type, base: Path, count: int, rng: random.Random) -> str:
    acknowledged, lost, unopenable, done = 0, 0, 0, 0
    while done < count:
        path, told = base / f"kill{done}", []
        for _ in range(5):
            process = start("write", store, path, str(len(told)))
            assert process.stdout is not None
            opened = process.stdout.readline()
            while opened and opened != "@open\n":
                opened = process.stdout.readline()
            if not opened:
                process.wait()
                unopenable += 1
                done += 1
                break
            time.sleep(rng.uniform(0.02, 0.6))
            process.send_signal(signal.SIGKILL)
            rest, _ = process.communicate()
            told += [int(line[1:]) for line in rest.splitlines() if line[1:].isdigit()]
            done += 1
            gone = missing(store, path, told[-300:])
            if gone is None:
                # All of it is lost.
                unopenable += 1
                lost += len(told)
                break
            lost += len(gone)
            if gone:
                break
            # What was under way may have happened too.
            if missing(store, path, [len(told)]) == []:
                told.append(len(told))
        acknowledged += len(told)
        shutil.rmtree(path, ignore_errors=True)
    return f"{lost} of {acknowledged} lost, {unopenable} unopenable in {done} kills"


def failed_save(store: type, base: Path) -> str:
    disk = base / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk], check=False).returncode:
        return "not run (no right to mount)"
    try:
        path = disk / "store"
        _, ended = run("fill", store, path, "50")
        if ended != "well":
            return f"not run (filling: {ended})"
        free = os.statvfs(disk)
        room = free.f_bavail * free.f_frsize
        (disk / "ballast").write_bytes(b"x" * max(0, room - 40_960))
        said, ended = run("full", store, path, "")
        failed = [word for word in said if word.startswith("failed")]
        told = list(range(50)) + [int(word) for word in said if word.isdigit()]
        (disk / "ballast").unlink()
        gone = missing(store, path, told)
        how = failed[0].removeprefix("failed ") if failed else {"well": "no failure", "late": "hangs"}.get(ended, ended)
        if gone is None:
            return f"{how}; then unreadable"
        return f"{how}; then {len(gone)} of {len(told)} lost"
    finally:
        subprocess.run(["umount", "-l", disk], check=False)


def second_process(store: type, base: Path) -> str:
    path = base / "second"
    run("fill", store, path, "20")
    first = start("again", store, path, "")
    assert first.stdout is not None and first.stdin is not None
    line = first.stdout.readline()
    while line and line != "@searched\n":
        line = first.stdout.readline()
    writer = start("write", store, path, "1000")
    assert writer.stdout is not None
    wrote = False
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        line = writer.stdout.readline()
        if not line:
            break
        if line == "@1000\n":
            wrote = True
            break
    writer.kill()
    writer.communicate()
    if not wrote:
        first.kill()
        first.communicate()
        return "the second cannot write"
    out, _ = first.communicate("go\n", timeout=TIMEOUT)
    return "yes" if "@True" in out else "no"


def corruption(store: type, base: Path, count: int, rng: random.Random) -> str:
    golden = base / "golden"
    run("fill", store, golden, "60")
    files = [file for file in sorted(golden.rglob("*")) if file.is_file() and file.stat().st_size > 0]
    results: collections.Counter[str] = collections.Counter()
    for trial in range(count):
        copy = base / "copy"
        shutil.copytree(golden, copy)
        file = copy / rng.choice(files).relative_to(golden)
        content = bytearray(file.read_bytes())
        if trial % 5 == 0:
            del content[rng.randrange(len(content)) :]
        else:
            # Zeros mostly mean nothing.
            for _ in range(200):
                at = rng.randrange(len(content))
                if content[at]:
                    break
            content[at] ^= rng.randrange(1, 256)
        file.write_bytes(content)
        said, ended = run("look", store, copy, json.dumps(list(range(60))))
        if ended == "well":
            word = {"[]": "right", "said": "missing, and said so"}.get(said[-1], "wrong answer")
            results[word] += 1
        else:
            results[{"signal": "crash", "late": "hang"}.get(ended, ended)] += 1
        shutil.rmtree(copy)
    order = ["right", "error", "missing, and said so", "wrong answer", "crash", "hang"]
    return "; ".join(f"{results[word]} {word}" for word in order if results[word] or word != "hang")


def version(store: type) -> str:
    from importlib.metadata import version as of

    package = {"Wisen": "wisen", "Chroma": "chromadb", "Lance": "lancedb", "Qdrant": "qdrant-edge-py"}
    return of(package.get(store.__name__, store.__name__.lower()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--damages", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only")
    parser.add_argument("--play", nargs=4, metavar=("PART", "STORE", "PATH", "ARGUMENT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play:
        part, name, path, argument = options.play
        play(part, next(store for store in STORES if store.__name__ == name), path, argument)
        # Not closed: what was acknowledged has to last all the same.
        sys.stdout.flush()
        os._exit(0)
    print(f"Seed {options.seed}.\n")
    print("| | acknowledged by | kill -9 | save on a full disk | second process sees a write | one damage to a file |")
    print("|---|---|---|---|---|---|")
    for store in STORES:
        if options.only and store.__name__.lower() != options.only.lower():
            continue
        rng = random.Random(options.seed)
        with tempfile.TemporaryDirectory() as folder:
            base = Path(folder)
            cells = [
                f"{store.name} {version(store)}",
                f"`{store.makes_last}`",
                kills(store, base, options.kills, rng),
                failed_save(store, base),
                second_process(store, base),
                corruption(store, base, options.damages, rng),
            ]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
