# shellcheck shell=bash disable=SC2034,SC2154
# Drills: how they are declared, which of them run, and in which order.
#
#   basic FUNCTION SECONDS NEEDS TITLE         runs in every rehearsal, in the order of declaration
#   drill FUNCTION SECONDS NEEDS TITLE PATH…   runs where there is time for it, in any order
#   step FUNCTION SECONDS TITLE                runs right after the drill or the step above it
#
# FUNCTION is the drill's name. It ends non-zero where the drill fails, and with 77 where
# this host lacks something that it needs; the last line that it prints then says what.
# SECONDS is what it takes on two processors without KVM. NEEDS is what it finds and what it
# leaves: `cluster` (the cluster of rehearsal/cluster.json, with every node Ready), `off` (no
# machine runs) or `none` (nothing is installed; it may leave the cluster).
# A change to a file that begins with a PATH, or to the file that declares the drill,
# could touch the drill: it runs before those that the change does not touch.
#
# The caller sets `log`, a file, and `until`, the seconds since the epoch at which the
# last drill has to be through (empty: no limit). It defines `become_cluster`, `become_off`
# and `become_none`, which bring the machines to what a drill needs; `become_seconds`, what
# that takes; and `is_installed`, whether there is a cluster.
drill_functions=() drill_seconds=() drill_needs=() drill_titles=() drill_paths=()
drill_leads=() # for each, the index of the drill that it is a step of, itself included
basics=() leads=()
failed=0
planned=0 taken=0 # seconds: declared for what has passed so far, and measured
state=none        # cluster, off, none, broken (a drill failed), or lost (could not be mended)
closing=25        # seconds for the last `down`

basic() {
  basics+=("${#drill_functions[@]}")
  declare_drill "$1" "$2" "$3" "$4" "${#drill_functions[@]}"
}

drill() {
  local function=$1 seconds=$2 needs=$3 title=$4
  shift 4
  leads+=("${#drill_functions[@]}")
  declare_drill "$function" "$seconds" "$needs" "$title" "${#drill_functions[@]}" \
    "${BASH_SOURCE[1]#"$top/"}" "$@"
}

step() { declare_drill "$1" "$2" "${drill_needs[-1]}" "$3" "${drill_leads[-1]}"; }

declare_drill() {
  drill_functions+=("$1") drill_seconds+=("$2") drill_needs+=("$3") drill_titles+=("$4") drill_leads+=("$5")
  shift 5
  drill_paths+=("$*")
}

# steps LEAD: a drill and its steps.
steps() {
  local i
  for i in "${!drill_leads[@]}"; do
    [[ ${drill_leads[i]} != "$1" ]] || echo "$i"
  done
}

# touches LEAD FILE…: whether a change to the files could touch the drill.
touches() {
  local lead=$1 file path
  shift
  for file in "$@"; do
    for path in ${drill_paths[lead]}; do
      [[ $file != "$path"* ]] || return 0
    done
  done
  return 1
}

# rotate POINT WORD…: the words, from the one at POINT, modulo their number, and around.
rotate() {
  local point=$1
  shift
  (($#)) || return 0
  point=$((point % $#))
  printf '%s\n' "${@:point+1}" "${@:1:point}"
}

# order POINT FILE…: the drills that a change to the files could touch, then the others,
# each from a point that moves, so that no drill is always the one that is left out.
order() {
  local point=$1 lead touched=() others=()
  shift
  for lead in "${leads[@]}"; do
    if touches "$lead" "$@"; then touched+=("$lead"); else others+=("$lead"); fi
  done
  rotate "$point" "${touched[@]}"
  rotate "$point" "${others[@]}"
}

# changed_files: since HARDWAY_BASE, by default where this branch left the main one, or
# the commit before.
changed_files() {
  local base=${HARDWAY_BASE:-} name head
  head=$(git rev-parse --verify --quiet HEAD) || return 0
  for name in origin/HEAD origin/main main; do
    [[ -z $base ]] || break
    base=$(git merge-base HEAD "$name" 2>/dev/null) || base=''
    [[ $base != "$head" ]] || base=''
  done
  [[ -n $base ]] || base=$(git rev-parse --verify --quiet HEAD~1) || return 0
  git diff --name-only "$base" -- && git ls-files --others --exclude-standard
}

# A number that each commit changes.
moving_point() {
  local head
  head=$(git rev-parse --verify --quiet HEAD) || head=0
  echo $((16#${head:0:7}))
}

# here SECONDS: how long what is declared with SECONDS takes here, by what has passed.
here() { echo $((planned ? $1 * taken / planned : $1)); }

# check NAME COMMAND…: one line; a failure shows the end of what the command printed.
check() {
  local name=$1 start=$EPOCHSECONDS status=0
  shift
  "$@" >"$log" 2>&1 </dev/null || status=$?
  last_took=$((EPOCHSECONDS - start))
  case $status in
    0) printf 'ok   %s (%d s)\n' "$name" "$last_took" ;;
    77) printf 'skip %s: %s\n' "$name" "$(tail -n 1 "$log")" ;;
    *)
      failed=1
      printf 'FAIL %s (%d s)\n' "$name" "$last_took"
      tail -n 60 "$log" | sed 's/^/     /'
      ;;
  esac
  return "$status"
}

# run INDEX: one drill or step.
run() {
  local status=0
  check "${drill_titles[$1]}" "${drill_functions[$1]}" || status=$?
  case $status in
    0) planned=$((planned + drill_seconds[$1])) taken=$((taken + last_took)) ;;
    77) return 0 ;;
    *) state=broken ;;
  esac
  return "$status"
}

