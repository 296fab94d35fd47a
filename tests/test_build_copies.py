"""The flags of COPY, ADD and RUN as typed values."""

from __future__ import annotations

import pytest
from paper import last

from mllint.image.accounts import Account
from mllint.image.copies import Copy
from mllint.image.mounts import Mount
from mllint.image.values import Unknown


def copy(text: str) -> Copy:
    stage = last(f"FROM scratch AS first\nFROM scratch\nARG U=app\nARG OPEN\nWORKDIR /srv\n{text}")
    found = stage.steps[-1].copy
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("", None),
        ("--chown=1000", Account("1000", None)),
        ("--chown=$U:${G:-staff}", Account("app", "staff")),
        ("--chown=:5", Account("root", "5")),
        ("--chown=$NONE", None),
    ],
)
def test_owners(flag: str, expected: Account | None):
    assert copy(f"COPY {flag} a b").owner == expected


def test_an_owner_that_is_not_known_is_unknown():
    owner = copy("COPY --chown=$OPEN a b").owner
    assert owner is not None
    assert isinstance(owner.user, Unknown)


@pytest.mark.parametrize(
    ("flag", "expected"),
    [("", None), ("--chmod=755", 0o755), ("--chmod=0640", 0o640), ("--chmod=u=rwX,go=rX", "u=rwX,go=rX")],
)
def test_modes(flag: str, expected: int | str | None):
    assert copy(f"COPY {flag} a b").mode == expected


@pytest.mark.parametrize(("flag", "expected"), [("", False), ("--link", True), ("--link=false", False)])
def test_links(flag: str, expected: bool):
    assert copy(f"COPY {flag} a b").is_link is expected


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("", ("context", None, None)),
        ("--from=first", ("stage", 0, None)),
        ("--from=FIRST", ("stage", 0, None)),
        ("--from=0", ("stage", 0, None)),
        ("--from=ghcr.io/astral-sh/uv:0.5", ("elsewhere", None, "ghcr.io/astral-sh/uv:0.5")),
        ("--from=shared", ("elsewhere", None, "shared")),
    ],
)
def test_where_copies_come_from(flag: str, expected: tuple[str, int | None, str | None]):
    found = copy(f"COPY {flag} a b")
    assert (found.origin, found.stage, found.image) == expected


def test_parents_keep_the_folders_below_the_pivot_and_excluded_files_stay_out():
    (source,) = copy("COPY --parents --exclude=*.md --exclude=t src/./a/b.py /d/").sources
    assert (source.pivot, source.left_out is not None) == ("src", True)
    (plain,) = copy("COPY --parents=false src/a.py /d/").sources
    assert (plain.pivot, plain.left_out) == (None, None)


@pytest.mark.parametrize(
    ("text", "kind", "unpacks"),
    [
        ("ADD a.tar.gz /x/", "path", True),
        ("ADD --unpack=false a.tar.gz /x/", "path", False),
        ("ADD a.zip /x/", "path", False),
        ("COPY a.tar.gz /x/", "path", False),
        ("ADD https://x.example/a.tar.gz /x/", "url", False),
        ("ADD --unpack https://x.example/a.tar.gz /x/", "url", True),
        ("ADD https://github.com/o/r.git#v1 /x/", "git", False),
        ("ADD git@github.com:o/r.git /x/", "git", False),
        ("ADD ssh://git@x.example/r /x/", "git", False),
        ("ADD repository.git /x/", "path", False),
        ("ADD ${NONE}https://x.example/a /x/", "url", False),
    ],
)
def test_what_add_fetches_and_unpacks(text: str, kind: str, unpacks: bool):
    (source,) = copy(text).sources
    assert isinstance(source.path, str)
    assert (source.kind, source.unpacks(source.path)) == (kind, unpacks)


def test_checksums_and_git_directories():
    found = copy("ARG SUM=sha256:1\nADD --keep-git-dir=true --checksum=$SUM https://github.com/o/r.git /x")
    assert (found.checksum, found.keeps_git_dir) == ("sha256:1", True)
    plain = copy("ADD https://github.com/o/r.git /x")
    assert (plain.checksum, plain.keeps_git_dir) == (None, False)


def test_paths_follow_the_escape_character_of_the_file():
    stage = last("# escape=`\nFROM scratch\nCOPY a` b /x`$y/\n")
    found = stage.steps[0].copy
    assert found is not None
    assert found.destination == "/x$y/"


def mount(options: str) -> Mount:
    text = f"FROM scratch AS first\nFROM scratch\nARG ID=pip\nWORKDIR /srv\nRUN --mount={options} true"
    (found,) = last(text).steps[-1].mounts
    return found


def test_binds_come_from_the_context_a_stage_or_an_image_and_are_read_only():
    plain = mount("target=/x")
    assert (plain.kind, plain.source, plain.is_from_context, plain.is_read_only) == ("bind", "", True, True)
    staged = mount("type=bind,from=first,src=/a,dst=b,rw")
    assert (staged.stage, staged.source, staged.target, staged.is_read_only) == (0, "a", "/srv/b", False)
    assert mount("from=ghcr.io/astral-sh/uv:0.5,source=/uv,target=/uv").image == "ghcr.io/astral-sh/uv:0.5"


def test_caches():
    given = mount("type=cache,id=$ID,target=/root/.cache,sharing=locked,uid=1000,gid=100,mode=0700")
    assert (given.id, given.sharing, given.uid, given.gid, given.mode) == ("pip", "locked", 1000, 100, 0o700)
    plain = mount("type=cache,target=.cache/")
    assert (plain.id, plain.sharing, plain.uid, plain.mode) == ("/srv/.cache", "shared", 0, 0o755)
    assert not plain.is_read_only
    assert isinstance(mount("type=cache,target=/x,uid=app").uid, Unknown)


def test_secrets_lie_in_a_file_or_a_variable():
    plain = mount("type=secret,id=token")
    assert (plain.target, plain.mode, plain.variable, plain.is_required) == ("/run/secrets/token", 0o400, None, False)
    given = mount("type=secret,id=token,env=TOKEN,required")
    assert (given.id, given.variable, given.is_required) == ("token", "TOKEN", True)
    assert mount("type=secret,target=/root/.netrc").id == ".netrc"


def test_agents_and_folders_in_memory():
    agent = mount("type=ssh,required=true")
    assert (agent.kind, agent.id, agent.is_required) == ("ssh", "default", True)
    assert mount("type=tmpfs,target=/tmp").covers("/tmp/x") is True


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("", ("default", "sandbox")),
        ("--network=none", ("none", "sandbox")),
        ("--network=host --security=insecure", ("host", "insecure")),
    ],
)
def test_networks_and_rights_of_a_run(flags: str, expected: tuple[str, str]):
    (step,) = last(f"FROM scratch\nRUN {flags} true").steps
    assert (step.network, step.security) == expected
