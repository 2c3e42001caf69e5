# The common part of the launchers `razorfs` and `razorfsck`, which set $here (this checkout) and $main (the compiled
# program) and read this file into a POSIX shell. It runs before each command, so it must cost little.

fail() {
  printf '%s: %s\n' "$(basename -- "$0")" "$1" >&2
  exit 1
}

node=$(command -v node) ||
  fail "Node.js 20 or newer is needed, and there is no 'node' in PATH. See https://nodejs.org, or: apt install nodejs"
node=$(readlink -f -- "$node")

# Fresh means: the program is there, nothing that it is made from is newer than the last set-up, and that was made for
# this Node (packages with native parts serve one release of it).
is_fresh() {
  stamp="$here/build/.stamp"
  [ -f "$here/$main" ] && [ -f "$stamp" ] && [ ! "$node" -nt "$stamp" ] || return 1
  built_for=
  read -r built_for 2>/dev/null <"$here/build/.node"
  [ "$built_for" = "$node" ] || return 1
  newer=$(find "$here/src" "$here/native" "$here/package-lock.json" "$here/tsconfig.json" \
    -path "$here/native/build" -prune -o -newer "$stamp" -print -quit 2>/dev/null)
  [ -z "$newer" ]
}

if ! is_fresh; then
  major=$("$node" -p 'process.versions.node.split(".")[0]') || fail "$node does not run"
  [ "$major" -ge 20 ] || fail "Node.js 20 or newer is needed; $node is $("$node" --version)"
  "$node" "$here/tools/build.mjs" || exit 1
  # Not for those who run another user's checkout: they look again each time.
  (printf '%s\n' "$node" >"$here/build/.node") 2>/dev/null
fi

# The package for another transport is installed when somebody first asks for it.
case " $* " in
  *' --transport=fuse-native '* | *' --transport fuse-native '*)
    [ "$here/build/fuse-native/node_modules/.package-lock.json" -nt "$here/tools/fuse-native/package-lock.json" ] ||
      "$node" "$here/tools/build.mjs" --fuse-native || exit 1
    ;;
esac

exec "$node" "$here/$main" "$@"
