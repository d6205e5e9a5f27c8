"""`make install` and `make uninstall`: below a DESTDIR, and in a root of their own. pip needs the network."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.helpers.own_root import own_root
from tests.helpers.programs import PLUGIN, answers, component, free_port, program, read_line, wait_until
from tests.helpers.telegrams import ROOT

pytestmark = pytest.mark.integration

NEEDED = ("Makefile", "scripts/install", "deploy", "pyproject.toml", "setup.py", "README.md", "LICENSE", "telegraf_p1")
DROP_IN = "etc/systemd/system/telegraf.service.d/p1.conf"
RULES = "etc/udev/rules.d/99-p1.rules"
MANUAL = "usr/local/share/man/man1/telegraf-p1.1"
COMPLETIONS = {
    "bash": "usr/local/share/bash-completion/completions/telegraf-p1",
    "zsh": "usr/local/share/zsh/site-functions/_telegraf-p1",
    "fish": "etc/fish/completions/telegraf-p1.fish",
}
GOLDEN = ROOT / "tests" / "golden" / "nl-5.0-three-phases"


def tree(folder: Path) -> Path:
    """Copy what is installed from: tests change it."""
    for name in NEEDED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    return folder


def make(
    folder: Path, target: str, *variables: str, user: int | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", "-C", str(folder), target, f"PYTHON={sys.executable}", *variables]
    return subprocess.run(
        command,
        env=os.environ | environment,
        user=user,
        umask=0o077,  # as some roots have it
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def files(folder: Path) -> dict[str, bytes]:
    """Give what is in a folder: files with what they hold, links with where they lead, folders."""
    return {
        str(path.relative_to(folder)): str(path.readlink()).encode()
        if path.is_symlink()
        else b""
        if path.is_dir()
        else path.read_bytes()
        for path in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Install once for the tests that only look: what make was given as DESTDIR and as prefix."""
    source = tree(tmp_path_factory.mktemp("source"))
    before = files(source)
    destination = tmp_path_factory.mktemp("destination")
    prefix = tmp_path_factory.mktemp("prefix")
    done = make(source, "install", f"DESTDIR={destination}", f"prefix={prefix}", "EXTRAS=ws")
    assert done.returncode == 0, done.stderr
    assert files(source) == before
    assert not list(prefix.iterdir())
    return destination, prefix


def test_each_file_is_in_its_place_and_may_be_read_by_all(staged: tuple[Path, Path]) -> None:
    destination, prefix = staged
    assert (destination / DROP_IN).read_bytes() == (ROOT / "deploy" / "telegraf.service.d" / "p1.conf").read_bytes()
    assert (destination / RULES).read_bytes() == (ROOT / "deploy" / "99-p1.rules").read_bytes()
    assert (destination / MANUAL).read_bytes() == (ROOT / "deploy/man/telegraf-p1.1").read_bytes()
    for shell, name in COMPLETIONS.items():
        assert (destination / name).read_bytes() == (ROOT / f"deploy/completion/telegraf-p1.{shell}").read_bytes()
    link = destination / "usr/local/bin/telegraf-p1"
    assert link.readlink() == prefix / "telegraf_p1/bin/telegraf-p1"
    made = [path for path in destination.rglob("*") if not path.is_symlink()]
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in made)


@pytest.mark.parametrize(
    ("name", "asked", "file"),
    [
        ("man", ["--path"], f"{MANUAL}/.."),
        ("zsh", ["-f", "-c", "print -l $fpath"], COMPLETIONS["zsh"]),
        ("fish", ["-c", "string join : $fish_complete_path"], COMPLETIONS["fish"]),
    ],
)
def test_man_and_shells_look_by_themselves_where_files_are_put(name: str, asked: list[str], file: str) -> None:
    bare = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent"}  # as over SSH
    folders = re.split("[:\n]", subprocess.check_output([component(name), *asked], env=bare, text=True))
    assert os.path.normpath(f"/{file}/..") in folders