# leave_out REASON INDEX…
leave_out() {
  local reason=$1 i
  shift
  for i in "$@"; do printf 'skip %s: %s\n' "${drill_titles[i]}" "$reason"; done
}

# run_steps INDEX…: one after the other, until one fails.
run_steps() {
  while (($#)); do
    run "$1" || {
      shift
      leave_out "the step before it failed" "$@"
      return 1
    }
    shift
  done
}

# run_basics FUNCTION: FUNCTION installs the cluster. Where it fails, nothing can follow.
run_basics() {
  local lead all installed=false
  for lead in "${basics[@]}"; do
    mapfile -t all < <(steps "$lead")
    if [[ $state == lost ]]; then
      leave_out "there is no cluster" "${all[@]}"
    elif $installed && ! become cluster; then
      leave_out "the machines did not come back from what failed" "${all[@]}"
    elif [[ ${drill_functions[lead]} != "$1" ]]; then
      run_steps "${all[@]}"
    elif run_steps "${all[@]}"; then
      installed=true state=cluster
    else
      state=lost
    fi
  done
}

# become STATE: brings the machines there, mending what a failed drill left.
become() {
  [[ $state != "$1" ]] || return 0
  [[ $state != lost ]] || return 1
  if check "the machines before the next drill: $1" "become_$1" >"$log.become"; then
    state=$1
  else
    cat "$log.become"
    state=lost
    return 1
  fi
}

# run_drill LEAD: a drill with its steps, if there is time.
run_drill() {
  local needs=${drill_needs[$1]} i seconds=$closing left all
  mapfile -t all < <(steps "$1")
  for i in "${all[@]}"; do seconds=$((seconds + drill_seconds[i])); done
  [[ $state == "$needs" ]] || seconds=$((seconds + become_seconds))
  seconds=$(here "$seconds")
  if [[ -n $until ]] && left=$((until - EPOCHSECONDS)) && ((seconds > left)); then
    leave_out "it takes about $seconds s here, and $((left > 0 ? left : 0)) s are left" "${all[@]}"
    return
  fi
  become "$needs" || {
    leave_out "the machines did not come back from what failed" "${all[@]}"
    return
  }
  run_steps "${all[@]}"
}

# run_drills: all of them, or as many as there is time for.
run_drills() {
  local lead order files
  mapfile -t files < <(cd "$top" && changed_files)
  mapfile -t order < <(cd "$top" && order "$(moving_point)" "${files[@]}")
  for lead in "${order[@]}"; do run_drill "$lead"; done
}

# list_drills: each drill's name, seconds, needs and title; those of every rehearsal first.
list_drills() {
  local lead i
  for lead in "${basics[@]}" "${leads[@]}"; do
    for i in $(steps "$lead"); do
      printf '%-36s %4d s  %-7s  %s\n' "${drill_functions[i]}" "${drill_seconds[i]}" "${drill_needs[i]}" "${drill_titles[i]}"
    done
  done
}

# index_of NAME
index_of() {
  local i
  for i in "${!drill_functions[@]}"; do
    [[ ${drill_functions[i]} != "$1" ]] || {
      echo "$i"
      return
    }
  done
  return 1
}

# run_named INSTALL NAME…: these drills in this order, each with the steps before it. INSTALL
# runs first where a drill needs a cluster and there is none.
run_named() {
  local install=$1 name index lead i all
  shift
  for name in "$@"; do
    index=$(index_of "$name") && lead=${drill_leads[index]} || return 1
    all=()
    for i in $(steps "$lead"); do ((i > index)) || all+=("$i"); done
    if [[ $state != lost && ${drill_needs[lead]} == cluster ]] && ! is_installed; then
      run_install "$(index_of "$install")" || state=lost
    fi
    if ! become "${drill_needs[lead]}"; then
      leave_out "the machines are not what it needs" "${all[@]}"
    elif [[ $name == "$install" ]]; then
      run_install "$index"
    else
      run_steps "${all[@]}"
    fi
  done
}

# run_install INDEX: the drill that leaves a cluster.
run_install() { run "$1" && state=cluster; }
