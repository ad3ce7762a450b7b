"""A real Hadoop 2.7.3: a NameNode and a DataNode that speak WebHDFS, each a Java process of some 360 MB.

The jars are those in the source distribution of pyspark 2.4.8 and Debian's packages of Jersey 1. They are installed
once into a directory of the cache (`CLOUDFILES_TEST_CACHE`, else ~/.cache/cloudfiles-tests); a machine without Java,
the packages, or a way to PyPI, skips its tests.
"""

from __future__ import annotations

import glob
import http.client
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.processes import Server, _environment, _stop, ending_with_parent, find_program, free_port

_PYSPARK = "2.4.8"
_CACHE = Path(os.environ.get("CLOUDFILES_TEST_CACHE") or Path.home() / ".cache" / "cloudfiles-tests")
_DEBIAN = Path("/usr/share/java")
PACKAGES = ("openjdk-17-jre-headless", "libjersey1-server-java", "libjersey1-core-java", "libjersey1-servlet-java",
            "libcommons-daemon-java")
_APT = f"apt-get install --no-install-recommends {' '.join(PACKAGES)}"
_DEBIAN_JARS = ("jersey1-server", "jersey1-core", "jersey1-servlet", "jsr311-api", "jaxb-impl", "jaxb-core",
                "commons-daemon", "asm", "asm-commons")
_NEEDED = ("jersey1-server", "jersey1-core", "jersey1-servlet", "commons-daemon")
_HADOOP_JARS = (  # by the beginnings of their names
    "activation", "apacheds", "apache-log4j", "api-", "avro-1", "commons-cli", "commons-codec", "commons-coll",
    "commons-conf", "commons-io", "commons-lang-2", "commons-logging", "curator", "gson", "guava", "hadoop-annot",
    "hadoop-auth", "hadoop-common", "hadoop-hdfs", "htrace", "httpclient", "httpcore", "jackson-core-asl",
    "jackson-mapper-asl", "javax.servlet-api", "jaxb-api", "jetty", "jsp-api", "jsr305", "leveldbjni", "log4j", "netty",
    "protobuf", "slf4j", "stax", "xercesImpl", "xmlenc", "zookeeper")
_JAVA = ("-Xmx256m", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true", *(
    argument for package in ("java.lang", "java.nio", "sun.nio.ch", "java.util", "java.net", "java.io")
    for argument in ("--add-opens", f"java.base/{package}=ALL-UNNAMED")),
    "--add-opens", "java.security.jgss/sun.security.krb5=ALL-UNNAMED")
_NAME_NODE = "org.apache.hadoop.hdfs.server.namenode.NameNode"
_DATA_NODE = "org.apache.hadoop.hdfs.server.datanode.DataNode"
_START = 90.0  # seconds


@dataclass(frozen=True)
class HadoopServer(Server):
    """A running NameNode, at `port`, with its DataNode.

    Attributes:
        user: the superuser, to whom everything belongs at first.
        data_node_port: the port of the DataNode's HTTP server.
        data_node_pid: its process.
    """

    user: str = "root"
    data_node_port: int = 0
    data_node_pid: int = 0

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"


def install(timeout: float = 120) -> Path:
    """The directory of the jars, downloaded where they are missing. Skips the test where that cannot be.

    timeout: seconds for the download; a test that takes five minutes ends the run.
    """
    find_program("java", _APT)
    missing = [name for name in _NEEDED if not (_DEBIAN / f"{name}.jar").exists()]
    if missing:
        pytest.skip(f"{', '.join(missing)} are not in {_DEBIAN}: {_APT}")
    jars = _CACHE / f"hadoop-{_PYSPARK}"
    if not jars.is_dir():
        _download(jars, timeout)
    return jars


def _download(jars: Path, timeout: float) -> None:
    """Take the jars from the source distribution of pyspark (200 MB), which is not kept."""
    scratch = _CACHE / f"hadoop-{os.getpid()}"
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        constraints = scratch / "constraints.txt"
        constraints.write_text("pypandoc<1.8\nsetuptools<70\n")  # what this old distribution's setup.py runs with
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "pyspark", "-d",
                   str(scratch), f"pyspark=={_PYSPARK}"]
        try:
            done = subprocess.run(command, env={**os.environ, "PIP_CONSTRAINT": str(constraints)}, capture_output=True,
                                  text=True, timeout=timeout)
        except subprocess.TimeoutExpired:
            pytest.skip(f"pyspark {_PYSPARK} could not be downloaded in {timeout:.0f} s")
        archives = glob.glob(f"{scratch}/pyspark-*.tar.gz")
        if done.returncode or not archives:
            pytest.skip(f"pyspark {_PYSPARK} could not be downloaded: {done.stderr[-300:]}")
        unpacked = scratch / "jars"
        unpacked.mkdir()
        with tarfile.open(archives[0]) as archive:
            for member in archive:
                name = os.path.basename(member.name)
                if "/deps/jars/" in member.name and name.startswith(_HADOOP_JARS) and name.endswith(".jar"):
                    content = archive.extractfile(member)
                    assert content is not None
                    (unpacked / name).write_bytes(content.read())
        if not jars.is_dir():
            unpacked.rename(jars)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


