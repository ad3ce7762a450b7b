"""References to secrets in pickles: who knows them, and who does not."""

from __future__ import annotations

import gc
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles, secret_references
from cloudfiles.exceptions import MissingCredentialsError
from cloudfiles.secret_references import SecretReference
from cloudfiles.secrets import export_secrets, import_secrets
from tests.internals import Replace

SECRETS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "top-secret"}


@pytest.fixture(autouse=True)
def _as_new(internals: Replace) -> None:
    internals(known_secrets={})


def elsewhere(internals: Replace) -> None:
    """As in another process."""
    internals(known_secrets={}, live_secrets={})


@pytest.mark.parametrize("secrets", [SECRETS, '{"AWS_ACCESS_KEY_ID": "top-secret"}', b'{"token": "top-secret"}'],
                         ids=["dict", "text", "bytes"])
def test_a_pickle_names_them_and_does_not_hold_them(secrets: Any, internals: Replace) -> None:
    cf = CloudFiles("s3://bucket/", secrets=secrets)
    pickled = pickle.dumps(cf)
    assert b"top-secret" not in pickled
    assert pickle.loads(pickled)._store.options.secrets == secrets
    exported = pickle.dumps(export_secrets([cf]))
    elsewhere(internals)
    copy = pickle.loads(pickled)
    for _ in range(2):  # a pickle of what is not known here is none of what is
        with pytest.raises(MissingCredentialsError, match="import_secrets"):
            copy.get("a")
        copy = pickle.loads(pickle.dumps(copy))
    import_secrets(pickle.loads(exported))
    assert copy._store.here() is not None
    assert copy._store.options.secrets == secrets


def test_they_are_known_as_long_as_one_has_them() -> None:
    first, second = (CloudFiles("s3://bucket/", secrets=dict(SECRETS)) for _ in range(2))
    name = secret_references._name(SECRETS)
    del first
    gc.collect()
    assert secret_references.resolve(SecretReference(name)) == SECRETS
    del second
    gc.collect()
    assert secret_references.resolve(SecretReference(name)) == SecretReference(name)


def test_equal_ones_have_one_name_that_tells_nothing() -> None:
    names = {secret_references._name(secrets) for secrets in (SECRETS, dict(reversed(SECRETS.items())))}
    assert len(names) == 1
    assert secret_references._name({**SECRETS, "AWS_SESSION_TOKEN": "t"}) not in names


def test_the_path_of_a_file_travels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, internals: Replace) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.json").write_text("{}")
    for path in ("mine.json", Path("mine.json")):
        pickled = pickle.dumps(CloudFiles("s3://bucket/", secrets=path))
        internals(known_secrets={})
        assert pickle.loads(pickled)._store.options.secrets == os.path.abspath("mine.json")
    assert b"no-such-file" not in pickle.dumps(CloudFiles("s3://bucket/", secrets="no-such-file"))


def test_local_stores_need_none(tmp_path: Path, internals: Replace) -> None:
    pickled = pickle.dumps(CloudFiles(f"file://{tmp_path}/", secrets=SECRETS))
    elsewhere(internals)
    assert pickle.loads(pickled).get("a") is None
