"""Whether Docker and SageMaker's local mode can run a job here, and which image it runs."""

from __future__ import annotations

from dataclasses import replace

from contract.errors import UserError
from launcher.people import say
from launcher.plan import LOCAL_GPU, PROCESS, Plan


def with_image(plan: Plan, image_uri: str) -> Plan:
    """The plan with its image: the one that the user names, or the newest of today's sources. Raises UserError.

    Asks the Docker engine and changes nothing in it. Without Docker there is no image, and the plan stays as it is.
    """
    if plan.instance == PROCESS:
        return plan
    from launcher import engine
    from launcher.images.image import doubt_about, image_for
    from launcher.platforms.gpu import check_gpu
    from launcher.platforms.local_mode.checks import check_local_mode

    is_gpu = plan.instance == LOCAL_GPU
    with engine.session() as client:
        if is_gpu:
            check_gpu(client.info())
        if not plan.interruptions:
            check_local_mode(plan)
        name = image_uri or image_for(client, "gpu" if is_gpu else "cpu").name
        image = engine.find_image(client, name)
        if image is None:
            raise UserError(f"--image-uri {name}: this Docker engine has no such image: pull it, or name another")
        engine.check_image(image, name)
        if image_uri:
            note = doubt_about(image.labels)
            if note:
                say(f"note: image {name} {note}")
    return replace(plan, image=name)
