"""What failed in a meson run (argument 1: its testlog.json), in as few lines as tell it: run.sh prints them last."""

import json
import sys

LINES = 12  # of each test; the rest is in the log
MARKS = ("test_", ".c:", "ERROR", "SUMMARY", "WARNING: Thread", "Sanitizer", "runtime error", "assert")


def told(test):
    text = (test.get("stdout") or "").splitlines() + (test.get("stderr") or "").splitlines()
    marked = [line for line in text if any(mark in line for mark in MARKS)]
    return (marked or text)[:LINES]


def main():
    try:
        with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
            tests = [json.loads(line) for line in log if line.strip()]
    except OSError:
        return
    for test in tests:
        if test["result"] != "OK":
            print(f"FAILED: {sys.argv[1]}: {test['name']}: {test['result']}, {test['duration']:.0f} s")
            for line in told(test):
                print("    " + line[:200])


main()
