#!/bin/sh
# The long versions of the attacks, one after another for so many minutes:
#   sh tests/long.sh MINUTES
# Where it stopped is kept in target/long/, so that the next run goes on from there. What each attack found is
# appended to tests/record/long.md: seeds, counts, and whatever was wrong.
set -eu
cd "$(dirname "$0")/.."
minutes=${1:?"minutes, as in: sh tests/long.sh 120"}
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
sweep 40000
crowd 60
'

cargo test -q -p wisen-tests --locked --no-run --test kill --test power --test faults --test corruption --test crowd

note() { # seed, words
    printf '| %s | %s | %s | %s |\n' "$(date -u +%Y-%m-%dT%H:%M)" "$commit" "$1" "$2" >>"$record"
}

run() { # attack size
    name=$1 size=$2 log=$state/$1.log
    commit=$(git rev-parse --short HEAD)
    target=$name filter=
    case $name in
    sweep) target=corruption filter=a_stretch ;;
    corruption) filter=damaged_bytes ;;
    esac
    from=$(cat "$state/sweep.from" 2>/dev/null || echo 0)
    ended=0
    if [ "$name" = sweep ]; then
        export WISEN_SWEEP="$from"
    else
        unset WISEN_SWEEP
    fi
    WISEN_ATTACK=$size RUST_BACKTRACE=0 cargo test -q -p wisen-tests --locked --test "$target" -- \
        $filter --nocapture --test-threads 1 >"$log" 2>&1 || ended=$?
    [ "$name" = sweep ] && [ "$ended" = 0 ] && echo $((from + size)) >"$state/sweep.from"
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
count=$(echo "$attacks" | grep -c .)
while [ "$(date +%s)" -lt "$end" ]; do
    # shellcheck disable=SC2046
    run $(echo "$attacks" | grep . | sed -n "$((next % count + 1))p")
    next=$((next + 1))
    echo "$next" >"$state/next"
done
