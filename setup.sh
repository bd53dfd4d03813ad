#!/usr/bin/env bash
# Makes or refreshes venv/ from the hash-checked locks. Safe to repeat; instant when nothing changed.
#   bash setup.sh            data tools, trainer, rehearsals on this machine
#   bash setup.sh --launch   also what a real SageMaker job needs (sagemaker, boto3, docker)
#   bash setup.sh --notebook also the kernel "PaddleOCR Recognition" for the Jupyter or VS Code of this user
#   bash setup.sh --dev      also tests, linters and the lock tool
# What was asked for once stays. PYTHON=/path/to/python names the interpreter of a new venv/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV

fail() { echo "setup: $*" >&2; exit 1; }
fits() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' >/dev/null 2>&1; }

# In the user's own folder of kernels: the Jupyter that opens the notebook lives in another environment than venv/.
register_kernel() {
  venv/bin/python -m ipykernel install --user --name paddleocr-recognition --display-name "PaddleOCR Recognition" \
    >/dev/null || fail "the kernel could not be registered: see the message above."
  echo "setup: the kernel \"PaddleOCR Recognition\" is registered: choose it in Jupyter or VS Code." >&2
}

# --- what is wanted: the flags, and whatever an earlier run was asked for
wanted=" $(cat venv/.wanted 2>/dev/null || true) "
quiet=
for option in "$@"; do
  case $option in
    --launch | --notebook | --dev) [[ $wanted == *" ${option#--} "* ]] || wanted+="${option#--} " ;;
    --quiet) quiet=1 ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' setup.sh; exit 0 ;;
    *) fail "unknown option $option (known: --launch, --notebook, --dev, --quiet)." ;;
  esac
done
locks=(requirements/train.lock)
[[ $wanted == *" launch "* ]] && locks+=(requirements/launch.lock)
[[ $wanted == *" notebook "* ]] && locks+=(requirements/notebook.lock)
[[ $wanted == *" dev "* ]] && locks=(requirements/dev.lock)  # holds everything in the others
source=container/trainer/pipeline/native/pixels.c
key="$PWD ${locks[*]} $(cat pyproject.toml $source "${locks[@]}" | cksum)"

# --- nothing to do?
if [[ -f venv/.ready && $(cat venv/.ready) == "$key" ]] && fits venv/bin/python; then
  touch venv/.ready  # make compares its date with the locks'
  echo $wanted > venv/.wanted
  [[ " $* " != *" --notebook "* ]] || register_kernel  # of another clone since then, or removed
  [[ -n $quiet ]] || echo "setup: venv/ is up to date."
  exit 0
fi

# --- a Python 3.10-3.12 that really runs (a pyenv shim may exist and fail) and can make a venv
python= without_venv=
for candidate in ${PYTHON:+"$PYTHON"} python3.12 python3.11 python3.10 python3 python; do
  if fits "$candidate"; then
    if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then python=$candidate; break; fi
    without_venv=${without_venv:-$candidate}
  elif [[ -n ${PYTHON:-} && $candidate == "$PYTHON" ]]; then
    fail "PYTHON=$PYTHON is not a working Python 3.10, 3.11 or 3.12."
  fi
done
if [[ -z $python ]]; then
  [[ -z $without_venv ]] || fail "$without_venv cannot make virtual environments: install its venv package (Debian, Ubuntu: apt-get install python3-venv)."
  fail "found no Python 3.10, 3.11 or 3.12: install one, or name it with PYTHON=/path/to/python bash setup.sh."
fi

# --- venv/: keep one that works, has not moved and whose last install ended; else make it anew
if [[ -e venv && ! -f venv/pyvenv.cfg ]]; then
  fail "venv/ is there but is no virtual environment: move it away and run this again."
fi
if ! fits venv/bin/python || ! venv/bin/python -m pip --version >/dev/null 2>&1 ||
  [[ -f venv/.unfinished || $(cat venv/.root 2>/dev/null || pwd) != "$PWD" ]]; then
  echo "setup: making venv/ with $("$python" --version 2>&1) …" >&2
  "$python" -m venv --clear venv
fi
pwd > venv/.root
rm -f venv/.ready
touch venv/.unfinished  # pip cut short leaves half a package behind, and then fails on it for ever
echo $wanted > venv/.wanted  # unquoted: single spaces

# --- the locked packages, every file checked against its hash; then ourselves, editable
echo "setup: installing ${locks[*]} (first time: a minute or two, some 340 MB to download) …" >&2
pip() { venv/bin/python -m pip --disable-pip-version-check --no-input -q "$@"; }
requirements=()
for lock in "${locks[@]}"; do requirements+=(-r "$lock"); done
pip install --no-deps --require-hashes "${requirements[@]}" ||
  fail "the packages could not be installed: see pip's message above, then run this again."
pip install --no-deps --no-build-isolation -e . || fail "this folder could not be installed: see pip's message above."
venv/bin/python -m container.trainer.pipeline.native.build || true  # says what that means, and all works without

rm venv/.unfinished
printf '%s' "$key" > venv/.ready
[[ $wanted != *" notebook "* ]] || register_kernel
[[ -z $quiet ]] || exit 0
cat <<'NEXT'
setup: done. Next:
  make smoke                 a tiny training on this machine, interrupted and resumed, with nothing to pay
  . venv/bin/activate        then: python -m launcher.submit --help
NEXT
[[ ${locks[*]} != *launch* && ${locks[*]} != *dev* ]] ||
  echo "                             or: python -m launcher doctor, what is missing for a job on SageMaker"
