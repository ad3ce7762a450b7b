"""The measuring process: `python measure.py` reads a Job as JSON from standard input and writes results as JSON.

It is run by path, not with `-m`: with the project's root on the module path, the other package
named `cloudfiles` could not be measured.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import traceback
from pathlib import Path

MARK = "\x1e"  # precedes the results, in case a library prints something


def adopt_package() -> None:
    """Make this directory importable as `benchmarks` without its parent on the path."""
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() not in (here, here.parent)]
    spec = importlib.util.spec_from_file_location("benchmarks", here / "__init__.py",
                                                  submodule_search_locations=[str(here)])
    assert spec is not None
    sys.modules["benchmarks"] = importlib.util.module_from_spec(spec)


def main() -> None:
    adopt_package()
    from benchmarks.clients import by_name
    from benchmarks.clients.base import Target
    from benchmarks.trials import Job
    from benchmarks.verbs import perform

    described = json.load(sys.stdin)
    described["target"] = Target(**described["target"])
    job = Job(**described)
    try:
        outcome = perform(by_name(job.client)(), job)
    except Exception as error:  # a failure of a client is reported in its row
        traceback.print_exc()
        outcome = {"error": f"{type(error).__name__}: {error}"[:500]}
    print(MARK + json.dumps(outcome), flush=True)


if __name__ == "__main__":
    main()
