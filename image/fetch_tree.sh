#!/bin/sh
# fetch_tree.sh git|pypi FOLDER: the PaddleOCR tree, and its revision in FOLDER/REVISION.
# git: TREE_URL, TREE_REVISION (a tag) and TREE_COMMIT, which the tag must still mean. pypi: container/tree.py knows.
set -eu
kind=$1 folder=$2
if [ -s /run/secrets/ca.crt ]; then export GIT_SSL_CAINFO=/run/secrets/ca.crt PIP_CERT=/run/secrets/ca.crt; fi
case $kind in
git)
  git -c init.defaultBranch=tree init -q /tmp/tree
  cd /tmp/tree
  git fetch -q --depth 1 "$TREE_URL" "refs/tags/$TREE_REVISION"
  found=$(git rev-parse 'FETCH_HEAD^{commit}')
  if [ -n "${TREE_COMMIT:-}" ] && [ "$found" != "$TREE_COMMIT" ]; then
    echo "error: $TREE_URL $TREE_REVISION is commit $found, not $TREE_COMMIT as when the build began" >&2
    exit 1
  fi
  mkdir -p "$folder"
  git archive FETCH_HEAD ppocr tools LICENSE | tar -x -C "$folder"
  ;;
pypi)
  python3 -m venv /tmp/pip
  found=$(OCR_CACHE=/tmp/cache PYTHONPATH=/tmp/code /tmp/pip/bin/python -m container fetch-tree)
  mkdir -p "$folder"
  cp -r "$found/ppocr" "$found/tools" "$found/LICENSE" "$folder"
  found=$(basename "$found")
  ;;
esac
echo "$found" >"$folder/REVISION"
