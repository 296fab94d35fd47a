"""The configuration of the image as instructions set it: what docker inspect would show."""

from __future__ import annotations

import pytest
from paper import build, last, line

from mllint.config import Base
from mllint.image.configuration import Healthcheck, Port
from mllint.image.values import Unknown


@pytest.mark.parametrize(
    ("text", "entrypoint", "command"),
    [
        ('CMD ["python", "a.py"]', (), ("python", "a.py")),
        ("CMD python  a.py", (), ("/bin/sh", "-c", "python  a.py")),
        ('SHELL ["/bin/bash", "-ec"]\nCMD foo  "bar" $X', (), ("/bin/bash", "-ec", 'foo  "bar" $X')),
        ('CMD a\nSHELL ["/bin/bash", "-c"]', (), ("/bin/sh", "-c", "a")),
        ('CMD ["x"]\nENTRYPOINT ["y"]', ("y",), ("x",)),
        ('CMD ["x"]\nFROM a\nENTRYPOINT ["y"]', ("y",), ()),
        ('CMD ["x"]\nFROM a\nENTRYPOINT ["y"]\nCMD ["z"]', ("y",), ("z",)),
        ('CMD ["x"]\nFROM a\nCMD ["z"]\nENTRYPOINT foo', ("/bin/sh", "-c", "foo"), ("z",)),
        ('ENTRYPOINT ["y"]\nCMD ["x"]\nFROM a\nENTRYPOINT []', (), ()),
        ('ENTRYPOINT ["y"]\nCMD ["x"]\nFROM a\nLABEL a=b', ("y",), ("x",)),
        ('CMD ["x"]\nCMD ["z"]', (), ("z",)),
    ],
)
def test_what_the_image_starts(text: str, entrypoint: tuple[str, ...], command: tuple[str, ...]):
    stage = last(f"FROM scratch AS a\n{text}")
    assert (stage.entrypoint, stage.command) == (entrypoint, command)


def test_what_the_base_starts_counts_until_an_entrypoint_takes_its_command_away():
    bases = {"app.example/*": Base(entrypoint=("tini",), command=("serve",))}
    assert last("FROM app.example/x:1", bases=bases).command == ("serve",)
    kept = last('FROM app.example/x:1\nCMD ["other"]', bases=bases)
    assert (kept.entrypoint, kept.command) == (("tini",), ("other",))
    assert last('FROM app.example/x:1\nENTRYPOINT ["sh"]', bases=bases).command == ()


def test_the_shell_is_inherited():
    assert last('FROM scratch AS a\nSHELL ["/x", "-y"]\nFROM a\nCMD bar').command == ("/x", "-y", "bar")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WORKDIR /srv\nWORKDIR app\nWORKDIR ../x/", "/srv/x"),
        ("WORKDIR app", "/app"),
        ('WORKDIR "a b"', "/a b"),
        ("ENV D=/d\nWORKDIR $D/e\nWORKDIR ${F:-f}", "/d/e/f"),
        ("WORKDIR /srv\nFROM a\nWORKDIR app", "/srv/app"),
    ],
)
def test_working_directories(text: str, expected: str):
    assert last(f"FROM scratch AS a\n{text}").end.directory == expected


@pytest.mark.parametrize(
    ("text", "user", "group", "is_root"),
    [
        ("app", "app", None, False),
        ("1000", "1000", None, False),
        ("1000:0", "1000", "0", False),
        ("app:staff", "app", "staff", False),
        ("${U:-0}", "0", None, True),
        ("1:$NONE", "1", None, False),
        ("$NONE", "root", None, True),
        (":5", "root", "5", True),
    ],
)
def test_users(text: str, user: str, group: str | None, is_root: bool):
    account = last(f"FROM scratch\nUSER {text}").end.account
    assert (account.user, account.group, account.is_root) == (user, group, is_root)


def test_labels_volumes_and_the_rest_are_inherited_and_name_their_lines():
    text = (
        "FROM scratch AS a\n"
        "LABEL a=1 \"b c\"='d e'\n"
        "LABEL legacy some text\n"
        'ARG V="/v w"\n'
        "VOLUME /data $V\n"
        'VOLUME ["/x y"]\n'
        "STOPSIGNAL ${S:-SIGINT}\n"
        "MAINTAINER me $V\n"
        "FROM a\n"
        "LABEL a=2\n"
    )
    end = last(text).end
    assert {name: (label.value, line(label)) for name, label in end.labels.items()} == {
        "a": ("2", 10),
        "b c": ("d e", 2),
        "legacy": ("some text", 3),
    }
    assert [(volume.value, line(volume)) for volume in end.volumes] == [("/data", 5), ("/v w", 5), ("/x y", 6)]
    assert end.stop_signal is not None
    assert end.maintainer is not None
    assert (end.stop_signal.value, line(end.stop_signal)) == ("SIGINT", 7)
    assert (end.maintainer.value, line(end.maintainer)) == ("me $V", 8)


