"""Remember, recall, report, recall again: python quickstart.py DIRECTORY."""

import sys

import wisen

with wisen.open(sys.argv[1], dimension=4) as store:
    store.remember("Restart the worker after every deploy.", [0.9, 0.1, 0.0, 0.1])
    store.remember("Raise the timeout of the database.", [0.8, 0.3, 0.1, 0.0])

    situation = [0.8, 0.2, 0.0, 0.1]  # embedding of: "the queue does not drain"
    recall = store.recall(situation, k=1, content=True)
    print(recall[0].content, recall[0])
    print(store.report(recall, "success"))
    print(store.recall(situation, k=1)[0])
