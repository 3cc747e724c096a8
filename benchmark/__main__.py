"""`python -m benchmark`: the process that workers are forked from starts first, as both import for seconds."""

import sys

from benchmark.preload import preload

if __name__ == "__main__":
    try:
        if sys.argv[1:2] in (["run"], ["folds"]):
            preload()
        from benchmark.command_line import main  # only now
    except KeyboardInterrupt:
        raise SystemExit(130) from None  # nothing has begun
    main()