def test_without_a_move_the_plugin_runs_by_its_python(staged: tuple[Path, Path], tmp_path: Path) -> None:
    destination, prefix = staged
    python = f"{destination}{prefix}/telegraf_p1/bin/python"
    with program(
        [python, "-m", "telegraf_p1", "run", "sim:"], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert read_line(process).startswith("p1,meter=")


def test_its_commands_run_once_it_is_in_its_place(staged: tuple[Path, Path], tmp_path: Path) -> None:
    destination, prefix = staged
    home = prefix / "telegraf_p1"
    shutil.copytree(f"{destination}{home}", home, symlinks=True)
    try:
        command = [str(home / "bin" / "telegraf-p1"), "decode", f"{GOLDEN}.telegram"]
        assert subprocess.check_output(command, cwd=tmp_path) == Path(f"{GOLDEN}.line").read_bytes()
        installed = subprocess.check_output([str(home / "bin" / "pip"), "list"], cwd=tmp_path, text=True)
        # EXTRAS=ws, and no other; a copy of the program, not the clone
        assert "websockets" in installed
        assert "cryptography" not in installed
        where = [str(home / "bin" / "python"), "-c", "import telegraf_p1; print(telegraf_p1.__file__)"]
        assert subprocess.check_output(where, cwd=tmp_path, text=True).startswith(str(home))
    finally:
        shutil.rmtree(home)


def test_a_second_install_updates_and_uninstall_leaves_what_was_there_before(tmp_path: Path) -> None:
    source, destination = tree(tmp_path / "source"), tmp_path / "destination"
    other = destination / "etc/udev/rules.d/50-other.rules"
    other.parent.mkdir(parents=True)
    other.write_text("# not ours\n")
    before = files(destination)
    variables = (f"DESTDIR={destination}", "EXTRAS=")
    done = make(source, "install", *variables)
    assert done.returncode == 0, done.stderr

    (destination / RULES).write_text("# mine\n")
    (source / "deploy/99-p1.rules").write_text("# new\n")
    (source / "deploy/man/telegraf-p1.1").write_text("new\n")
    (source / "deploy/telegraf.service.d/p1.conf").write_text("[Service]\n# new\n")
    (source / "telegraf_p1/__init__.py").write_text('__version__ = "99.0"\n')
    (source / "telegraf_p1/scrub.py").unlink()
    installed = files(destination)
    done = make(source, "install", *variables, PIP_INDEX_URL=f"http://127.0.0.1:{free_port()}/", PIP_RETRIES="0")
    assert done.returncode != 0
    assert "pip failed" in done.stderr
    assert files(destination) == installed

    done = make(source, "install", *variables)
    assert done.returncode == 0, done.stderr
    assert f"{destination}/{RULES} was changed and is kept" in done.stdout
    assert (destination / RULES).read_text() == "# mine\n"
    assert (destination / DROP_IN).read_text() == "[Service]\n# new\n"
    assert (destination / MANUAL).read_text() == "new\n"
    home = destination / "opt/telegraf_p1"
    assert list(home.rglob("telegraf_p1-99.0.dist-info"))
    assert not list(home.rglob("telegraf_p1/scrub.py"))

    done = make(source, "uninstall", *variables)
    assert done.returncode == 0, done.stderr
    assert files(destination) == before | {f"{RULES}.saved": b"# mine\n"}
    done = make(source, "uninstall", *variables)
    assert (done.returncode, "nothing is installed" in done.stdout) == (0, True)


def test_what_is_no_environment_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "opt/telegraf_p1/mine"
    mine.parent.mkdir(parents=True)
    mine.touch()
    assert "is no virtual environment" in make(ROOT, "install", f"DESTDIR={tmp_path}").stderr
    assert make(ROOT, "uninstall", f"DESTDIR={tmp_path}").returncode == 0
    assert list(files(tmp_path)) == ["opt", "opt/telegraf_p1", "opt/telegraf_p1/mine"]


@pytest.mark.parametrize("target", ["install", "uninstall"])
def test_without_root_it_says_so(target: str) -> None:
    # Where everybody may read: pytest's own folders are for one user.
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder)
        source.chmod(0o755)
        (source / "scripts").mkdir()
        shutil.copy(ROOT / "Makefile", source)
        shutil.copy(ROOT / "scripts" / "install", source / "scripts")
        done = make(source, target, user=65534 if os.getuid() == 0 else None)
    assert done.returncode != 0
    assert f"install: this needs root: sudo make {target}\n" in done.stderr


def test_without_a_python_it_says_which_packages_are_missing(tmp_path: Path) -> None:
    done = make(ROOT, "install", f"DESTDIR={tmp_path}", f"PYTHON={tmp_path}/python3")
    assert done.returncode != 0
    assert "sudo apt install python3 python3-venv\n" in done.stderr


def test_without_python3_venv_it_says_which_package_is_missing(tmp_path: Path) -> None:
    # As in Debian's Python, whose ensurepip is in the package python3-venv.
    (tmp_path / "ensurepip.py").write_text("raise ImportError\n")
    done = make(ROOT, "install", f"DESTDIR={tmp_path}", PYTHONPATH=str(tmp_path))
    assert done.returncode != 0
    assert "makes no virtual environments here: sudo apt install python" in done.stderr
    assert list(files(tmp_path)) == ["ensurepip.py"]


def test_an_old_python_is_named(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2\n[ -z "$2" ]\n')
    old.chmod(0o755)
    done = make(ROOT, "install", f"DESTDIR={tmp_path}", f"PYTHON={old}")
    assert done.returncode != 0
    assert "is Python 3.9.2, and 3.11 or later is needed" in done.stderr


def test_with_root_it_finds_the_meter_and_uninstall_leaves_telegraf_without_it(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    source = tree(tmp_path / "source")
    port = free_port()
    config = "/etc/telegraf/telegraf.d/p1.conf"
    install = f"make -C {source} install PYTHON={sys.executable} EXTRAS= SOURCE=tcp://127.0.0.1:{port}"
    script = f"""
        mkdir -p /etc/telegraf/telegraf.d
        {install} && grep command {config} && echo '# mine' >>{config} && {install} &&
        make -C {source} uninstall && tail -n 1 {config}.saved &&
        ls -d {config} /opt/telegraf_p1 /{DROP_IN} /{RULES} /{MANUAL} /{COMPLETIONS["fish"]}
    """
    with own_root(overlay) as enter, program([*PLUGIN, "simulate", f"tcp-listen://127.0.0.1:{port}"]):
        wait_until(lambda: answers(port), "the meter")
        done = subprocess.run([*enter, "sh", "-c", script], capture_output=True, text=True, timeout=600, check=False)
    assert f'command = ["/opt/telegraf_p1/bin/telegraf-p1", "run", "tcp://127.0.0.1:{port}"]' in done.stdout
    assert f"kept as it is: {config}\n" in done.stdout
    assert f"{config}.saved\n" in done.stdout
    assert "# mine\n" in done.stdout
    assert done.stderr.count("No such file or directory") == 6
    assert not Path("/opt/telegraf_p1").exists()
