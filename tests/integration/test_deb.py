"""The Debian package: built, installed in clean roots of Debian, run under Telegraf, removed. pip needs the network."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from telegraf_p1 import __version__
from tests.helpers.programs import component, program, required, wait_until
from tests.helpers.telegrams import KEY, ROOT, encrypt

pytestmark = pytest.mark.integration

HOME = "opt/telegraf_p1"
COMMAND = f"/{HOME}/bin/telegraf-p1"
PLACES = (
    "usr/bin/telegraf-p1",
    "usr/lib/udev/rules.d/99-p1.rules",
    "usr/lib/systemd/system/telegraf.service.d/p1.conf",
    "usr/share/doc/telegraf-p1/copyright",
    "usr/share/doc/telegraf-p1/telegraf.conf.example",
    "usr/share/man/man1/telegraf-p1.1.gz",
    "usr/share/bash-completion/completions/telegraf-p1",
    "usr/share/fish/vendor_completions.d/telegraf-p1.fish",
    "usr/share/zsh/vendor-completions/_telegraf-p1",
)
# What dpkg itself remembers, and what the test puts into the root.
OTHERS = ("var/lib/dpkg/", "var/log/", "var/cache/", "tmp/", "etc/telegraf")
GOLDEN = ROOT / "tests" / "golden" / "nl-5.0-three-phases.telegram"
NOBODY = 65534
DEB = "/tmp/package.deb"  # noqa: S108  in the root
# One for each package that a source needs; nobody answers there.
SOURCES = ("mqtt://127.0.0.1:1/p1", "ws://127.0.0.1:1/p1", "http://127.0.0.1:1/p1", "rfc2217://127.0.0.1:1")


def build(folder: Path, **environment: str) -> Path:
    command = [sys.executable, str(ROOT / "scripts" / "make-deb"), str(folder)]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    component("dpkg-deb")
    return build(tmp_path_factory.mktemp("deb"))


class Debian:
    """A root of Debian that a test may change."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *command: str, user: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*command, user=user),
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"} | environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def command(self, *command: str, user: int = 0) -> list[str]:
        return ["chroot", f"--userspec={user}:{user}", str(self.root), *command]

    def dpkg(self, *arguments: str) -> str:
        """Run dpkg, which has to succeed and warn of nothing; give what it prints."""
        done = self.run("dpkg", *arguments)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        return done.stdout

    def install(self, deb: Path) -> str:
        shutil.copy(deb, self.root / "tmp" / "package.deb")
        return self.dpkg("--install", DEB)

    def files(self) -> dict[str, tuple[int, ...]]:
        """Give what is in the root, and what tells a changed file."""
        found = {}
        for path in self.root.rglob("*"):
            name = str(path.relative_to(self.root))
            if not name.startswith(OTHERS):
                about = path.lstat()
                is_file = stat.S_ISREG(about.st_mode)
                found[name] = (about.st_mode, *((about.st_size, about.st_mtime_ns) if is_file else ()))
        return found


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def copy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    name = f"debian_{request.param}"
    original = component(name)
    if os.geteuid():
        assert name not in required(), "chroot is for root alone"
        pytest.skip("chroot is for root alone")
    root = tmp_path_factory.mktemp(name) / "root"
    subprocess.run(["cp", "-a", original, str(root)], check=True)
    yield root
    shutil.rmtree(root)


@pytest.fixture
def debian(copy: Path) -> Iterator[Debian]:
    """Give a root without the package, and without what an earlier test left."""
    there = Debian(copy)
    yield there
    there.run("dpkg", "--purge", "telegraf-p1")
    for path in (copy / "opt", copy / "etc/telegraf", *(copy / "tmp").iterdir()):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
    (copy / "opt").mkdir()


def read_by_telegraf(debian: Debian) -> list[str]:
    """Give what Telegraf reads of a simulated meter there, as any user, with the example of the package."""
    shutil.copy(component("telegraf"), debian.root / "tmp" / "telegraf")
    example = (debian.root / "usr/share/doc/telegraf-p1/telegraf.conf.example").read_text()
    text, _, _ = example.partition("# InfluxDB 1")
    for old, new in {
        '"/dev/ttyUSB0"]\n\n': '"sim:"]\n\n',
        'flush_interval = "10s"': 'flush_interval = "1s"',
        "/var/lib/telegraf": "/tmp/telegraf-buffer",  # noqa: S108
    }.items():
        assert old in text
        text = text.replace(old, new)
    config, records = debian.root / "tmp/telegraf.conf", debian.root / "tmp/records"
    config.write_text(text + '[[outputs.file]]\n  files = ["/tmp/records"]\n  data_format = "influx"\n')
    command = debian.command("/tmp/telegraf", "--config", "/tmp/telegraf.conf", user=NOBODY)  # noqa: S108
    with (debian.root / "tmp/telegraf.log").open("wb") as log, program(command, stdout=log, stderr=log, cwd="/"):
        wait_until(lambda: records.exists() and records.read_text().count("\n") >= 3, "three records", 60)
        # Later ones are Telegraf's, which is ended.
        log_text = (debian.root / "tmp/telegraf.log").read_text()
    assert not [line for line in log_text.splitlines() if " E! " in line], log_text
    return records.read_text().splitlines()


