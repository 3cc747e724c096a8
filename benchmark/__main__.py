"""`python -m benchmark`: the process that workers are forked from starts first, as both import for seconds."""

import sys

from benchmark.running.preload import preload
from benchmark.signals import ended_by_signals

if __name__ == "__main__":
    with ended_by_signals():
        if (
            sys.argv[1:2] in ([name] for name in ("run", "papers", "plan", "folds", "combine", "cost"))
            and "--help" not in sys.argv
        ):
            print("importing PyTorch (some seconds)", file=sys.stderr, flush=True)
        if sys.argv[1:2] in (["run"], ["papers"], ["folds"]) and "--help" not in sys.argv:
            preload()
        from benchmark.commands.app import main  # only now
    main()
