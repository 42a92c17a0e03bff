import subprocess
import sys
import uuid
from pathlib import Path

from intelligence.store.ids import KEY_FILE, id_text, install_key, keyed_hash, uuid7


def test_uuid_version_7_sorts_by_time() -> None:
    made = [uuid7(t) for t in (1, 2, 1_700_000_000_000)]
    assert made == sorted(made)
    parsed = uuid.UUID(bytes=made[-1])
    assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, id_text(made[-1]))
    assert int.from_bytes(made[-1][:6], "big") == 1_700_000_000_000


def test_ids_of_one_millisecond_differ() -> None:
    assert len({uuid7(5) for _ in range(1000)}) == 1000


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    key = install_key(tmp_path / "data")
    assert len(key) == 32 and install_key(tmp_path / "data") == key
    assert (tmp_path / "data" / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert install_key(tmp_path / "other") != key


def test_processes_that_start_together_share_a_key(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from intelligence.store.ids import install_key; "
        "print(install_key(Path(sys.argv[1])).hex())"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
        for _ in range(6)
    ]
    assert len({process.communicate()[0] for process in started}) == 1


def test_hashes_depend_on_the_key_and_on_where_parts_end() -> None:
    assert keyed_hash(b"k", b"ab", b"c") != keyed_hash(b"k", b"a", b"bc")
    assert keyed_hash(b"k", b"a") != keyed_hash(b"l", b"a")
    assert keyed_hash(b"k", b"a") == keyed_hash(b"k", b"a")
