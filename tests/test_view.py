"""What the inside of an image looks like at one point of its build."""

from __future__ import annotations

from mllint.image.values import Unknown
from mllint.image.view import Node, covers
from tests.paper import build, last

BASE = "FROM debian:bookworm-slim\n"


def test_the_inside_changes_from_step_to_step() -> None:
    stage = last(BASE + "RUN mkdir /srv/a\nRUN rm -rf /srv/a\nRUN touch /srv/a")
    one, two, three = stage.steps
    assert stage.view_before(one).find("/srv/a") is None
    assert isinstance(stage.view_after(one).find("/srv/a"), Node)
    assert stage.view_after(two).find("/srv/a") is None
    found = stage.view_after(three).find("/srv/a")
    assert isinstance(found, Node)
    assert found.kind == "file"
    assert found.cause.step is three


def test_a_stage_goes_on_where_the_one_it_starts_from_ended() -> None:
    first, second = build("FROM debian:bookworm-slim AS a\nRUN mkdir /srv/a\nFROM a\nRUN mkdir /srv/b").stages
    assert isinstance(second.view.find("/srv/a"), Node)
    assert isinstance(second.view_before(second.steps[0]).find("/srv/a"), Node)
    assert second.view_before(second.steps[0]).find("/srv/b") is None
    assert first.view.find("/srv/b") is None


def test_a_plain_base_has_nothing_in_the_folders_of_applications() -> None:
    view = last(BASE).view
    assert view.find("/app") is None
    assert view.find("/srv/x") is None
    assert isinstance(view.find("/usr/share/x"), Unknown)
    assert isinstance(last("FROM registry.example/x").view.find("/app"), Unknown)
    assert last("FROM scratch").view.find("/usr/share/x") is None


def test_links_that_lead_in_a_circle_come_to_an_end() -> None:
    stage = last(BASE + "RUN ln -s /srv/b /srv/a && ln -s /srv/a /srv/b")
    stage.view.find("/srv/a")
    stage.view.find("/srv/a/x")


def test_doubts_have_a_kind_and_a_reason() -> None:
    view = last(BASE + "RUN ./setup.sh").view
    doubt = view.doubt("users")
    assert doubt is not None
    assert "setup.sh" in doubt.reason
    view = last(BASE + "RUN python train.py").view
    assert view.doubt("files") is not None
    assert view.doubt("distributions") is None
    assert last(BASE + "RUN echo hello").view.doubt("files") is None


def test_the_folders_of_a_path() -> None:
    assert last(BASE).view.search("/a:/b/")[:2] == ["/a", "/b"]
    assert last(BASE).view.search(None)[-1] == "/bin"
    stage = last("FROM pytorch/pytorch:2.3.0-cuda12.1-cudnn8-runtime\nENV PATH=/v/bin:$PATH")
    assert stage.view.search(stage.end.get("PATH"))[:2] == ["/v/bin", "/opt/conda/bin"]


def test_patterns_of_paths() -> None:
    assert covers("/srv", "/srv/a/b")
    assert covers("/srv/*", "/srv/a/b")
    assert covers("/srv/a*", "/srv/ab")
    assert not covers("/srv/a*", "/srv/b")
    assert not covers("/srv/*", "/srv")
    assert not covers("/srv", "/srvx")
