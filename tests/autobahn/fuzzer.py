"""Starts the suite's fuzzing client or server: `fuzzer.py client|server SPEC.json`, in the suite's environment.

Its exit status says nothing about the cases; verdict.py reads the reports.
"""

import json
import sys
import types

# The suite's HTML reports want a template engine and style sheets; the JSON reports say the same.
sys.modules["autobahntestsuite.report"] = types.SimpleNamespace(
    CSS_COMMON="", CSS_DETAIL_REPORT="", CSS_MASTER_REPORT="", JS_MASTER_REPORT="")

from autobahntestsuite import choosereactor  # noqa: E402,F401  installs the reactor, so it comes first
from autobahntestsuite import fuzzing  # noqa: E402
from twisted.internet import reactor  # noqa: E402


def main():
    role, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        spec = json.load(file)
    fuzzing.FuzzingFactory.createMasterReportHTML = lambda *_: None
    fuzzing.FuzzingFactory.createAgentCaseReportHTML = lambda *_: None
    if role == "client":
        fuzzing.startClient(spec)
    else:
        fuzzing.startServer(spec, 0)  # 0: no page to look at
    reactor.run()


main()
