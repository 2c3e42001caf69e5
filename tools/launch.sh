# The common part of the launchers `razorfs` and `razorfsck`, which set $here (this checkout) and $main (the compiled
# program) and read this file into a POSIX shell. It must cost little: it runs before each command.

fail() {
  printf '%s: %s\n' "$(basename -- "$0")" "$1" >&2
  exit 1
}

command -v node >/dev/null 2>&1 || fail "Node.js 20 or newer is needed and 'node' is not in PATH; see https://nodejs.org, or: apt install nodejs"

# Fresh means: the program is there, and nothing that it is made from is newer than the last set-up.
stamp="$here/build/.stamp"
if [ ! -f "$here/$main" ] || [ ! -f "$stamp" ] ||
  [ -n "$(find "$here/src" "$here/native" "$here/package-lock.json" "$here/tsconfig.json" \
    -path "$here/native/build" -prune -o -newer "$stamp" -print -quit 2>/dev/null)" ]; then
  major=$(node -p 'process.versions.node.split(".")[0]') || fail "'node' does not run"
  [ "$major" -ge 20 ] || fail "Node.js 20 or newer is needed; this is $(node --version)"
  node "$here/tools/build.mjs" || exit 1
fi

exec node "$here/$main" "$@"
