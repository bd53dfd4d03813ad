# One file, two images: `cpu` for rehearsals on your own machine, `gpu` for SageMaker.
# `python -m launcher build` passes the arguments; any BuildKit from Docker 20.10 on builds it.
# No CUDA base image: paddlepaddle-gpu brings CUDA and cuDNN as wheels.
ARG BASE_IMAGE=debian:bookworm-slim
ARG DEVICE=cpu
ARG TREE=git

# --- what runs: Python, and the OpenMP library that paddle's kernels link to
FROM ${BASE_IMAGE} AS python
ARG DEBIAN_MIRROR
RUN --mount=type=bind,source=image/apt_install.sh,target=/apt_install.sh --mount=type=secret,id=ca.crt \
    /apt_install.sh python3 libgomp1

# --- what builds; of this only /layers/… reaches the image
FROM python AS builder
ARG DEBIAN_MIRROR
RUN --mount=type=bind,source=image/apt_install.sh,target=/apt_install.sh --mount=type=secret,id=ca.crt \
    /apt_install.sh python3-venv git ca-certificates

# --- the packages of the lock: every file checked against its hash, wheels only, so nothing is compiled or executed
FROM builder AS packages
ARG DEVICE
ARG CUDA=cu126
ARG PADDLE_INDEX=https://www.paddlepaddle.org.cn/packages/stable
ARG LOCK=train.lock
COPY requirements/${LOCK} /lock
RUN --mount=type=secret,id=ca.crt --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    if [ -s /run/secrets/ca.crt ]; then export PIP_CERT=/run/secrets/ca.crt; fi; \
    if [ "$DEVICE" = gpu ]; then index="--extra-index-url $PADDLE_INDEX/$CUDA/"; fi; \
    python3 -m venv /opt/venv \
    && /opt/venv/bin/pip --disable-pip-version-check --no-cache-dir --timeout 60 install --no-compile \
       --require-hashes --only-binary :all: $index -r /lock
RUN --mount=type=bind,source=image/make_layers.py,target=/make_layers.py \
    python3 /make_layers.py packages /opt/venv

# --- the PaddleOCR tree: the official repository at a release, or the pinned source distribution
FROM builder AS tree-git
ARG TREE_URL=https://github.com/PaddlePaddle/PaddleOCR.git
ARG TREE_REVISION=v3.7.0
ARG TREE_COMMIT
RUN --mount=type=bind,source=image,target=/image --mount=type=secret,id=ca.crt \
    /image/fetch_tree.sh git /opt/paddleocr && python3 /image/make_layers.py tree /opt/paddleocr

FROM builder AS tree-pypi
RUN --mount=type=bind,source=image,target=/image \
    --mount=type=bind,source=container/__main__.py,target=/tmp/code/container/__main__.py \
    --mount=type=bind,source=container/tree.py,target=/tmp/code/container/tree.py \
    --mount=type=bind,source=container/checkpoints.py,target=/tmp/code/container/checkpoints.py \
    --mount=type=bind,source=contract/errors.py,target=/tmp/code/contract/errors.py \
    --mount=type=bind,source=contract/streams.py,target=/tmp/code/contract/streams.py \
    --mount=type=bind,source=contract/tree_places.py,target=/tmp/code/contract/tree_places.py \
    --mount=type=secret,id=ca.crt --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    /image/fetch_tree.sh pypi /opt/paddleocr && python3 /image/make_layers.py tree /opt/paddleocr

FROM tree-${TREE} AS tree

# --- our own code, and its few loops in C; the compiler stays here
FROM builder AS compiler
ARG DEBIAN_MIRROR
RUN --mount=type=bind,source=image/apt_install.sh,target=/apt_install.sh --mount=type=secret,id=ca.crt \
    /apt_install.sh gcc libc6-dev

FROM compiler AS program
COPY contract /opt/program/contract
COPY configs /opt/program/configs
COPY container /opt/program/container
RUN --mount=type=bind,source=image/make_layers.py,target=/make_layers.py \
    cd /opt/program && python3 -B -m container.trainer.pipeline.native.build \
    && python3 /make_layers.py program /opt/program

# --- libcuda for hosts with an older driver
FROM builder AS compat
ARG CUDA=cu126
ARG CUDA_REPOSITORY=https://developer.download.nvidia.com/compute/cuda/repos
RUN --mount=type=bind,source=image,target=/image --mount=type=secret,id=ca.crt \
    /image/cuda_compat.sh ${CUDA} /layers/compat && python3 /image/make_layers.py settle /layers/compat

FROM python AS base-cpu

FROM python AS base-gpu
COPY --from=compat /layers/compat /
COPY --from=packages /layers/cudnn /
COPY --from=packages /layers/cublas /
COPY --from=packages /layers/cuda /
# The NVIDIA container runtime mounts the driver because of the first two. The third: whether this driver will do is
# decided by container/cuda_compat.py, and not by a refusal to start.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility NVIDIA_DISABLE_REQUIRE=1

# --- the image; what changes often comes last, so that a change of code pushes only itself
FROM base-${DEVICE}
COPY --from=packages /layers/paddle /
COPY --from=packages /layers/packages /
COPY --from=tree /layers/tree /
COPY --from=program /layers/program /
# HOME: some packages write there, and any user may run the image. OPENCV: pixels, above which a picture is an error.
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PADDLEOCR_HOME=/opt/paddleocr \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LANG=C.UTF-8 \
    HOME=/tmp \
    NO_ALBUMENTATIONS_UPDATE=1 \
    OPENCV_IO_MAX_IMAGE_PIXELS=50000000
LABEL paddleocr-sagemaker.contract=1
WORKDIR /opt/program
ENTRYPOINT ["python", "-m", "container"]
CMD ["train"]
