"""How long the command line and the library take before they do anything.

Run with ``python benchmarks/start.py``; prints medians over fresh processes, taken in
turn so that a busy machine slows all alike.
"""

import platform
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import numpy": [sys.executable, "-c", "import numpy"],
    "import care_runtime": [sys.executable, "-c", "import care_runtime"],
    "care-run --help": [sys.executable, "-m", "care_runtime", "--help"],
    "care-run list": [sys.executable, "-m", "care_runtime", "list"],
}
ROUNDS = 9


def seconds(command: list[str]) -> float:
    """Time one process."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Time every command and print a table."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            times[name].append(seconds(command))
    bare = statistics.median(times["python -c pass"])
    print(f"{platform.machine()}, Python {platform.python_version()}, {ROUNDS} rounds")
    for name, found in times.items():
        median = statistics.median(found)
        print(f"{name:22} {median:.3f} s  ({median - bare:+.3f} s over bare Python)")


if __name__ == "__main__":
    main()
