"""What a run on Spark needs, and what it says when that is missing. Needs neither Spark nor Java."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.runs import run_entity
from engine.settings import Settings
from engine.spark import ClusterError, require
from engine.tables import Run

DAY = 20_543
ROOT = Path(__file__).parent.parent.parent
MASTER = "spark://127.0.0.1:7077"


@pytest.fixture
def java(tmp_path, monkeypatch):
    """A machine on which something called java is found, and nothing else."""
    found = tmp_path / "jdk" / "bin" / "java"
    found.parent.mkdir(parents=True)
    found.write_text("#!/bin/sh\n")
    found.chmod(0o755)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(found.parent))
    return found


def test_a_run_on_spark_needs_a_master(runtime, entity):
    """The refusal comes before anything is read or written."""
    with pytest.raises(ClusterError, match=r"DUNWELL_SPARK_MASTER is not set\. Cure: name the master"):
        run_entity(runtime, entity, DAY, engine="spark")
    assert not Run.select().exists()


def test_a_machine_without_java_is_told_which_package_to_install(settings, tmp_path, monkeypatch):
    """By its name in apt; a JAVA_HOME without a Java is named."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ClusterError, match=r"none on this machine\. Cure: apt-get install openjdk-17-jre-headless"):
        require(replace(settings, spark_master=MASTER))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nothing"))
    with pytest.raises(ClusterError, match=r"none in JAVA_HOME .*nothing"):
        require(replace(settings, spark_master=MASTER))


def test_a_house_without_pyspark_is_told_how_to_install_it(settings, java, monkeypatch):
    """Spark is an optional part of the installation."""
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(ClusterError, match=r'pip install "dunwell\[spark\]"'):
        require(replace(settings, spark_master=MASTER))
    monkeypatch.setenv("JAVA_HOME", str(java.parent.parent))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ClusterError, match="pyspark is not installed"):  # a Java in JAVA_HOME is enough
        require(replace(settings, spark_master=MASTER))


@pytest.mark.parametrize("master", ["spark://host:7077", "k8s://https://host", "yarn", "local[2]", "local[*]"])
def test_addresses_that_spark_knows(master):
    """Of a cluster, or of none for a trial."""
    settings, problems = Settings.from_environment({"DUNWELL_SPARK_MASTER": master})
    assert settings.spark_master == master
    assert [p.place for p in problems if p.place == "DUNWELL_SPARK_MASTER"] == []


@pytest.mark.parametrize("master", ["host:7077", "http://host:7077", "spark://", "yarn2", "local"])
def test_addresses_that_it_does_not_know(master):
    """Are told at the start, with an example."""
    settings, problems = Settings.from_environment({"DUNWELL_SPARK_MASTER": master})
    assert settings.spark_master is None
    (problem,) = [p for p in problems if p.place == "DUNWELL_SPARK_MASTER"]
    assert problem.cure == "give spark://host:7077"


def test_the_exchange_lies_below_the_state_unless_a_folder_is_named(tmp_path):
    """Which on several machines is a share."""
    settings, _ = Settings.from_environment({"DUNWELL_VAR": str(tmp_path)})
    assert settings.spark_folder == tmp_path / "spark"
    settings, _ = Settings.from_environment({"DUNWELL_VAR": str(tmp_path), "DUNWELL_SPARK_FOLDER": "/mnt/dunwell"})
    assert str(settings.spark_folder) == "/mnt/dunwell"


def test_the_command_refuses_in_one_line(tmp_path):
    """With exit code 2; ``--engine`` takes what there is."""
    dunwell = str(Path(sys.executable).with_name("dunwell"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DUNWELL_")}

    def say(*words):
        return subprocess.run(
            [dunwell, *words], env={**kept, "DUNWELL_VAR": str(tmp_path)}, cwd=ROOT, capture_output=True, text=True
        )

    assert say("entity", "ACME", "--currency", "EUR").returncode == 0
    refused = say("run", "ACME", "--engine", "spark")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "dunwell: DUNWELL_SPARK_MASTER is not set. Cure: name the master, such as spark://host:7077\n"
    )
