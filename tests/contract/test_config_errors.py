"""Each file in bad_config/ breaks one rule; its first comments are all that is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.config import ConfigError, load

BAD = sorted((Path(__file__).parent / "bad_config").glob("*.yaml"))
GOOD = """\
tag_key: 0123456789abcdef
relays: {pool: {host: smtp.example.com}}
senders: {shop: {address: probe@shop.example}}
mailboxes:
  corp:
    address: probe@corp.example
    imap: {host: imap.corp.example, username: probe, password: hunter2}
"""


def problems(path: Path, **environ: str) -> list[str]:
    """What is said about the file, without its name."""
    with pytest.raises(ConfigError) as caught:
        load(str(path), environ)
    return [str(each).removeprefix(str(path)).lstrip(":").strip() for each in caught.value.problems]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_is_refused_in_exactly_these_words(path: Path) -> None:
    expected = []
    for line in path.read_text().splitlines():
        if not line.startswith("# ") or line == "# nothing":
            break
        expected.append(line.removeprefix("# "))

    assert problems(path) == expected


def test_there_are_enough_bad_files() -> None:
    assert len(BAD) > 100


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_no_error_says_what_looks_like_a_password(path: Path) -> None:
    assert "hunter2" not in " ".join(problems(path))


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.yaml") == ["cannot be read: No such file or directory"]


def test_a_directory_is_an_error(tmp_path: Path) -> None:
    assert problems(tmp_path) == ["cannot be read: Is a directory"]


def test_a_file_over_a_mebibyte_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_text("#" * (1 << 20) + "\n")

    assert problems(tmp_path / "large.yaml") == ["is larger than 1 MiB"]


def test_a_file_that_is_not_utf8_is_an_error_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"instance: a\njournal: /caf\xe9\n")

    assert problems(tmp_path / "latin.yaml") == ["2: is not UTF-8 text"]


def test_an_option_of_the_settings_library_is_only_an_unknown_key(tmp_path: Path) -> None:
    (tmp_path / "options.yaml").write_text(GOOD + "_env_file: /etc/passwd\n_secrets_dir: /etc\n")

    assert [each.split(": ")[1] for each in problems(tmp_path / "options.yaml")] == [
        "_env_file",
        "_secrets_dir",
    ]


def test_the_error_as_text_is_one_problem_a_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD + "jurnal: x\nweb: {lisen: x}\n")

    with pytest.raises(ConfigError) as caught:
        load(str(path), {})

    assert str(caught.value).splitlines() == [
        f"{path}:8: jurnal: unknown key; did you mean 'journal'?",
        f"{path}:9: web.lisen: unknown key; did you mean 'listen'?",
    ]
