"""How many processes train on this host: one per GPU, one on a CPU, or as many as the job asks for."""

from __future__ import annotations

from contract.errors import UserError


def choose_processes(asked: int | None, gpus: int) -> int:
    """Raises UserError when more processes are asked for than there are GPUs. `gpus` is 0 on a CPU."""
    if asked and gpus and asked > gpus:
        has = "1 GPU" if gpus == 1 else f"{gpus} GPUs"
        raise UserError(f"processes={asked}, and this host has {has}: ask for {gpus} or less, or leave it out for all")
    return asked or max(1, gpus)
