"""Judges the suite's reports: every case that was asked for must be there, and OK or INFORMATIONAL, as must its close.

The suite itself exits 0 whatever happened, and a server that dies half-way only yields fewer cases. NON-STRICT is a
failure: it means that a fault was found later than it could be, or that a good message before it was not answered.
"""

import collections
import json

PASSED = ("OK", "INFORMATIONAL")


def judge(reports, expected, unimplemented_allowed=False):
    """Prints a summary of the `index.json` files and the cases that failed; answers how many."""
    results = {}
    for report in reports:
        if not report.exists():
            continue
        with open(report, encoding="utf-8") as file:
            for cases in json.load(file).values():
                results.update({case: (verdict, report.parent) for case, verdict in cases.items()})

    allowed = PASSED + (("UNIMPLEMENTED",) if unimplemented_allowed else ())
    faults = {case: _fault(*results[case], allowed) for case in expected if case in results}
    failed = [case for case, fault in faults.items() if fault]
    missing = [case for case in expected if case not in results]
    for case in failed:
        print(f"not ok {case}: {faults[case]}")
    if missing:
        print(f"not ok: {len(missing)} cases have no result, the run ended before them: {_shortened(missing)}")
    _summary(results)
    failures = len(failed) + len(missing)
    print(f"{len(expected) - failures} passed, {failures} failed")
    return failures


def _fault(verdict, folder, allowed):
    if verdict["behavior"] in allowed and verdict["behaviorClose"] in PASSED:
        return None
    return (f"{verdict['behavior']}, close {verdict['behaviorClose']} with code {verdict['remoteCloseCode']}; "
            f"see {folder / verdict['reportfile']}")


def _summary(results):
    for key, name in (("behavior", "cases"), ("behaviorClose", "closes")):
        counts = collections.Counter(verdict[key] for verdict, _ in results.values())
        print(f"{name}: " + (", ".join(f"{count} {what}" for what, count in counts.most_common()) or "none"))


def _shortened(cases):
    return " ".join(cases[:12]) + (" ..." if len(cases) > 12 else "")
