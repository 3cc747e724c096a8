"""`python -m benchmark`: the process that workers are forked from starts first, as both import for seconds."""

import signal
import sys

from benchmark.running.preload import preload

if __name__ == "__main__":
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing has begun; an exception amid torch's import aborts it
    if (
        sys.argv[1:2] in ([name] for name in ("run", "papers", "plan", "folds", "combine", "cost"))
        and "--help" not in sys.argv
    ):
        print("importing PyTorch (some seconds)", file=sys.stderr, flush=True)
    if sys.argv[1:2] in (["run"], ["papers"], ["folds"]) and "--help" not in sys.argv:
        preload()
    from benchmark.commands.app import main  # only now

    signal.signal(signal.SIGINT, before)
    main()
