"""What a distribution is called that is asked for by the address of its repository or archive."""

from __future__ import annotations

from urllib.parse import urlsplit

from mllint.patterns import regex

_VERSION_CONTROL = regex(r"^(?:git|hg|svn|bzr)\+")
_SNAPSHOT = regex(r"/(?P<name>[\w.-]+)/(?:-/)?(?:archive|tarball|zipball)/")
"""What GitHub and GitLab pack of a repository."""
_SOURCES = regex(r"/(?P<name>[\w.-]+?)-\d[^/]*\.(?:tar\.(?:gz|bz2|xz)|tgz|zip)$")
"""The file name of a source distribution."""
_CLONE = regex(r"[/:](?P<name>\w[\w.-]*?)(?:\.git)?/?(?:@[^@]*)?$")


def name_of(address: str) -> str | None:
    """The name of the distribution, for what lies in a repository that of the repository; None where the address does
    not tell it."""
    plain = address.partition("#")[0]
    is_repository = _VERSION_CONTROL.match(plain) is not None or plain.startswith(("git@", "ssh:", "git:"))
    path = plain if plain.startswith("git@") else urlsplit(_VERSION_CONTROL.sub("", plain)).path
    patterns = (_CLONE,) if is_repository else (_SNAPSHOT, _SOURCES)
    found = next((match for pattern in patterns if (match := pattern.search(path))), None)
    return found["name"] if found is not None and "$" not in found["name"] else None
