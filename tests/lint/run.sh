#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the gates, all or those named, and prints TAP: run.sh [GATE...]. REQIVO_SRCDIR is the tree that is judged,
# REQIVO_BUILDDIR what was built from it. The list below is the one place where gates are named.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
src=${REQIVO_SRCDIR:-$(cd "$here/../.." && pwd)}
build=${REQIVO_BUILDDIR:?the folder of a build}
gates=(layers size tidy symbols binaries purity headers style man codes rules words keys wire_doc readme units)
for name in "$@"; do
    case " ${gates[*]} " in
    *" $name "*) ;;
    *)
        echo "lint: there is no gate '$name'; the gates are: ${gates[*]}" >&2
        exit 2
        ;;
    esac
done
[ $# = 0 ] || gates=("$@")

echo "1..${#gates[@]}"
number=0 bad=0
for gate in "${gates[@]}"; do
    number=$((number + 1))
    if out=$(/usr/bin/python3 -B "$here/$gate.py" "$src" "$build" 2>&1); then
        echo "ok $number - $gate"
    else
        bad=1
        echo "not ok $number - $gate"
        printf '%s\n' "$out" | head -n 200 | sed 's/^/#   /'
    fi
done
exit $bad