def decoded(debian: Debian, telegram: bytes, **environment: str) -> str:
    (debian.root / "tmp" / "telegram").write_bytes(telegram)
    done = debian.run("telegraf-p1", "decode", "/tmp/telegram", user=NOBODY, **environment)  # noqa: S108
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_it_is_installed_works_and_leaves_nothing(debian: Debian, deb: Path) -> None:
    before = debian.files()
    debian.install(deb)
    assert not [place for place in PLACES if not (debian.root / place).is_file() and place != PLACES[0]]
    assert (debian.root / PLACES[0]).readlink() == Path(COMMAND)
    assert debian.run(COMMAND, "--version").stdout == f"telegraf-p1 {__version__}\n"

    # With a key, too, by Debian's cryptography.
    line = GOLDEN.with_suffix(".line").read_text()
    assert decoded(debian, GOLDEN.read_bytes()) == line
    encrypted = encrypt(GOLDEN.read_bytes())
    assert decoded(debian, encrypted, P1_DECRYPTION_KEY=KEY.hex()) == line

    # What each source and `check` load is there, and in a version that they understand.
    done = debian.run("telegraf-p1", "check", "sim:", user=NOBODY)
    assert (done.returncode, '"sim:"' in done.stdout) == (0, True), done.stderr
    started = "for one; do sleep 3 | telegraf-p1 run $one & done; wait"
    done = debian.run("sh", "-c", started, "sh", *SOURCES, user=NOBODY)
    assert done.stderr.count("Connection refused") == len(SOURCES), done.stderr
    done = debian.run("telegraf-p1", "run", "kafka://127.0.0.1:1/p1?group=readers", user=NOBODY)
    assert (done.returncode, "Debian package does not include it" in done.stderr) == (2, True)
    done = debian.run("python3", "-Ic", f"import sys; sys.path.insert(0, '/{HOME}/lib'); import zeroconf.asyncio")
    assert (done.returncode, done.stderr) == (0, "")

    records = read_by_telegraf(debian)
    assert all(line.startswith("p1,") and "energy_import" in line for line in records)

    # Whoever runs it finds it compiled.
    sources = set((debian.root / HOME / "lib").rglob("*.py"))
    compiled = {
        path.parent.parent / f"{path.name.partition('.')[0]}.py" for path in debian.root.glob(f"{HOME}/**/*.pyc")
    }
    assert sources == compiled

    assert "restart telegraf" in debian.install(deb)
    config = debian.root / "etc/telegraf/telegraf.d/p1.conf"
    config.parent.mkdir(parents=True)
    config.write_text(f'[[inputs.execd]]\n  command = ["{COMMAND}", "run", "sim:"]\n')
    done = debian.run("dpkg", "--purge", "telegraf-p1")
    assert done.returncode == 0
    assert done.stderr.startswith("telegraf-p1: /etc/telegraf/telegraf.d/p1.conf still starts the plugin.")
    after = debian.files()
    after.setdefault("opt", before["opt"])  # dpkg takes an empty /opt away, too
    assert after == before
    assert debian.run("dpkg", "--status", "telegraf-p1").returncode != 0


def test_the_package_and_make_install_do_not_overwrite_each_other(debian: Debian, deb: Path) -> None:
    for name in ("scripts/install", "deploy/99-p1.rules", "deploy/telegraf.service.d/p1.conf"):
        (debian.root / "tmp/src" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, debian.root / "tmp/src" / name)
    environment = debian.root / HOME
    environment.mkdir()
    (environment / "pyvenv.cfg").touch()
    before = debian.files()
    shutil.copy(deb, debian.root / "tmp/package.deb")
    done = debian.run("dpkg", "--install", DEB)
    assert done.returncode != 0
    assert "telegraf-p1: Remove it first: sudo make uninstall" in done.stderr
    assert debian.files() == before

    shutil.rmtree(environment)
    debian.install(deb)
    before = debian.files()
    done = debian.run("/tmp/src/scripts/install", "install")  # noqa: S108
    assert done.returncode != 0
    assert "sudo apt remove telegraf-p1" in done.stderr
    assert "nothing is installed" in debian.run("/tmp/src/scripts/install", "uninstall").stdout  # noqa: S108
    assert debian.files() == before


def test_another_python_of_the_system_takes_over(debian: Debian, deb: Path) -> None:
    debian.install(deb)
    hook = "/usr/share/python3/runtime.d/telegraf-p1.rtupdate"
    for path in debian.root.glob(f"{HOME}/**/*.pyc"):
        path.rename(path.with_name(f"{path.name.partition('.')[0]}.cpython-310.pyc"))
    done = debian.run(hook, "rtupdate", "python3.10", "python3")
    assert (done.returncode, done.stderr) == (0, "")
    names = {path.name.split(".")[1] for path in debian.root.glob(f"{HOME}/**/*.pyc")}
    assert len(names) == 1
    assert names != {"cpython-310"}


def test_the_same_source_gives_the_same_bytes(deb: Path, tmp_path: Path) -> None:
    other = build(tmp_path / "other", TZ="Asia/Tokyo", LC_ALL="C", TMPDIR=str(tmp_path))
    assert other.name == deb.name
    assert other.read_bytes() == deb.read_bytes()


def test_lintian_finds_nothing(deb: Path) -> None:
    command = [component("lintian"), "--fail-on", "error,warning,info", "--allow-root", str(deb)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "")
