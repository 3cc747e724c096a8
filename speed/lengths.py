"""How well effects are expressed as lengths of training, on a ladder whose course is known.

    python -m speed.lengths [--reports 1000]

The baseline's accuracy at length L is 76.5 - 11.3 L^-0.75 points, close to the catalogue's ladder on CIFAR-10 at
`quick`: 57.6, 65.1, 70.1, 72.5 and 74.2 % at 0.5, 1, 2, 4 and 8 lengths. A variant that is worth L lengths has its
accuracy there. For ladders and variants of a few runs or many: the median length found, and how many of the 95 %
intervals hold the truth. Ladders that do not rise, which the report does not use, are counted.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmark.evidence.worth import course, rises, worth

RUNGS = (0.5, 1.0, 2.0, 4.0, 8.0)
LENGTHS = (0.7, 1.4, 2.8, 5.6)


def accuracy(length: float) -> float:
    """Returns the baseline's accuracy at a length, points."""
    return 76.5 - 11.3 * length**-0.75


def main() -> None:
    """Prints a line for each number of runs and each length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, default=1000)
    reports = parser.parse_args().reports
    for runs, spread in ((3, 0.7), (3, 0.3), (30, 0.3)):
        draw = np.random.default_rng(runs)
        found = {length: [] for length in LENGTHS}
        flat = 0
        for _ in range(reports):
            ladder = [(each, (accuracy(each) + spread * draw.standard_normal(runs)).tolist()) for each in RUNGS]
            if not rises(ladder):
                flat += 1
                continue
            baseline = course(ladder)
            for length in LENGTHS:
                scores = (accuracy(length) + spread * draw.standard_normal(runs)).tolist()
                found[length].append(worth(scores, baseline))
        print(f"{runs} runs of standard deviation {spread}: {flat} of {reports} ladders do not rise")
        for length, worths in found.items():
            median = np.median([each.times for each in worths if each.times])
            held = np.mean([(each.low or 0) <= length <= (each.high or np.inf) for each in worths])
            print(f"  a length of {length}: median {median:.3f}, {held:.1%} of the intervals hold it")


if __name__ == "__main__":
    main()
