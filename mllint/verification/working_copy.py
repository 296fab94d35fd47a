"""A copy of what an image is built from, to be changed while the files themselves stay as they are."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

from mllint.contexts import Contexts
from mllint.image.build import Build
from mllint.inputs import Inputs
from mllint.verification.records import VerifyError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mllint.fixing import Change
    from mllint.verification.records import Variant


class WorkingCopy:
    """The build context of a variant, its Dockerfile and the ignore file of that one, below a folder."""

    def __init__(self, variant: Variant, folder: Path) -> None:
        """Copy into a folder that is there. Raises VerifyError where a file cannot be copied."""
        self.variant = variant
        # The folder may itself be reached by a link; by its true place links that lead out of it can be told.
        self.folder = folder.resolve()
        self.root = self.folder / "context"
        try:
            # All of it, also what the ignore file keeps out: a fix may change the ignore file.
            shutil.copytree(variant.build.context.root, self.root, symlinks=True, ignore=_special)
            self._dockerfiles = self._copy_dockerfile()
        except (shutil.Error, OSError) as error:
            raise VerifyError(f"the build context cannot be copied: {_reason(error)}") from error

    def _copy_dockerfile(self) -> Path:
        """Where the copy of the Dockerfile's folder is, of which only the Dockerfile matters outside the context."""
        path, root = self.variant.path, self.variant.build.context.root
        if path.is_relative_to(root):
            return self.root / path.parent.relative_to(root)
        folder = self.folder / "dockerfile"
        folder.mkdir()
        for file in (path, path.with_name(f"{path.name}.dockerignore")):
            if file.is_file():
                shutil.copy2(file, folder / file.name)
        return folder

    def write(self, changes: Iterable[Change]) -> None:
        """Make changes of the files to their copies; a file that is not copied, as no build is sent it, has none."""
        for change in changes:
            place = self._place(change.path)
            if place is not None and self.holds(place):
                place.write_bytes(change.after)

    def holds(self, place: Path) -> bool:
        """Whether what is written to a place goes into the copy, not through a link to somewhere else."""
        return place.resolve().is_relative_to(self.folder)

    def _place(self, path: Path) -> Path | None:
        root = self.variant.build.context.root
        if path.is_relative_to(root):
            return self.root / path.relative_to(root)
        return self._dockerfiles / path.name if path.parent == self.variant.path.parent else None

    def as_variant(self) -> Variant:
        """The variant that the copy is now."""
        settings, services = self.variant.build.settings, self.variant.build.services
        inputs = Inputs(self.root)
        path = self._dockerfiles / self.variant.path.name
        dockerfile = inputs.dockerfile(path)
        assert dockerfile is not None, "a copy can be read if the file could"
        context, _, _ = Contexts(inputs, self.root).choose(path, dockerfile, settings)
        return self.variant._replace(build=Build(dockerfile, context, settings, services), path=path)


def _special(folder: str, names: Iterable[str]) -> set[str]:
    """Of the names in a folder those of sockets, pipes and devices, which a build is not sent either."""
    modes = {name: os.lstat(f"{folder}/{name}").st_mode for name in names}
    is_usual = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISLNK)
    return {name for name, mode in modes.items() if not any(is_kind(mode) for is_kind in is_usual)}


def _reason(error: OSError) -> str:
    """The first of the reasons."""
    if isinstance(error, shutil.Error):
        path, _, reason = error.args[0][0]
        return f"{path}: {reason}"
    return str(error)
