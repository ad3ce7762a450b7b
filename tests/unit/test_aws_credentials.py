import json
import os
import pickle
import stat
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cloudfiles.credentials import aws_chain
from cloudfiles.credentials.aws import AwsCredentials, AwsProvider
from cloudfiles.credentials.provider import RECHECK_FILES, REFRESH_EARLY
from cloudfiles.credentials.renewal import RETRY_AFTER
from cloudfiles.exceptions import (
    AuthorizationError,
    ConfigurationError,
    MissingCredentialsError,
    MissingExtraError,
)

KEY, SECRET, TOKEN = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMIbPxRfiCY", "FwoGZXIvYXdzEXAMPLE"
BOTH = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}


class Clock:
    def __init__(self, now=1_000_000.0):
        self.now = now

    def __call__(self):
        return self.now


class Chain:
    """A chain whose credentials live for `lifetime` seconds; raises what `error` holds."""

    def __init__(self, clock, lifetime=3600.0):
        self.clock, self.lifetime, self.calls, self.error = clock, lifetime, 0, None

    def __call__(self):
        self.calls += 1
        if self.error:
            raise self.error
        return AwsCredentials(f"ASIA{self.calls:016}", SECRET, TOKEN, expiry=self.clock.now + self.lifetime,
                              source="test chain")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def chain(clock):
    return Chain(clock)


@pytest.fixture
def secrets_dir(tmp_path, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.delenv("CLOUD_FILES_DIR", raising=False)
    directory = tmp_path / "home" / ".cloudfiles" / "secrets"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def make(clock, chain, secrets_dir):
    def make(*args, **options):
        return AwsProvider(*args, **{"clock": clock, "chain": chain, "environ": {}, "sleep": no_sleep, **options})
    return make


def no_sleep(seconds):
    raise AssertionError("nothing to wait for")


def write(path, **fields):
    path.write_text(json.dumps(fields))


# ---- the value


def test_repr_and_pickle_show_no_secret():
    value = AwsCredentials(KEY, SECRET, TOKEN, source="somewhere")
    for text in (repr(value), str(value), f"{value}", repr([value])):
        assert "MPLE" in text
        assert "somewhere" in text
        assert KEY not in text
        assert SECRET not in text
        assert TOKEN not in text
    assert repr(AwsCredentials("short", SECRET)).count("hort") == 0
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(value)


# ---- places


def test_secrets_in_every_form_and_spelling(make, tmp_path):
    path = tmp_path / "mine.json"
    write(path, **BOTH)
    for secrets in (BOTH, json.dumps(BOTH), json.dumps(BOTH).encode(), path, str(path),
                    {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET},
                    {"AccessKeyId": KEY, "SecretAccessKey": SECRET, "Version": 1},
                    {"AWS_ACCESS_KEY_ID": f"{KEY}\n", "AWS_SECRET_ACCESS_KEY": f" {SECRET}"}):
        found = make(secrets=secrets).get()
        assert (found.access_key, found.secret_key, found.token) == (KEY, SECRET, None)
    found = make(secrets={**BOTH, "AWS_SESSION_TOKEN": TOKEN, "AWS_DEFAULT_REGION": "eu-west-1",
                          "AWS_ENDPOINT_URL": "https://h", "Expiration": "2030-01-02T03:04:05Z"}).get()
    assert (found.token, found.region, found.endpoint, found.expiry, found.source) == (
        TOKEN, "eu-west-1", "https://h", datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone.utc).timestamp(), "secrets=")


@pytest.mark.parametrize("expiration", ["2030-01-02T03:04:05Z", "2030-01-02T03:04:05", "2030-01-02T05:04:05+02:00"])
def test_expiration(make, expiration):
    moment = datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone.utc).timestamp()
    assert make(secrets={**BOTH, "Expiration": expiration}).get().expiry == moment
    assert make(environ={**BOTH, "AWS_CREDENTIAL_EXPIRATION": expiration}).get().expiry == moment


