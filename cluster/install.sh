#!/bin/sh
# Installs carbonray and all it needs into a virtual environment: what the Dockerfile does, and what hosts without
# containers may do. The versions are those of constraints.txt.
#
#   DEVICE=cpu TORCH_INDEX=URL sh cluster/install.sh [FOLDER]
#
# FOLDER is the new environment (/opt/carbonray-env). TORCH_INDEX is the package index that has PyTorch's build for
# DEVICE (cpu or cuda), or "-" for the one that pip is set up with. With UPDATE=1 an environment that this script made is
# kept if it is of these very files, and replaced if not.
set -eu
device="${DEVICE:?give DEVICE=cpu or DEVICE=cuda}"
index="${TORCH_INDEX:?give TORCH_INDEX=URL of the index with the build of PyTorch, or - for the one that pip has}"
folder="${1:-/opt/carbonray-env}"
source="$(dirname "$(dirname "$(realpath "$0")")")"

case "$device" in
    cpu | cuda) ;;
    *) echo "install.sh: DEVICE=$device: choose cpu or cuda" >&2; exit 2 ;;
esac
stamp="$device $(cd "$source" && find pyproject.toml constraints.txt cluster/install.sh carbonray datasets -type f \
    ! -name '*.pyc' | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -d' ' -f1)"
if [ "${UPDATE:-0}" = 1 ] && [ -e "$folder/carbonray.sha256" ]; then
    if [ "$(cat "$folder/carbonray.sha256")" = "$stamp" ]; then echo "$folder: is as it should be"; exit; fi
    rm -rf "$folder"
fi
if [ -e "$folder" ]; then
    echo "install.sh: $folder: exists already; remove it, or give another folder" >&2; exit 2
fi
trap 'test $? -eq 0 || rm -rf "$folder"' EXIT  # nothing half-installed is left

"${PYTHON:-python3}" -m venv "$folder"
pip() { "$folder/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check "$@"; }

torch="$(grep '^torch==' "$source/constraints.txt")"
if [ "$index" = "-" ]; then pip "$torch"; else pip -i "$index" "$torch"; fi
pip --constraint "$source/constraints.txt" "$source[serve,predict,frontier]"

"$folder/bin/python" - "$device" << 'END'
import sys, torch
built = "cuda" if torch.version.cuda else "cpu"
if built != sys.argv[1]:
    sys.exit(f"install.sh: DEVICE={sys.argv[1]}, but this index has PyTorch for {built}")
END
"$folder/bin/carbonray" data check > /dev/null
echo "$stamp" > "$folder/carbonray.sha256"
echo "$folder: carbonray with PyTorch for $device"
