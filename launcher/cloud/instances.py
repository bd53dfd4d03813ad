"""What SageMaker's training instances have: GPUs, memory, local disk. The numbers are those of EC2's own pages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

# Room for data on instances without a disk of their own, when nothing else is asked for (GB).
DEFAULT_VOLUME_GB = 30


@dataclass(frozen=True)
class Gpu:
    """One model of GPU."""

    name: str
    memory_gib: int
    compute_capability: str  # NVIDIA's; 7.0 and older are not in CUDA 13, 8.0 and newer have bfloat16


@dataclass(frozen=True)
class InstanceFacts:
    """One instance type. None: not in this table."""

    name: str
    gpus: int | None = None
    gpu: Gpu | None = None
    vcpus: int | None = None
    memory_gib: float | None = None
    nvme_gb: int | None = None  # the local disk that the job gets instead of a volume; None: EBS, or not in this table
    network: str = ""  # Gbit/s
    known: bool = False

    @property
    def has_fixed_disk(self) -> bool:
        """Its disk is its own: no volume size and no volume key can be asked for."""
        return self.nvme_gb is not None

    def disk_gb(self, volume_gb: int | None) -> int | None:
        """Room for the job's data; None when this table cannot say."""
        return self.nvme_gb if self.has_fixed_disk else (volume_gb or DEFAULT_VOLUME_GB) if self.known else None

    def __str__(self) -> str:
        if not self.known:
            return f"{self.name}: not in this version's table of instances"
        gpus = f"{self.gpus} × {self.gpu.name} with {self.gpu.memory_gib} GiB" if self.gpu else "no GPU"
        disk = f"{self.nvme_gb:,} GB NVMe" if self.has_fixed_disk else "EBS volume"
        return f"{gpus}, {self.vcpus} vCPU, {self.memory_gib:g} GiB RAM, {disk}"


_GPUS = {
    "p3": Gpu("V100", 16, "7.0"),
    "p3dn": Gpu("V100", 32, "7.0"),
    "g4dn": Gpu("T4", 16, "7.5"),
    "p4d": Gpu("A100", 40, "8.0"),
    "p4de": Gpu("A100", 80, "8.0"),
    "g5": Gpu("A10G", 24, "8.6"),
    "g6": Gpu("L4", 24, "8.9"),
    "g6e": Gpu("L40S", 48, "8.9"),
    "p5": Gpu("H100", 80, "9.0"),
    "p5e": Gpu("H200", 141, "9.0"),
    "p5en": Gpu("H200", 141, "9.0"),
}

# instance: GPUs, vCPU, RAM in GiB, NVMe in GB (None: EBS), network in Gbit/s ("~": in bursts)
_WITH_GPU: dict[str, tuple[int, int, int, int | None, str]] = {
    "p3.2xlarge": (1, 8, 61, None, "~10"),
    "p3.8xlarge": (4, 32, 244, None, "10"),
    "p3.16xlarge": (8, 64, 488, None, "25"),
    "p3dn.24xlarge": (8, 96, 768, 1800, "100"),
    "g4dn.xlarge": (1, 4, 16, 125, "~25"),
    "g4dn.2xlarge": (1, 8, 32, 225, "~25"),
    "g4dn.4xlarge": (1, 16, 64, 225, "~25"),
    "g4dn.8xlarge": (1, 32, 128, 900, "50"),
    "g4dn.12xlarge": (4, 48, 192, 900, "50"),
    "g4dn.16xlarge": (1, 64, 256, 900, "50"),
    "p4d.24xlarge": (8, 96, 1152, 8000, "400"),
    "p4de.24xlarge": (8, 96, 1152, 8000, "400"),
    "g5.xlarge": (1, 4, 16, 250, "~10"),
    "g5.2xlarge": (1, 8, 32, 450, "~10"),
    "g5.4xlarge": (1, 16, 64, 600, "~25"),
    "g5.8xlarge": (1, 32, 128, 900, "25"),
    "g5.12xlarge": (4, 48, 192, 3800, "40"),
    "g5.16xlarge": (1, 64, 256, 1900, "25"),
    "g5.24xlarge": (4, 96, 384, 3800, "50"),
    "g5.48xlarge": (8, 192, 768, 7600, "100"),
    "g6.xlarge": (1, 4, 16, 250, "~10"),
    "g6.2xlarge": (1, 8, 32, 450, "~10"),
    "g6.4xlarge": (1, 16, 64, 600, "~25"),
    "g6.8xlarge": (1, 32, 128, 900, "25"),
    "g6.12xlarge": (4, 48, 192, 3760, "40"),
    "g6.16xlarge": (1, 64, 256, 1880, "25"),
    "g6.24xlarge": (4, 96, 384, 3760, "50"),
    "g6.48xlarge": (8, 192, 768, 7520, "100"),
    "g6e.xlarge": (1, 4, 32, 250, "~20"),
    "g6e.2xlarge": (1, 8, 64, 450, "~20"),
    "g6e.4xlarge": (1, 16, 128, 600, "20"),
    "g6e.8xlarge": (1, 32, 256, 900, "25"),
    "g6e.12xlarge": (4, 48, 384, 3800, "100"),
    "g6e.16xlarge": (1, 64, 512, 1900, "35"),
    "g6e.24xlarge": (4, 96, 768, 3800, "200"),
    "g6e.48xlarge": (8, 192, 1536, 7600, "400"),
    "p5.4xlarge": (1, 16, 256, 3840, "100"),
    "p5.48xlarge": (8, 192, 2048, 30720, "3200"),
    "p5e.48xlarge": (8, 192, 2048, 30720, "3200"),
    "p5en.48xlarge": (8, 192, 2048, 30720, "3200"),
}