def test_order_of_credential_sources(make, chain, secrets_dir):
    environ = {"AWS_ACCESS_KEY_ID": "env", "AWS_SECRET_ACCESS_KEY": SECRET}
    assert make(environ={}).get().source == "test chain"
    assert make(environ=environ).get().access_key == "env"
    assert make(environ={**environ, "AWS_PROFILE": "p"}).get().access_key == "env"  # as botocore has it
    for name, bucket, service in (("aws-secret.json", "b", "aws"), ("b-aws-secret.json", "b", "s3"),
                                  ("matrix-secret.json", "b", "matrix"), ("b-matrix-secret.json", "b", "matrix")):
        write(secrets_dir / name, AWS_ACCESS_KEY_ID=name, AWS_SECRET_ACCESS_KEY=SECRET)
        found = make(bucket, service, environ=environ).get()
        assert (found.access_key, found.source) == (name, str(secrets_dir / name))
    assert make("other", environ=environ).get().access_key == "aws-secret.json"
    assert make("b", "nokura", environ=environ).get().access_key == "env"
    assert make("b", secrets=BOTH, environ=environ).get().access_key == KEY
    assert chain.calls == 1


def test_region_and_endpoint(make, secrets_dir):
    environ = {**BOTH, "AWS_DEFAULT_REGION": "default", "AWS_REGION": "region", "AWS_ENDPOINT_URL": "http://all",
               "AWS_ENDPOINT_URL_S3": "http://s3"}
    found = make(environ=environ).get()
    assert (found.region, found.endpoint) == ("region", "http://s3")
    found = make(environ={**environ, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}).get()
    assert (found.region, found.endpoint) == ("region", None)
    found = make(secrets={**BOTH, "region_name": "mine"}, environ=environ).get()
    assert (found.region, found.endpoint) == ("mine", "http://s3")
    write(secrets_dir / "aws-secret.json", AWS_DEFAULT_REGION="file")
    assert make(environ=BOTH).get().region == "file"
    assert make(environ={}).get().region == "file"
    assert make(environ={"AWS_REGION": "region"}, anonymous=True).location() == ("region", None)
    (secrets_dir / "aws-secret.json").unlink()
    provider = make(environ=environ)
    assert provider.location() == ("region", "http://s3")
    provider.get()
    assert provider.location() == ("region", "http://s3")


def test_anonymous(make, chain):
    provider = make(secrets=BOTH, anonymous=True)
    assert provider.get() is None
    assert provider.refresh(None) is None
    assert provider.explain() == [("no_sign_request", "requests are not signed")]
    assert chain.calls == 0


@pytest.mark.parametrize(("secrets", "said"), [
    ({"AWS_ACCESS_KEY_ID": KEY}, "AWS_SECRET_ACCESS_KEY is missing"),
    ({"AWS_SECRET_ACCESS_KEY": SECRET}, "AWS_ACCESS_KEY_ID is missing"),
    ({"password": SECRET}, "none of the fields"),
    ({"AWS_ACCESS_KEY_ID": 5, "AWS_SECRET_ACCESS_KEY": SECRET}, "expected a str, got int"),
    ({**BOTH, "Expiration": "soon"}, "ISO 8601"),
    ({**BOTH, "AWS_SESSION_TOKEN": f"{SECRET}\r\nX-Header: 1"}, "one line of printable ASCII"),
    ({**BOTH, "AWS_SESSION_TOKEN": "ü"}, "one line of printable ASCII"),
    (SECRET, "expected a dict, JSON text or the path of an existing file"),
])
def test_unusable_secrets(make, secrets, said):
    with pytest.raises(ConfigurationError, match=said) as caught:
        make(secrets=secrets).get()
    assert SECRET not in str(caught.value)


def test_half_a_key_in_the_environment(make):
    with pytest.raises(ConfigurationError, match="environment: AWS_SECRET_ACCESS_KEY is missing"):
        make(environ={"AWS_ACCESS_KEY_ID": KEY}).get()


def test_nothing_found_says_where_it_looked(make, secrets_dir):
    with pytest.raises(MissingCredentialsError) as caught:
        make("bucket", chain=lambda: None).get()
    for place in (secrets_dir / "bucket-aws-secret.json", secrets_dir / "aws-secret.json", "environment", "botocore",
                  "no_sign_request"):
        assert str(place) in str(caught.value)


def test_nothing_found_and_no_botocore(make, monkeypatch):
    monkeypatch.setitem(sys.modules, "botocore", None)
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(MissingExtraError):
        aws_chain.load()
    with pytest.raises(MissingCredentialsError, match=r"environment.*pip install 'cloudfiles\[s3\]'"):
        make(chain=aws_chain.load).get()
    assert make(secrets=BOTH, chain=aws_chain.load).get().access_key == KEY


