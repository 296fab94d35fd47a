"""What an image will be like, told before it is built: `inspection(stage)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.inspection import accelerator, configuration, content
from mllint.inspection.download import download
from mllint.inspection.open_questions import undecided
from mllint.inspection.records import Inspection, Known, Origin

if TYPE_CHECKING:
    from mllint.image.stage import Stage

__all__ = ["Inspection", "Known", "Origin", "inspection"]


def inspection(stage: Stage) -> Inspection:
    """Everything that is known of the image that a stage is made into. Never raises."""
    context = stage.build.context
    variables = configuration.variables(stage)
    environments = tuple(content.environment(stage, *each) for each in content.interpreters(stage))
    user, uid, home = configuration.user(stage)
    made = Inspection(
        dockerfile=stage.build.source.path,
        context=context.inputs.display(context.root),
        target=configuration.target(stage),
        base=configuration.base_image(stage),
        python=content.interpreter(stage),
        variables=variables,
        more_variables=configuration.more_variables(stage),
        user=user,
        uid=uid,
        home=home,
        directory=configuration.directory(stage),
        ports=tuple(configuration.ports(stage)),
        volumes=tuple(configuration.volumes(stage)),
        labels=tuple(configuration.labels(stage)),
        stop_signal=configuration.stop_signal(stage),
        entrypoint=configuration.process_words(stage, stage.end.entrypoint, "ENTRYPOINT"),
        command=configuration.process_words(stage, stage.end.command, "CMD"),
        process=configuration.process(stage),
        healthcheck=configuration.healthcheck(stage),
        environments=environments,
        packages_unknown=content.packages_unknown(stage),
        programs=tuple(content.found_programs(stage)),
        files=tuple(content.files(stage)),
        accelerator=accelerator.accelerator(stage, variables, environments),
        layers=tuple(content.layers(stage)),
        download=download(stage),
        undecided=(),
    )
    return made._replace(undecided=undecided(stage, made))
