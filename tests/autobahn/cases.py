"""The suite's 517 cases, and how a run divides them."""

from argparse import ArgumentTypeError

# The last case of each group; within a group they are numbered from 1.
LAST = {
    "1.1": 8, "1.2": 8, "2": 11, "3": 7, "4.1": 5, "4.2": 5, "5": 20,
    "6.1": 3, "6.2": 4, "6.3": 2, "6.4": 4, "6.5": 5, "6.6": 11, "6.7": 4, "6.8": 2, "6.9": 4, "6.10": 3, "6.11": 5,
    "6.12": 8, "6.13": 5, "6.14": 10, "6.15": 1, "6.16": 3, "6.17": 5, "6.18": 5, "6.19": 5, "6.20": 7, "6.21": 8,
    "6.22": 34, "6.23": 7,
    "7.1": 6, "7.3": 6, "7.5": 1, "7.7": 13, "7.9": 9, "7.13": 2,
    "9.1": 6, "9.2": 6, "9.3": 9, "9.4": 9, "9.5": 6, "9.6": 6, "9.7": 6, "9.8": 6, "10.1": 1,
    "12.1": 18, "12.2": 18, "12.3": 18, "12.4": 18, "12.5": 18,
    "13.1": 18, "13.2": 18, "13.3": 18, "13.4": 18, "13.5": 18, "13.6": 18, "13.7": 18,
}

# Sections 12 and 13 are permessage-deflate. Their last number says how big the 1,000 messages are, and so what a case
# costs: seconds, measured once, to divide the work evenly.
DEFLATE_SECONDS = {1: .6, 2: .7, 3: .7, 4: 1, 5: 1.4, 6: 1.6, 7: 2, 8: 3.5, 9: 6.6, 10: 15, 11: 2.4, 12: 4.4, 13: 6.5,
                   14: 17, 15: 31, 16: 18, 17: 15, 18: 13.5}
PLAIN_SECONDS = 0.07
DEFLATE_SMALL = (1, 2, 3, 4, 5, 11)  # messages of at most 4 KiB, and 8 KiB in fragments


def section(case):
    return int(case.split(".")[0])


def is_deflate(case):
    return section(case) in (12, 13)


def seconds(case):
    return DEFLATE_SECONDS[int(case.split(".")[2])] if is_deflate(case) else PLAIN_SECONDS


ALL = [f"{group}.{number}" for group, last in LAST.items() for number in range(1, last + 1)]

SETS = {
    "core": [case for case in ALL if section(case) <= 7],
    "quick": [case for case in ALL if not is_deflate(case)],
    "small": [case for case in ALL if not is_deflate(case) or int(case.split(".")[2]) in DEFLATE_SMALL],
    "full": ALL,
}


def select(text):
    """The cases that `text` names: one of the sets, or sections, groups and cases with commas between (`6.4,7.1.5`)."""
    if text in SETS:
        return SETS[text]
    wanted = tuple(name + "." for name in text.split(","))
    chosen = [case for case in ALL if f"{case}.".startswith(wanted)]
    if not chosen:
        raise ArgumentTypeError(f"no case is called {text!r}; there are {', '.join(SETS)}, and names such as 6.4,7.1.5")
    return chosen


def divide(cases, jobs):
    """Shares the cases out over `jobs` lists of about equal cost, the dearest first."""
    shares = [(0.0, index, []) for index in range(min(jobs, len(cases)))]
    for case in sorted(cases, key=seconds, reverse=True):
        cost, index, share = min(shares)
        share.append(case)
        shares[index] = (cost + seconds(case), index, share)
    return [share for _, _, share in shares]