def test_explain(make, secrets_dir, chain):
    write(secrets_dir / "aws-secret.json", **BOTH, AWS_SESSION_TOKEN=TOKEN)
    provider = make("b", secrets={"region": "eu-west-1"}, environ={**BOTH, "AWS_ENDPOINT_URL": "http://h"})
    found = dict(provider.explain())
    assert found["secrets="] == "region eu-west-1"
    assert found[str(secrets_dir / "b-aws-secret.json")] == "nothing"
    assert found[str(secrets_dir / "aws-secret.json")] == "access key ...MPLE, session token"
    assert found["environment"] == "access key ...MPLE, endpoint http://h"
    assert found["botocore's chain"] == "access key ...0001, from test chain"
    assert not any(secret in str(found) for secret in (KEY, SECRET, TOKEN))
    chain.error = AuthorizationError("the source failed")
    assert provider.explain()[-1] == ("botocore's chain", "the source failed")
    assert make(chain=lambda: None).explain()[-1] == ("botocore's chain", "nothing")


def test_explain_shows_the_source_at_which_get_fails(make, secrets_dir):
    (secrets_dir / "b-aws-secret.json").write_text(SECRET)
    place, found = make("b").explain()[-1]
    assert place == "error"
    assert "b-aws-secret.json is not valid JSON" in found
    assert SECRET not in found
    assert "AWS_SECRET_ACCESS_KEY is missing" in make(environ={"AWS_ACCESS_KEY_ID": KEY}).explain()[-1].found


# ---- renewing


def test_static_credentials_are_looked_up_once(make, clock):
    environ = dict(BOTH)
    provider = make(environ=environ)
    first = provider.get()
    environ.clear()
    clock.now += 1e9
    assert provider.get() is first


def test_refreshed_early(make, clock, chain):
    provider = make()
    first = provider.get()
    clock.now += chain.lifetime - REFRESH_EARLY - 1
    assert provider.get() is first
    clock.now += 1
    assert provider.get() is not first
    assert chain.calls == 2


def test_valid_credentials_outlive_a_failing_refresh(make, clock, chain):
    provider = make()
    first = provider.get()
    chain.error = AuthorizationError("down")
    clock.now = first.expiry - REFRESH_EARLY
    assert provider.get() is first
    assert provider.get() is first
    assert chain.calls == 2  # not asked again at once
    clock.now += RETRY_AFTER
    assert provider.get() is first
    assert chain.calls == 3
    clock.now = first.expiry
    with pytest.raises(AuthorizationError, match="down"):
        provider.get()
    chain.error = None
    assert provider.get() not in (None, first)


def test_short_lived_credentials_are_not_fetched_for_every_request(make, clock, chain):
    chain.lifetime = 120
    provider = make()
    first = provider.get()
    clock.now += RETRY_AFTER - 1
    assert provider.get() is first
    clock.now += 1
    assert provider.get() is not first
    chain.lifetime = 10
    clock.now += 120
    last = provider.get()
    clock.now = last.expiry
    assert provider.get() is not last


def test_rotated_file_is_noticed(make, clock, secrets_dir):
    path = secrets_dir / "aws-secret.json"
    write(path, **BOTH)
    provider = make()
    first = provider.get()
    write(path, AWS_ACCESS_KEY_ID="another key", AWS_SECRET_ACCESS_KEY=SECRET)
    clock.now += RECHECK_FILES - 1
    assert provider.get() is first
    clock.now += 1
    assert provider.get().access_key == "another key"
    path.write_text("half writ")
    clock.now += RECHECK_FILES
    assert provider.get().access_key == "another key"
    with pytest.raises(ConfigurationError, match=r"aws-secret\.json"):
        provider.refresh(provider.get())


def test_rejected_credentials_are_replaced_once(make, chain):
    provider = make()
    first = provider.get()
    second = provider.refresh(first)
    assert second != first
    assert provider.refresh(first) is second  # a second worker that was rejected with the first ones
    assert provider.get() is second
    assert chain.calls == 2


def test_rejected_credentials_that_cannot_be_replaced(make, chain):
    provider = make()
    first = provider.get()
    chain.error = AuthorizationError("down")
    with pytest.raises(AuthorizationError, match="down"):
        provider.refresh(first)
    environ = make(environ=BOTH)
    assert environ.refresh(environ.get()) == environ.get()  # the same ones: the caller compares


class Gate:
    """A chain that waits until it is opened."""

    def __init__(self, chain):
        self.chain, self.entered, self.open = chain, threading.Event(), threading.Event()

    def __call__(self):
        self.entered.set()
        assert self.open.wait(30)
        return self.chain()


def run_together(count, work):
    """What `count` threads get from `work`, or the error."""
    results = []

    def one():
        try:
            results.append(work())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, results


