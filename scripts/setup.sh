# Makes .venv when it is missing or out of date. Sourced by the scripts beside it: `ready ""` or `ready dev`.
# DREAM_TORCH_INDEX: a package index to take torch and torchvision from, such as a CPU-only one (much smaller).
# DREAM_EXTRAS: what else to install, such as ui or exr,timm.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
python="$root/.venv/bin/python"

ready() {
    local extra="${1:-${DREAM_EXTRAS:-}}" spec="$root"
    local stamp="$root/.venv/ready-${extra:-run}"
    [ -n "$extra" ] && spec="$root[$extra]"
    if [ -x "$python" ] && [ -f "$stamp" ] && [ "$stamp" -nt "$root/pyproject.toml" ]; then return; fi

    if [ ! -x "$python" ]; then
        local base="${PYTHON:-python3}"
        "$base" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
            echo "dream-video needs Python 3.11 or newer as python3 (or PYTHON=/path/to/it)." >&2
            exit 2
        }
        echo "Setting up .venv, once. PyTorch is the bulk of it: about 1 GB for the CPU, 6 GB with CUDA." >&2
        if [ "$(uname -s)" = Linux ] && [ -z "${DREAM_TORCH_INDEX:-}" ] && ! command -v nvidia-smi >/dev/null; then
            echo "No NVIDIA GPU found. For the small one stop this (Ctrl-C) and put before the command:" >&2
            echo "  DREAM_TORCH_INDEX=URL (the package index that PyTorch's own site names for CPU)" >&2
        fi
        trap 'rm -rf "$root/.venv"; exit 130' INT # half of one would be taken for a whole one
        if command -v uv >/dev/null; then
            uv venv --quiet --python "$base" "$root/.venv"
        else
            "$base" -m venv "$root/.venv" || {
                echo "Making .venv failed. On Debian and Ubuntu: apt install python3-venv" >&2
                rm -rf "$root/.venv"
                exit 2
            }
        fi
    elif [ -f "$root/.venv/ready-run" ] || [ -f "$root/.venv/ready-dev" ]; then
        echo "Bringing .venv up to date." >&2
    else
        echo "Setting up .venv, which was not finished. PyTorch is the bulk of it." >&2
    fi
    trap 'echo "Stopped. The same command goes on setting up." >&2; exit 130' INT

    local install=("$python" -m pip install --disable-pip-version-check)
    command -v uv >/dev/null && install=(uv pip install --python "$python")
    [ -t 2 ] || install+=(--quiet) # on a terminal it shows how far it is
    if [ -n "${DREAM_TORCH_INDEX:-}" ]; then
        "${install[@]}" --index-url "$DREAM_TORCH_INDEX" torch torchvision >&2 || exit 1
    fi
    "${install[@]}" --editable "$spec" >&2 || {
        echo "Installing failed; the lines above say why. The same command tries again." >&2
        exit 1
    }
    trap - INT
    touch "$stamp"
}
