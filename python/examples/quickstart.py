"""Remember, recall, report, recall again: python quickstart.py DIRECTORY."""

import sys

import wisen

with wisen.open(sys.argv[1], dimension=4) as store:
    store.remember("Restart the worker.", [0.9, 0.1, 0.0, 0.1])
    timeout = store.remember("Raise the timeout of the database.", [0.8, 0.3, 0.1, 0.0])

    now = [0.8, 0.2, 0.0, 0.1]  # embedding of "the queue does not drain"
    recall = store.recall(now, k=2, content=True)
    print("first:", recall[0].content)
    store.report(recall, "failure", used=recall[0])  # it did not help; the other one did
    store.report(store.recall(now, k=2), "success", used=timeout)
    print("now:", store.recall(now, k=1, content=True)[0].content)