# ---- running


def _write_settings(path: Path, settings: Mapping[str, object]) -> None:
    properties = "".join(f"<property><name>{name}</name><value>{value}</value></property>"
                         for name, value in settings.items())
    path.write_text(f"<configuration>{properties}</configuration>")


def _configure(home: Path, user: str) -> tuple[int, int]:
    """Write the configuration; returns the HTTP ports of both nodes."""
    rpc, name_http, data, data_http, ipc = (free_port() for _ in range(5))
    configuration = home / "conf"
    for name in ("hdfs", "datanode", "secondary"):
        (configuration / "webapps" / name / "WEB-INF").mkdir(parents=True, exist_ok=True)
        (configuration / "webapps" / name / "WEB-INF" / "web.xml").write_text("<web-app/>")
    (configuration / "log4j.properties").write_text(
        "log4j.rootLogger=WARN,A\nlog4j.appender.A=org.apache.log4j.ConsoleAppender\n"
        "log4j.appender.A.layout=org.apache.log4j.PatternLayout\n"
        "log4j.appender.A.layout.ConversionPattern=%d %p %c: %m%n\n")
    _write_settings(configuration / "core-site.xml", {
        "fs.defaultFS": f"hdfs://127.0.0.1:{rpc}", "hadoop.tmp.dir": home / "data",
        "hadoop.security.group.mapping": "org.apache.hadoop.security.ShellBasedUnixGroupsMapping",
        "hadoop.http.staticuser.user": user, f"hadoop.proxyuser.{user}.hosts": "*",
        f"hadoop.proxyuser.{user}.groups": "*"})
    _write_settings(configuration / "hdfs-site.xml", {
        "dfs.namenode.rpc-bind-host": "127.0.0.1", "dfs.namenode.http-address": f"127.0.0.1:{name_http}",
        "dfs.datanode.address": f"127.0.0.1:{data}", "dfs.datanode.http.address": f"127.0.0.1:{data_http}",
        "dfs.datanode.ipc.address": f"127.0.0.1:{ipc}", "dfs.datanode.hostname": "localhost", "dfs.replication": 1,
        "dfs.webhdfs.enabled": "true", "dfs.namenode.acls.enabled": "true", "dfs.namenode.xattrs.enabled": "true",
        "dfs.permissions.enabled": "true", "dfs.namenode.datanode.registration.ip-hostname-check": "false",
        "dfs.namenode.fs-limits.min-block-size": 1024, "dfs.namenode.safemode.extension": 0,
        "dfs.datanode.scan.period.hours": -1, "dfs.namenode.handler.count": 20})
    return name_http, data_http


def _answer(port: int, method: str, target: str) -> int:
    """The status of an answer; 0 where there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, target)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
    return response.status


@contextmanager
def hadoop(directory: Path) -> Iterator[HadoopServer]:
    """Hadoop with an empty file system on free ports."""
    jars, user = install(), "root"
    home = directory / "hadoop"
    (home / "data").mkdir(parents=True)
    name_port, data_port = _configure(home, user)
    debian = [str(_DEBIAN / f"{name}.jar") for name in _DEBIAN_JARS if (_DEBIAN / f"{name}.jar").exists()]
    class_path = os.pathsep.join([str(home / "conf"), *debian[:4], f"{jars}/*", *debian[4:]])
    java = [find_program("java", _APT), *_JAVA, "-cp", class_path]
    environment = {**_environment(home), "HADOOP_USER_NAME": user}
    subprocess.run([*java, _NAME_NODE, "-format", "-nonInteractive"], env=environment, cwd=home, check=True,
                   capture_output=True, timeout=_START)
    with ExitStack() as stack:
        processes = []
        for node in (_NAME_NODE, _DATA_NODE):
            log = stack.enter_context((home / node.rpartition(".")[2]).open("wb"))
            process = subprocess.Popen(ending_with_parent([*java, node]), env=environment, cwd=home,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            stack.callback(_stop, process)
            processes.append(process)
        deadline = time.monotonic() + _START
        # A file can be created once the DataNode is registered, to which the NameNode then redirects.
        while _answer(name_port, "PUT", f"/webhdfs/v1/.probe?op=CREATE&user.name={user}") != 307:
            if time.monotonic() > deadline or any(process.poll() is not None for process in processes):
                logs = "".join(path.read_text(errors="replace")[-1500:] for path in home.glob("*Node"))
                raise RuntimeError(f"Hadoop did not start:\n{logs}")
            time.sleep(0.1)
        yield HadoopServer("hadoop", f"http://127.0.0.1:{name_port}", name_port, processes[0].pid, user=user,
                           data_node_port=data_port, data_node_pid=processes[1].pid)
