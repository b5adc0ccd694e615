"""Makes the suite's virtual environment from PyPI, once: 15 seconds and 60 MB below target/autobahn."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = ROOT / "target" / "autobahn"
PYTHON = CACHE / "venv" / "bin" / "python"

# The newest published suite, and the one version of the library that it works with. Both are Python 2 in their
# metadata, so pip must neither resolve nor isolate them; port.py makes them run.
PACKAGES = ("autobahn==0.10.9", "autobahntestsuite==25.10.1")
INPUTS = ("requirements.txt", "port.py", "latin1.py", "install.py")


def ensure_installed():
    """Answers the suite's Python; builds the environment when it is missing or its recipe has changed."""
    recipe = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in INPUTS)).hexdigest()
    stamp = CACHE / "ready"
    if stamp.exists() and stamp.read_text() == recipe:
        return PYTHON
    print(f"installing the Autobahn suite into {CACHE}", flush=True)
    stamp.unlink(missing_ok=True)
    shutil.rmtree(CACHE / "venv", ignore_errors=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    _run(sys.executable, "-m", "venv", CACHE / "venv")
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check", "-q", "install")
    _run(*pip, "-r", HERE / "requirements.txt")
    _run(*pip, "--no-deps", "--no-build-isolation", "--no-compile", *PACKAGES)
    _run(PYTHON, HERE / "port.py")
    stamp.write_text(recipe)
    return PYTHON


def _run(*command):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\nthe Autobahn suite could not be installed: {' '.join(map(str, command))}")
