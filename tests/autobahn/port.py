"""Ports the installed Autobahn suite from Python 2 to the running Python 3, once, in its own virtual environment.

The cases write bytes as Python 2 string literals. They stay strings here, one code point per byte (Latin-1), and
become bytes where they meet the protocol: that boundary is latin1.py, which is copied into the package. So no case is
edited by hand; lib2to3 does the syntax and the tables below do the few places where Python 3 means something else.
Every edit must match, so that another version of the suite fails here and not in a verdict.
"""

import re
import shutil
import sysconfig
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
try:
    from lib2to3.refactor import RefactoringTool
    FIXES = "lib2to3.fixes"
except ImportError:  # Python 3.13 and later
    from fissix.refactor import RefactoringTool
    FIXES = "fissix.fixes"

SITE = Path(sysconfig.get_paths()["purelib"])
SUITE = SITE / "autobahntestsuite"
CASES = SUITE / "case"
LATIN1 = "from autobahntestsuite import latin1\n"

SYNTAX = ("print", "except", "raise", "has_key", "dict", "xrange", "unicode", "import", "ne", "repr", "exec",
          "tuple_params", "numliterals", "map", "filter", "zip", "long", "basestring")

# Kept: the fuzzing client and server and their cases.
MODULES = ("_version", "caseset", "choosereactor", "fuzzing")

EDITS = {
    CASES / "case.py": [
        ("import pickle\n", LATIN1),
        ("return pickle.dumps(obj1) == pickle.dumps(obj2)", "return latin1.same(obj1, obj2)"),
    ],
    CASES / "case6_x_x.py": [("v.validate(vss[:i])", "v.validate(latin1.octets(vss[:i]))")],
    CASES / "case10_1_1.py": [("/ self.p.autoFragmentSize", "// self.p.autoFragmentSize")],
    CASES / "case12_x_x.py": [("import copy, os, pkg_resources, hashlib", "import copy, os, hashlib")],
    CASES / "__init__.py": [("from .case9_9_1 import *\n", "")],  # disabled by its authors, Python 2 only
    SUITE / "fuzzing.py": [
        ("time, textwrap, pkg_resources\n", "time, textwrap\n"),
        ("class FuzzingProtocol:", "class FuzzingProtocol(latin1.Sender):"),
        ("p = ''.join(payload)", "p = b''.join(payload)"),
        ("binascii.b2a_hex(", "latin1.hexadecimal("),
        ("json.dumps(case, ", "json.dumps(case, default = latin1.text, "),
        ("json.dumps(res, ", "json.dumps(res, default = latin1.text, "),
        ("dd = data[:maxlen] + ellipses", "dd = data[:maxlen] + latin1.octets(ellipses)"),
        ("def asciiLogData(data, maxlen = 64, replace = False):\n",
         "def asciiLogData(data, maxlen = 64, replace = False):\n   data = latin1.octets(data)\n"),
        ("pkg_resources.resource_filename(", "latin1.resource("),
    ],
    SITE / "autobahn" / "websocket" / "protocol.py": [
        ("range(payload_len / len(payload))", "range(payload_len // len(payload))"),
    ],
}


def drop_unused():
    """Removes what the fuzzers do not import: WAMP, the web pages, the load tests. Only now: the fixer for relative
    imports looks at which files there are."""
    for path in SUITE.iterdir():
        if path.suffix == ".py" and path.stem not in MODULES:
            path.unlink()
    (CASES / "case9_9_1.py").unlink()


def convert_syntax(files):
    """Runs the 2to3 fixers; raw bytes in the cases' literals become one code point each."""
    tool = RefactoringTool([f"{FIXES}.fix_{name}" for name in SYNTAX])
    for path in files:
        source = path.read_text(encoding="latin-1" if path.parent == CASES else "utf-8")
        path.write_text(str(tool.refactor_string(source + "\n", str(path))), encoding="utf-8")


def edit_meaning(files):
    """Applies the table, and the two idioms that occur in many cases."""
    for path in files:
        source = path.read_text(encoding="utf-8")
        source = re.sub(r"\(object, Case(, ?)?\)", "(Case,)", source)  # Python 3 refuses that order of bases
        if "b2a_hex" in source and path.parent == CASES:
            source = re.sub(r"binascii\.b2a_hex\(", "latin1.hexadecimal(", source)
            source = re.sub(r"^import binascii$", LATIN1 + "import binascii", source, count=1, flags=re.M)
        source = source.replace("pkg_resources.resource_filename(", "latin1.resource(")
        path.write_text(source, encoding="utf-8")
    for path, edits in EDITS.items():
        source = path.read_text(encoding="utf-8")
        for old, new in edits:
            if old not in source and new not in source:
                raise SystemExit(f"{path.name}: this is not the expected version of the suite, no {old!r} in it")
            source = source.replace(old, new)
        path.write_text(source, encoding="utf-8")


def give_boundary():
    """Puts latin1.py into the package and imports it where the protocol and the compressed cases need it."""
    shutil.copy(Path(__file__).with_name("latin1.py"), SUITE / "latin1.py")
    (SUITE / "__init__.py").write_text("from ._version import __version__\nversion = __version__\n")
    for path in (SUITE / "fuzzing.py", CASES / "case12_x_x.py"):
        path.write_text(LATIN1 + path.read_text(encoding="utf-8"), encoding="utf-8")


def main():
    files = [SUITE / f"{name}.py" for name in MODULES] + sorted(CASES.glob("*.py"))
    convert_syntax(files)
    edit_meaning(files)
    drop_unused()
    give_boundary()


main()
