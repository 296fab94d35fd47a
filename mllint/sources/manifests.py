"""Files in which a platform is told how to build and run an image: as far as they name a Dockerfile."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.sources.nodes import Node
    from mllint.sources.text import Source, Span

_FRONT_MATTER = regex(r"\A---[ \t]*\r?\n(?P<body>.*?\r?\n)---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_FIELD = regex(
    r"^(?P<name>sdk|app_port):[ \t]*[\"']?(?P<value>[\w.-]+)[\"']?[ \t]*(?:#[^\r\n]*)?(?=\r?$)", re.MULTILINE
)
_BUILDERS = ("gcr.io/cloud-builders/docker", "docker")


class Space(NamedTuple):
    """A Space of Hugging Face that is built from the Dockerfile beside its README.md."""

    sdk: Span
    """The line that says so."""
    port: str
    """Empty where none is named."""
    port_span: Span | None


class Deployment(NamedTuple):
    """An image that a platform builds or is given."""

    platform: str
    dockerfile: str
    """Its path from the folder of the manifest."""
    span: Span
    port: str = ""
    """Where requests are sent; empty where the manifest does not say it."""
    command: tuple[str, ...] | None = None
    """What replaces CMD."""


def space(source: Source) -> Space | None:
    """What the front matter of a README.md says of a Space with the SDK docker; None where it says nothing of one."""
    matter = _FRONT_MATTER.match(source.text)
    if matter is None:
        return None
    from mllint.sources.text import Span

    found = {each["name"]: each for each in _FIELD.finditer(source.text, matter.start("body"), matter.end("body"))}
    if "sdk" not in found or found["sdk"]["value"] != "docker":
        return None
    port = found.get("app_port")
    sdk = Span(*found["sdk"].span())
    if port is None or not port["value"].isdecimal():
        return Space(sdk, "", None)
    return Space(sdk, port["value"], Span(*port.span("value")))


def functions(source: Source) -> tuple[Deployment, ...]:
    """The functions of a template of AWS SAM whose images it says how to build; never raises."""
    if "DockerContext" not in source.text:
        return ()
    root = _root(source)
    resources = root.at("Resources") if root is not None else None
    return tuple(_functions(resources)) if resources is not None else ()


def _functions(resources: Node) -> Iterator[Deployment]:
    for _, resource in resources.entries.values():
        context = resource.at("Metadata", "DockerContext")
        if context is None or _text(resource, "Type") != "AWS::Serverless::Function":
            continue
        file = _text(resource, "Metadata", "Dockerfile") or "Dockerfile"
        command = resource.at("Properties", "ImageConfig", "Command")
        words = tuple(each.text for each in command.items) if command is not None else None
        yield Deployment("lambda", posixpath.normpath(posixpath.join(context.text, file)), context.span, command=words)


def build_config(source: Source) -> tuple[Deployment, ...]:
    """The Dockerfile that OpenShift is told to build. Its path is one from the root of the repository."""
    if "dockerStrategy" not in source.text or "BuildConfig" not in source.text:
        return ()
    root = _root(source)
    strategy = root.at("spec", "strategy", "dockerStrategy") if root is not None else None
    if root is None or strategy is None or _text(root, "kind") != "BuildConfig":
        return ()
    folder = _text(root, "spec", "source", "contextDir") or "."
    file = _text(strategy, "dockerfilePath") or "Dockerfile"
    return (Deployment("openshift", posixpath.normpath(posixpath.join(folder, file)), strategy.span),)


def cloud_build(source: Source) -> tuple[Deployment, ...]:
    """The image that Cloud Build makes of a Dockerfile and gives to Cloud Run, where it makes a single one."""
    if "run" not in source.text or "deploy" not in source.text:
        return ()
    root = _root(source)
    steps = root.at("steps") if root is not None else None
    builds, deploys = [], []
    for step in steps.items if steps is not None else ():
        arguments = step.at("args")
        words = [each.text for each in arguments.items] if arguments is not None else []
        if _text(step, "name") in _BUILDERS and words[:1] == ["build"]:
            builds.append((words, _text(step, "dir")))
        elif arguments is not None and "run" in words and "deploy" in words[words.index("run") :]:
            deploys.append((words, arguments.span))
    if len(builds) != 1 or len(deploys) != 1:
        return ()
    ((build, folder),), ((deploy, span),) = builds, deploys
    image, named = _option(build, "-t", "--tag"), _option(deploy, "--image")
    path = posixpath.join(folder, _option(build, "-f", "--file") or posixpath.join(build[-1], "Dockerfile"))
    if image is None or image != named or "$" in path:
        return ()
    return (Deployment("cloud-run", posixpath.normpath(path), span, _option(deploy, "--port") or "8080"),)


def _option(words: list[str], *names: str) -> str | None:
    """The value of an option behind its name or an equals sign."""
    for word, behind in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name in names:
            return value if equals else behind
    return None


def _root(source: Source) -> Node | None:
    from mllint.sources.yaml_tree import read_yaml

    return read_yaml(source.text)[0]


def _text(node: Node, *keys: str) -> str:
    found = node.at(*keys)
    return found.text if found is not None else ""
