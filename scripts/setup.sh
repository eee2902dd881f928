# Makes .venv when it is missing or out of date. Sourced by the scripts beside it: `ready ""` or `ready dev`.
# DREAM_TORCH_INDEX: a package index to take torch and torchvision from, such as a CPU-only one (much smaller).

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
python="$root/.venv/bin/python"

ready() {
    local extra="$1" stamp="$root/.venv/ready-${1:-run}" spec="$root"
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
            echo "No NVIDIA GPU found: DREAM_TORCH_INDEX=URL of a CPU-only PyTorch index makes it the small one." >&2
        fi
        if command -v uv >/dev/null; then
            uv venv --quiet --python "$base" "$root/.venv"
        else
            "$base" -m venv "$root/.venv" || {
                echo "Making .venv failed. On Debian and Ubuntu: apt install python3-venv" >&2
                rm -rf "$root/.venv"
                exit 2
            }
        fi
    fi

    local install=("$python" -m pip install --quiet --disable-pip-version-check)
    command -v uv >/dev/null && install=(uv pip install --quiet --python "$python")
    if [ -n "${DREAM_TORCH_INDEX:-}" ]; then
        "${install[@]}" --index-url "$DREAM_TORCH_INDEX" torch torchvision >&2 || exit 1
    fi
    "${install[@]}" --editable "$spec" >&2 || {
        echo "Installing failed; the lines above say why. The same command tries again." >&2
        exit 1
    }
    touch "$stamp"
}