def join_all(threads):
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_threads_that_have_nothing_share_one_fetch(make, chain):
    gate = Gate(chain)
    waiting = threading.Semaphore(0)

    def sleep(seconds):
        waiting.release()
        gate.open.wait(seconds)

    provider = make(chain=gate, sleep=sleep)
    threads, results = run_together(8, provider.get)
    for _ in range(7):
        assert waiting.acquire(timeout=30)
    gate.open.set()
    join_all(threads)
    assert len(results) == 8
    assert chain.calls == 1
    assert all(result is results[0] for result in results)


def test_threads_share_a_failure(make, chain):
    gate = Gate(chain)
    chain.error = AuthorizationError("down")
    provider = make(chain=gate, sleep=lambda seconds: gate.open.wait(seconds))
    renewal = provider._renewal
    threads, results = run_together(1, provider.get)
    assert gate.entered.wait(30)
    others, more = run_together(5, lambda: renewal._wait_for(renewal._fetches[os.getpid()]))
    gate.open.set()
    join_all([*threads, *others])
    assert [str(result) for result in results + more] == ["down"] * 6
    assert len({id(result) for result in results + more}) == 6
    assert chain.calls == 1


def test_others_continue_with_valid_credentials_during_a_refresh(make, clock, chain):
    gate = Gate(chain)
    gate.open.set()
    provider = make(chain=gate)
    first = provider.get()
    gate.open.clear()
    gate.entered.clear()
    clock.now = first.expiry - 1
    threads, results = run_together(1, provider.get)
    assert gate.entered.wait(30)
    assert [provider.get() for _ in range(5)] == [first] * 5  # `sleep` would raise
    gate.open.set()
    join_all(threads)
    assert results == [provider.get()] != [first]


def test_greenlets_of_one_thread_share_one_fetch(make, chain):
    gevent = pytest.importorskip("gevent")

    def run_in_thread(function):
        gevent.sleep(0.01)
        return function()

    provider = make(run_in_thread=run_in_thread, sleep=gevent.sleep)
    workers = [gevent.spawn(provider.get) for _ in range(20)]
    gevent.joinall(workers, timeout=30, raise_error=True)
    assert {worker.value.access_key for worker in workers} == {provider.get().access_key}
    first = provider.get()
    workers = [gevent.spawn(provider.refresh, first) for _ in range(20)]
    gevent.joinall(workers, timeout=30, raise_error=True)
    assert all(worker.value is provider.get() for worker in workers)
    assert chain.calls == 2


def test_a_killed_leader_leaves_the_work_to_another(make, chain):
    gevent = pytest.importorskip("gevent")

    def run_in_thread(function):
        gevent.sleep(0.01)
        return function()

    provider = make(run_in_thread=run_in_thread, sleep=gevent.sleep)
    leader = gevent.spawn(provider.get)
    gevent.sleep(0)
    follower = gevent.spawn(provider.get)
    gevent.sleep(0)
    leader.kill()
    assert follower.get(timeout=30) is provider.get()
    assert chain.calls == 1


def test_a_forked_child_does_not_wait_for_its_parent(make, chain, monkeypatch):
    gate = Gate(chain)
    provider = make(chain=gate)
    threads, _ = run_together(1, provider.get)
    assert gate.entered.wait(30)
    provider._chain = chain
    pid = os.getpid()
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: pid + 1)
        assert provider.get().source == "test chain"  # `sleep` would raise
    gate.open.set()
    join_all(threads)


def test_repr_of_a_provider(make):
    provider = make("bucket", secrets=BOTH)
    provider.get()
    for secret in (KEY, SECRET):
        assert secret not in repr(provider)
    assert "bucket" in repr(provider)


# ---- botocore's chain


@pytest.fixture
def aws_home(tmp_path, monkeypatch, secrets_dir):
    """A place for ~/.aws, and no instance metadata."""
    pytest.importorskip("botocore")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    directory = tmp_path / "home" / ".aws"
    directory.mkdir()
    return directory


