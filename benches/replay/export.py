"""Turns logs of real outcomes into folders that `replay --data OUT` reads.

    python export.py IN OUT [NAME ...]          (needs numpy, pandas, pyarrow)

IN holds the files as they are handed around: NAME_dev.parquet or .jsonl and NAME_dev_f16.npy, row i of
the vectors belonging to the row with `emb == i`, or to line i. NAME is one of banking77, metatool,
swebench_lite, alfworld_reflexion, tau_airline, routing (all, if none is named). OUT/NAME then holds
JSON lines with a .npy file of float16 beside each, in one of three layouts:

stream     memories (`text`, `action`, perhaps `poisoned_action`) and events (`text`, `action`)
rounds     memories (`text`, `action`: its name) and rounds.jsonl: `name`, perhaps `date` (YYYYMMDD), and
           `attempts`, rows of [memory, successes, tries] or [memory, successes, tries, situation];
           situations (`text`), if any, are what the memory says from that attempt on
questions  questions (`text`, `cheap`, `strong`: whether each of two models answered it)
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd


def table(folder, name, lines, vectors=None):
    """Writes name.jsonl and, with vectors, name.npy."""
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    if vectors is not None:
        np.save(folder / f"{name}.npy", np.ascontiguousarray(vectors, dtype="<f2"))


def lines_of(path):
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def banking77(source, out):
    rows, vectors = pd.read_parquet(source / "banking77_dev.parquet"), np.load(source / "banking77_dev_f16.npy")
    is_memory = rows.role == "memory"
    memories, events = rows[is_memory], rows[~is_memory].sort_values("t", kind="stable")
    triples = zip(memories.text, memories.intent, memories.poisoned_intent)
    lines = [{"text": t, "action": a, "poisoned_action": p} for t, a, p in triples]
    table(out, "memories", lines, vectors[memories.emb])
    lines = [{"text": t, "action": a} for t, a in zip(events.text, events.intent)]
    table(out, "events", lines, vectors[events.emb])


def metatool(source, out):
    tools = lines_of(source / "metatool_tools.jsonl")
    names = [tool["tool"] for tool in tools]
    lines = [{"text": tool["text"], "action": tool["tool"]} for tool in tools]
    table(out, "memories", lines, np.load(source / "metatool_tools_f16.npy"))
    rows = pd.read_parquet(source / "metatool_dev.parquet").sort_values("t", kind="stable")
    lines = [{"text": text, "action": names[tool]} for text, tool in zip(rows.text, rows.tool)]
    table(out, "events", lines, np.load(source / "metatool_dev_f16.npy")[rows.emb])


def swebench_lite(source, out):
    """124 issues; a round is one dated submission that tried them all."""
    issues = lines_of(source / "swebench_lite_dev_issues.jsonl")
    lines = [{"text": issue["text"], "action": issue["id"]} for issue in issues]
    table(out, "memories", lines, np.load(source / "swebench_lite_dev_f16.npy"))
    rows = pd.read_parquet(source / "swebench_lite_dev_events.parquet")
    rounds = [
        {"name": name, "date": date, "attempts": group[["issue", "k", "n"]].values.tolist()}
        for (date, name), group in rows.groupby(["date", "submission"], sort=True)
    ]
    table(out, "rounds", rounds)


def alfworld_reflexion(source, out):
    """A memory per run and household: what the agent holds for it, rewritten by its reflections. A
    round is one trial; solved households are not tried again."""
    rows, vectors = lines_of(source / "alfworld_reflexion_dev.jsonl"), np.load(source / "alfworld_reflexion_dev_f16.npy")
    memories, situations, rounds = {}, {}, {}
    first = []
    for i, row in enumerate(rows):
        key = (row["run"], row["env"])
        if key not in memories:
            memories[key] = len(memories)
            first.append(i)
        situation = situations.setdefault(row["text"], (len(situations), i))[0]
        attempt = [memories[key], row["success"], 1, situation]
        rounds.setdefault((row["trial"], row["run"]), []).append(attempt)
    lines = [{"text": rows[i]["text"], "action": f"{run} {env}"} for i, (run, env) in zip(first, memories)]
    table(out, "memories", lines, vectors[first])
    table(out, "situations", [{"text": text} for text in situations], vectors[[i for _, i in situations.values()]])
    # The two runs went on side by side: trial 1 of both is one round.
    trials = sorted({trial for trial, _ in rounds})
    lines = [
        {"name": f"trial {t}", "attempts": rounds.get((t, "reflexion"), []) + rounds.get((t, "base"), [])}
        for t in trials
    ]
    table(out, "rounds", lines)


def tau_airline(source, out):
    """A memory per task; a round is one trial of all tasks."""
    rows, vectors = lines_of(source / "tau_airline_dev.jsonl"), np.load(source / "tau_airline_dev_f16.npy")
    tasks, first, rounds = {}, [], {}
    for i, row in enumerate(rows):
        if row["task"] not in tasks:
            tasks[row["task"]] = len(tasks)
            first.append(i)
        rounds.setdefault(row["trial"], []).append([tasks[row["task"]], row["reward"], 1])
    lines = [{"text": rows[i]["text"], "action": f"task {task}"} for i, task in zip(first, tasks)]
    table(out, "memories", lines, vectors[first])
    table(out, "rounds", [{"name": f"trial {t}", "attempts": rounds[t]} for t in sorted(rounds)])


def routing(source, out):
    """Questions, and whether a cheap and a strong model answered each."""
    rows = pd.read_parquet(source / "routing_dev.parquet").sort_values("t", kind="stable")
    triples = zip(rows.text, rows.cheap_ok, rows.strong_ok)
    lines = [{"text": text, "cheap": bool(cheap), "strong": bool(strong)} for text, cheap, strong in triples]
    table(out, "questions", lines, np.load(source / "routing_dev_f16.npy")[rows.emb])


STREAMS = {f.__name__: f for f in (banking77, metatool, swebench_lite, alfworld_reflexion, tau_airline, routing)}

if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    for name in sys.argv[3:] or STREAMS:
        if name not in STREAMS:
            sys.exit(f"there is no stream {name}: one of {', '.join(STREAMS)} is meant")
        folder = Path(sys.argv[2]) / name
        folder.mkdir(parents=True, exist_ok=True)
        STREAMS[name](Path(sys.argv[1]), folder)
        print(folder)