# Families without a GPU are regular: RAM in GiB per vCPU, NVMe in GB per vCPU (None: EBS).
_WITHOUT_GPU: dict[str, tuple[float, float | None]] = {
    "c4": (1.875, None),
    "c5": (2, None),
    "c5n": (2.625, None),
    "c6i": (2, None),
    "c7i": (2, None),
    "c7i-flex": (2, None),
    "c8i": (2, None),
    "c8i-flex": (2, None),
    "m4": (4, None),
    "m5": (4, None),
    "m6i": (4, None),
    "m7i": (4, None),
    "m7i-flex": (4, None),
    "m8i": (4, None),
    "m8i-flex": (4, None),
    "r5": (8, None),
    "r5d": (8, 37.5),
    "r6i": (8, None),
    "r7i": (8, None),
    "r8i": (8, None),
    "r8i-flex": (8, None),
    "t3": (4, None),
}
_VCPUS = {"large": 2, "xlarge": 4} | {f"{n}xlarge": 4 * n for n in (2, 4, 8, 9, 10, 12, 16, 18, 24, 32, 48, 96)}

# Sizes that do not follow the rule of their family: vCPU, RAM in GiB.
_IRREGULAR: dict[str, tuple[int, float]] = {
    "c4.8xlarge": (36, 60),
    "c5n.9xlarge": (36, 96),
    "c5n.18xlarge": (72, 192),
    "t3.medium": (2, 4),
    "t3.xlarge": (4, 16),
}

# Not in these tables, but known to have disks of their own.
_OTHERS_WITH_A_DISK = ("g7", "g7e", "p6-b200", "p6-b300", "p6e-gb200")


def instance_facts(name: str) -> InstanceFacts:
    """What the table knows of `ml.FAMILY.SIZE`; a type that is not in it is allowed, and says so."""
    prefix, _, rest = name.partition(".")
    family, _, size = rest.partition(".")
    if prefix == "ml" and rest in _WITH_GPU:
        gpus, vcpus, memory, nvme, network = _WITH_GPU[rest]
        return InstanceFacts(name, gpus, _GPUS[family], vcpus, memory, nvme, network.replace("~", "up to "), True)
    if prefix == "ml" and family in _WITHOUT_GPU and (size in _VCPUS or rest in _IRREGULAR):
        memory_per_vcpu, nvme_per_vcpu = _WITHOUT_GPU[family]
        vcpus, ram = _IRREGULAR.get(rest) or (_VCPUS[size], memory_per_vcpu * _VCPUS[size])
        own_disk = None if nvme_per_vcpu is None else round(nvme_per_vcpu * vcpus)
        return InstanceFacts(name, 0, None, vcpus, ram, own_disk, known=True)
    return InstanceFacts(name)


def has_own_disk(name: str) -> bool:
    """No volume comes with it, and no key of a volume."""
    return instance_facts(name).has_fixed_disk or name.split(".")[1] in _OTHERS_WITH_A_DISK


def table() -> tuple[str, ...]:
    """Every instance with a GPU that the table knows."""
    return tuple(f"ml.{name}" for name in _WITH_GPU)


@cache
def sagemaker_types() -> tuple[str, ...]:
    """The training instances that the installed boto3 knows; newer ones may exist."""
    import botocore.session

    model = botocore.session.get_session().get_service_model("sagemaker")
    return tuple(model.shape_for("TrainingInstanceType").enum)