class MetadataServer(ThreadingHTTPServer):
    """The container and the instance metadata service: new credentials at every request, for an hour."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), MetadataHandler)
        self.served, self.fail = 0, False
        self.url = f"http://127.0.0.1:{self.server_port}"

    def credentials(self):
        self.served += 1
        expiry = datetime.fromtimestamp(time.time() + 3600, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"Code": "Success", "AccessKeyId": f"ASIA{self.served:016}", "SecretAccessKey": SECRET, "Token": TOKEN,
                "Expiration": expiry}


class MetadataHandler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.server.fail:
            self.answer(500, "down")
        elif self.path.endswith("/security-credentials/"):
            self.answer(200, "role")
        else:
            self.answer(200, json.dumps(self.server.credentials()))

    def do_PUT(self):
        self.answer(200, "imds token")

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def metadata(aws_home):
    with MetadataServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join(30)


def test_chain_finds_nothing(aws_home, make):
    assert aws_chain.load() is None
    with pytest.raises(MissingCredentialsError):
        make(chain=aws_chain.load).get()


def test_shared_files_and_profile(aws_home, monkeypatch):
    (aws_home / "credentials").write_text(
        f"[default]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\n"
        f"[lab]\naws_access_key_id=lab\naws_secret_access_key={SECRET}\naws_session_token={TOKEN}\n")
    (aws_home / "config").write_text(
        "[default]\nregion=eu-west-1\nendpoint_url=http://all\n"
        "[profile lab]\nregion=eu-north-1\nservices=mine\n[services mine]\ns3 =\n  endpoint_url = http://s3\n")
    assert aws_chain.load() == AwsCredentials(
        KEY, SECRET, None, "eu-west-1", "http://all", None, "botocore (shared-credentials-file)")
    monkeypatch.setenv("AWS_PROFILE", "lab")
    found = AwsProvider().get()
    assert (found.access_key, found.token, found.region, found.endpoint) == ("lab", TOKEN, "eu-north-1", "http://s3")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://env")
    assert AwsProvider().get().endpoint == "http://env"


def test_rotated_shared_file_is_read_after_a_rejection(aws_home):
    (aws_home / "credentials").write_text(f"[default]\naws_access_key_id=one\naws_secret_access_key={SECRET}\n")
    provider = AwsProvider()
    first = provider.get()
    (aws_home / "credentials").write_text(f"[default]\naws_access_key_id=two\naws_secret_access_key={SECRET}\n")
    assert provider.get() is first
    assert provider.refresh(first).access_key == "two"


def test_unknown_profile(aws_home, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(AuthorizationError, match="nobody"):
        AwsProvider().get()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_process(aws_home):
    program = aws_home / "tell"
    answer = {"Version": 1, "AccessKeyId": KEY, "SecretAccessKey": SECRET, "SessionToken": TOKEN,
              "Expiration": "2100-01-01T00:00:00Z"}
    program.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (aws_home / "config").write_text(f"[default]\ncredential_process = {program}\n")
    found = AwsProvider().get()
    assert (found.access_key, found.token, found.expiry) == (KEY, TOKEN, 4102444800.0)
    assert found.source == "botocore (custom-process)"
    program.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    with pytest.raises(AuthorizationError, match="broken"):
        AwsProvider().get()


def test_container_refreshed_before_expiry(metadata, monkeypatch):
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", metadata.url + "/creds")
    clock = Clock(time.time())
    provider = AwsProvider(clock=clock)
    first = provider.get()
    assert (first.access_key, first.token, first.source) == ("ASIA0000000000000001", TOKEN, "botocore (container-role)")
    assert first.expiry == pytest.approx(time.time() + 3600, abs=60)
    assert provider.get() is first
    clock.now = first.expiry - REFRESH_EARLY
    assert provider.get().access_key == "ASIA0000000000000002"
    assert provider.refresh(provider.get()).access_key == "ASIA0000000000000003"
    assert metadata.served == 3


def test_instance_metadata(metadata, monkeypatch):
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url + "/")
    found = AwsProvider().get()
    assert (found.source, found.token) == ("botocore (iam-role)", TOKEN)
    metadata.fail = True
    with pytest.raises(MissingCredentialsError):
        AwsProvider().get()


def test_metadata_patience(aws_home, monkeypatch):
    session = pytest.importorskip("botocore.session").Session()
    assert aws_chain._load(session) is None
    assert session.get_config_variable("metadata_service_timeout") == aws_chain.METADATA_TIMEOUT
    assert session.get_config_variable("metadata_service_num_attempts") == aws_chain.METADATA_ATTEMPTS
    monkeypatch.setenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "7")
    session = pytest.importorskip("botocore.session").Session()
    aws_chain._load(session)
    assert session.get_config_variable("metadata_service_num_attempts") == 7


def test_importing_and_static_credentials_load_no_sdk(tmp_path):
    code = ("import sys; from cloudfiles.credentials.aws import AwsProvider; import cloudfiles.secrets;"
            "AwsProvider().get(); print([m for m in ('botocore', 'gevent', 'urllib3') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **BOTH, "HOME": str(tmp_path)},
                          capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