def test_the_words_of_a_volume_end_at_blanks_whatever_the_quotes():
    (first, second) = last('FROM scratch\nVOLUME "/b c"').end.volumes
    assert isinstance(first.value, Unknown)
    assert isinstance(second.value, Unknown)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8000", [Port(8000, 8000, "tcp")]),
        ("8000/udp 84/TCP", [Port(8000, 8000, "udp"), Port(84, 84, "tcp")]),
        ("9000-9002/udp", [Port(9000, 9002, "udp")]),
        ("$P/udp", [Port(81, 81, "tcp"), Port(82, 82, "udp")]),
        ('1:90 "83"', [Port(90, 90, "tcp"), Port(83, 83, "tcp")]),
        ("$UNKNOWN", [Unknown("ARG UNKNOWN has no default")]),
        ("http 70000 9-8 80/x", []),
    ],
)
def test_ports(text: str, expected: list[object]):
    end = last(f'FROM scratch\nARG P="81 82"\nARG UNKNOWN\nEXPOSE {text}').end
    assert [port.value for port in end.exposed] == expected
    assert all(line(port) == 4 for port in end.exposed)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('HEALTHCHECK CMD foo $X "b"', Healthcheck(("CMD-SHELL", 'foo $X "b"'))),
        ('healthcheck cmd ["a", "b"]', Healthcheck(("CMD", "a", "b"))),
        (
            "HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=1h --start-interval=500ms --retries=7 CMD x",
            Healthcheck(("CMD-SHELL", "x"), 90.0, 1.5, 3600.0, 0.5, 7),
        ),
        ("HEALTHCHECK --interval=0 --timeout=0s --retries=0 CMD x", Healthcheck(("CMD-SHELL", "x"))),
        ("HEALTHCHECK CMD a\nHEALTHCHECK CMD b", Healthcheck(("CMD-SHELL", "b"))),
        ("HEALTHCHECK CMD a\nFROM a\nLABEL x=y", Healthcheck(("CMD-SHELL", "a"))),
        ("HEALTHCHECK --interval=1s CMD a\nFROM a\nHEALTHCHECK CMD b", Healthcheck(("CMD-SHELL", "b"))),
        ("HEALTHCHECK CMD a\nFROM a\nHEALTHCHECK NONE", None),
        ("HEALTHCHECK NONE\nHEALTHCHECK CMD a", Healthcheck(("CMD-SHELL", "a"))),
        ("HEALTHCHECK curl localhost", None),
        ("HEALTHCHECK", None),
        ("HEALTHCHECK NONE really", None),
        ("LABEL x=y", None),
    ],
)
def test_the_health_check_that_counts(text: str, expected: Healthcheck | None):
    assert last(f"FROM scratch AS a\n{text}").healthcheck == expected


def test_a_removed_health_check_still_names_its_line():
    setting = last("FROM scratch AS a\nHEALTHCHECK CMD a\nFROM a\nHEALTHCHECK NONE").end.healthcheck
    assert setting is not None
    assert (setting.value.is_none, line(setting)) == (True, 4)


def test_what_buildkit_refuses_changes_nothing():
    text = "FROM scratch\nSHELL bash\nUSER\nWORKDIR\nSTOPSIGNAL\nENV A\nEXPOSE\nVOLUME\nONBUILD\nARG\nLABEL"
    (stage,) = build(text).stages
    assert stage.end == stage.start


def test_what_the_base_checks_and_exposes_is_inherited():
    bases = {"app.example/*": Base(healthcheck=("CMD", "probe"), ports=("8000", "53/udp"))}
    kept = last("FROM app.example/x:1\nEXPOSE 9000", bases=bases)
    assert kept.healthcheck == Healthcheck(("CMD", "probe"))
    assert [setting.value.first for setting in kept.end.exposed] == [8000, 53, 9000]
    assert last("FROM app.example/x:1\nHEALTHCHECK NONE", bases=bases).healthcheck is None
