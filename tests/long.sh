#!/bin/sh
# The long versions of the attacks, one after another for so many minutes:
#   sh tests/long.sh MINUTES [ATTACK...]
# The attacks are kill, power, faults, corruption, sweep and crowd: all of them in turn, or those named. What is attacked
# is what was built at the start, however the files change meanwhile. Where it stopped is kept in target/long/, so that
# the next run goes on from there. What each attack found is appended to tests/record/long.md: seeds, counts, and whatever
# was wrong. At the end the sums of all runs recorded are printed; with 0 minutes, nothing else is done.
set -eu
cd "$(dirname "$0")/.."
minutes=${1:?"minutes, as in: sh tests/long.sh 120"}
shift
state=target/long
record=tests/record/long.md
mkdir -p "$state" tests/record
end=$(($(date +%s) + minutes * 60))
if [ ! -f "$record" ]; then
    cat >"$record" <<HEAD
# Long runs of the attacks

Appended by \`sh tests/long.sh MINUTES\`; each line is one run of a test on the commit named, with the seed that
repeats it (\`WISEN_SEED\`).

| when (UTC) | commit | seed | found |
|---|---|---|---|
HEAD
fi

# attack size sweeps?
attacks='
kill 4000
power 10000
faults 500
corruption 20000
sweep 5000
crowd 60
'

totals() {
    awk '
        / kills after / { kills += number(" kills after")
                          sub(/.*by phase [{]/, ""); sub(/[}].*/, ""); gsub(/[":]/, ""); n = split($0, parts, ", ")
                          for (i = 1; i <= n; i++) { split(parts[i], pair, " "); phases[pair[1]] += pair[2] } }
        /power, durability/ { disks += number(" disks of") }
        /[a-z]: [0-9]+ of [0-9]+ cases, / { cases += number(" of [0-9]+ cases") }
        /sweep, whole: / { cases += number(" cases that stand") }
        / failures, 0 lost/ { failures += number(" failures, 0 lost") }
        function number(after,   words) { words = $0; sub(after ".*", "", words); sub(/.*[^0-9]/, "", words); return words + 0 }
        END { printf "so far: %d kills (", kills
              for (phase in phases) printf "%s%s %d", comma++ ? ", " : "", phase, phases[phase]
              printf "), %d power losses, %d failing calls, %d damages\n", disks, failures, cases }
    ' "$record"
}
if [ "$minutes" = 0 ]; then
    totals
    exit 0
fi

if [ $# -gt 0 ]; then
    attacks=$(for name in "$@"; do printf '%s' "$attacks" | grep "^$name " || exit 1; done) || {
        echo "no such attack among: $*" >&2
        exit 2
    }
fi

count=$(echo "$attacks" | grep -c .)
commit=$(git rev-parse --short HEAD)
built=$(mktemp -d "$PWD/$state/built-XXXXXX")
trap 'rm -rf "$built"' EXIT
trap 'exit 130' INT TERM
for target in $(printf '%s\n' "$attacks" | sed -n 's/ .*//p' | sed 's/sweep/corruption/' | sort -u); do
    program=$(cargo test -p wisen-tests --locked --no-run --test "$target" 2>&1 | sed -n 's/.*Executable.*(\(.*\))$/\1/p')
    cp "$program" "$built/$target"
done
# What needs no disk is done in memory.
memory=/tmp
[ -d /dev/shm ] && memory=/dev/shm

note() { # seed, words
    printf '| %s | %s | %s | %s |\n' "$(date -u +%Y-%m-%dT%H:%M)" "$commit" "$1" "$2" >>"$record"
}

run() { # attack size
    name=$1 size=$2 log=$state/$1.log
    target=$name filter= where=${TMPDIR:-/tmp}
    case $name in
    sweep) target=corruption filter=a_stretch ;;
    corruption) filter=damaged_bytes ;;
    power) where=$memory ;;
    esac
    from=$(cat "$state/sweep.from" 2>/dev/null || echo 0)
    ended=0
    if [ "$name" = sweep ]; then
        [ "$from" = 0 ] && rm -rf "$state/golden"
        export WISEN_SWEEP="$from" WISEN_GOLDEN="$PWD/$state/golden"
    else
        unset WISEN_SWEEP WISEN_GOLDEN
    fi
    TMPDIR=$where WISEN_ATTACK=$size RUST_BACKTRACE=0 "$built/$target" \
        $filter --nocapture --test-threads 1 >"$log" 2>&1 || ended=$?
    [ "$name" = sweep ] && [ "$ended" = 0 ] && echo $((from + size)) >"$state/sweep.from"
    if [ "$name" = sweep ] && grep -aq ': 0 of [0-9]* cases' "$log"; then
        note - "sweep: through; the next one begins anew"
        echo 0 >"$state/sweep.from"
        [ "$count" = 1 ] && exit 0
        return 0
    fi
    # Each test prints its seed, then what it found.
    seed=-
    grep -aE 'WISEN_SEED=|: [0-9]+ (kills|disks|operations|of|writers)|^  [a-z].*, (byte|cut)' "$log" | while IFS= read -r line; do
        case $line in
        *WISEN_SEED=*) seed=${line##*WISEN_SEED=} ;;
        *) note "$seed" "$(printf '%s' "$line" | tr '|' '/')" ;;
        esac
    done
    if [ "$ended" != 0 ]; then
        note - "**FAILED** $name: $(grep -aE -A1 'panicked|WRONG' "$log" | tr '\n|' '  ' | cut -c1-600)"
        cp "$log" "$state/$name-failed-$(date +%s).log"
    fi
}

next=$(cat "$state/next" 2>/dev/null || echo 0)
while [ "$(date +%s)" -lt "$end" ]; do
    # shellcheck disable=SC2046
    run $(echo "$attacks" | grep . | sed -n "$((next % count + 1))p")
    next=$((next + 1))
    echo "$next" >"$state/next"
done
totals
