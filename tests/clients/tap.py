"""A list of named tests and its report: `ok name`, `not ok name: why`, and a last line `N passed, N failed`."""

import asyncio
import inspect
import sys
import time

SECONDS_MAX = 60


class Tests:
    """Tests in the order in which they were added; each is a function or a coroutine function."""

    def __init__(self):
        self._tests = []

    def add(self, name, function, *arguments):
        self._tests.append((name, function, arguments))

    def case(self, name, *arguments):
        """Adds the decorated function."""
        def decorate(function):
            self.add(name, function, *arguments)
            return function
        return decorate

    def run(self, only=None):
        """Runs the tests whose name contains `only`; ends the process with 1 when one failed."""
        chosen = [test for test in self._tests if not only or only in test[0]]
        failed = 0
        for name, function, arguments in chosen:
            started = time.monotonic()
            why = _outcome(function, arguments)
            failed += why is not None
            took = time.monotonic() - started
            note = f" ({took:.1f} s)" if took >= 1 else ""
            print(f"ok {name}{note}" if why is None else f"not ok {name}: {why}{note}", flush=True)
        print(f"{len(chosen) - failed} passed, {failed} failed", flush=True)
        sys.exit(1 if failed else 0)


def equal(found, expected, what="value"):
    """Fails unless the two are equal, and says what both were without printing megabytes."""
    if found != expected:
        raise AssertionError(f"{what}: expected {_short(expected)}, found {_short(found)}")


def among(found, expected, what="value"):
    """Fails unless `found` is one of `expected`."""
    if found not in expected:
        raise AssertionError(f"{what}: expected one of {_short(expected)}, found {_short(found)}")


def _outcome(function, arguments):
    """Why the test failed, or None."""
    try:
        if inspect.iscoroutinefunction(function):
            asyncio.run(asyncio.wait_for(function(*arguments), SECONDS_MAX))
        else:
            function(*arguments)
    except TimeoutError as error:
        return str(error) or "what was waited for did not come"
    except AssertionError as error:
        return str(error) or "an assertion failed"
    except Exception as error:  # whatever a client library raises is a failure of the test, not of the run
        return f"{type(error).__name__}: {error}"
    return None


def _short(value):
    text = repr(value)
    if len(text) <= 120:
        return text
    length = f" ({len(value)} long)" if hasattr(value, "__len__") else ""
    return f"{text[:80]} ... {text[-30:]}{length}"
