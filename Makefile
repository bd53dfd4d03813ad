# `make` alone lists the verbs. Each one makes what it needs: they all work on a bare clone.
.DEFAULT_GOAL := help
SHELL := /bin/bash
RUN := venv/bin/python -m
PYTEST ?= -q --durations=15 -n $(WORKERS)
WORKERS ?= 2
UPGRADE ?=
ARGS ?=
CUDA ?= cu126
PADDLE_INDEX ?= https://www.paddlepaddle.org.cn/packages/stable

.PHONY: help setup dev launch smoke image push test check fix lock lock-gpu docs clean

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# setup.sh writes the stamp; it is instant when the locks did not change.
venv/.ready: setup.sh pyproject.toml requirements/train.lock requirements/dev.lock requirements/launch.lock \
		requirements/notebook.lock
	@bash setup.sh --quiet

dev:
	@bash setup.sh --dev --quiet

launch:
	@bash setup.sh --launch --quiet

setup: ## make or refresh venv/ (bash setup.sh --launch adds what SageMaker jobs need)
	@bash setup.sh

smoke: venv/.ready ## rehearse on this machine: a tiny dataset trained, interrupted, resumed, exported
	@$(RUN) launcher.smoke

image: launch ## build the CPU image for jobs on this machine (ARGS='--device gpu': see --help)
	@$(RUN) launcher build $(ARGS)

push: launch ## build the GPU image and push it to ECR (ARGS='--region eu-west-1': see --help)
	@$(RUN) launcher push $(ARGS)

test: check ## everything in check, then the tests (PYTEST='-q -k name' to choose)
	$(RUN) pytest $(PYTEST)

check: dev ## lint, formatting, types, direction of imports; changes nothing
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	venv/bin/lint-imports --no-logo

fix: dev ## repair what ruff can: lint and formatting
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

# One resolution for all extras first, so that every lock, and the image, has the same versions.
COMPILE = $(RUN) uv pip compile -q pyproject.toml --universal --python-version 3.10 --no-emit-index-url \
	--custom-compile-command 'make lock'
LOCK = $(COMPILE) -c requirements/constraints.txt --generate-hashes --annotation-style line

lock: dev ## rewrite requirements/ from pyproject.toml (UPGRADE=--upgrade for newer versions)
	$(COMPILE) --all-extras --no-annotate $(UPGRADE) -o requirements/constraints.txt > /dev/null
	$(LOCK) --extra data --extra train -o requirements/train.lock > /dev/null
	$(LOCK) --extra data --extra train --extra launch --extra notebook --extra dev -o requirements/dev.lock > /dev/null
	$(LOCK) --extra data --extra launch -o requirements/launch.lock > /dev/null
	$(LOCK) --extra notebook -o requirements/notebook.lock > /dev/null
	$(RUN) uv pip compile -q requirements/compiler.in --universal --python-version 3.10 --no-emit-index-url \
		--custom-compile-command 'make lock' --generate-hashes --annotation-style line $(UPGRADE) \
		-o requirements/compiler.txt > /dev/null
	@! grep -nE 'https?://|file:' requirements/* || { echo "lock: an address got into requirements/" >&2; exit 1; }

# The image's Python and platform, not universal: Paddle's index has wheels for some systems only. uv weighs the wheels
# that the index gives no hash of, so this downloads some GB.
lock-gpu: dev ## make requirements/gpu-CUDA.lock, where Paddle's own index is reachable (CUDA=cu118 for V100)
	$(RUN) uv pip compile pyproject.toml requirements/gpu.in --extra train --no-emit-package paddlepaddle \
		-c requirements/constraints.txt --python-version 3.11 --python-platform x86_64-unknown-linux-gnu \
		--index $(PADDLE_INDEX)/$(CUDA)/ --no-emit-index-url --generate-hashes --no-annotate \
		--custom-compile-command 'make lock-gpu CUDA=$(CUDA)' -q -o requirements/gpu-$(CUDA).lock.new > /dev/null
	mv requirements/gpu-$(CUDA).lock.new requirements/gpu-$(CUDA).lock

docs: venv/.ready ## regenerate docs/cli.md, docs/iam/ and the lists of docs/troubleshooting.md from the source
	@mkdir -p docs
	$(RUN) launcher.docs > docs/cli.md.new && mv docs/cli.md.new docs/cli.md
	$(RUN) launcher.cloud.permissions docs/iam
	$(RUN) launcher.messages

clean: ## remove venv/, caches and build leftovers (never output/ or your data)
	rm -rf venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build *.egg-info docs/cli.md.new
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
