# Which configuration of containerd is in force, and what it says.

config=/etc/containerd/config.toml

# config_in_force FILE: the whole of it, defaults and imports included, as containerd reads it.
config_in_force() {
  if [ -n "${version_given:-}" ] || ! has containerd; then cat "$1" 2>/dev/null || :; return 0; fi
  if [ -f "$1" ]; then
    containerd --config "$1" config dump 2>/dev/null || cat "$1"
  else
    containerd config default 2>/dev/null || :
  fi
}

# Of a configuration on standard input: the value of config_path in the CRI's registry table.
config_path_of() {
  awk '
    /^[ \t]*\[/ { name = $0; gsub(/[]["'"'"' \t]/, "", name); inside = name ~ /^plugins\.(cri|io\.containerd\.grpc\.v1\.cri|io\.containerd\.cri\.v1\.images)\.registry$/; next }
    inside && /^[ \t]*config_path[ \t]*=/ { sub(/^[^=]*=[ \t]*/, ""); gsub(/["'"'"']/, ""); sub(/[ \t]*(#.*)?$/, ""); found = $0 }
    END { print found }'
}

# Tables that may not stand beside config_path: containerd would not load its CRI plugin.
beside() { grep -E '^[[:space:]]*\[.*\.registry\.(mirrors\.|configs\..*\.tls\])' "$1"; }

# The containerds of this node itself, not those in its containers or of other distributions: a line
# for each, its process id and the file it was started with, or -. Those with a file in a place like
# those of somebody's experiments go to $stage/unusual.
containerds() {
  : >"$stage/unusual"
  here=$(readlink "$root/proc/self/ns/mnt" 2>/dev/null) || here=
  for process in "$root"/proc/[0-9]*; do
    comm=containerd
    if [ -r "$process/comm" ]; then read -r comm <"$process/comm" || continue; fi
    [ "$comm" = containerd ] && [ -r "$process/cmdline" ] || continue
    where=$(readlink "$process/ns/mnt" 2>/dev/null) || where=
    [ "$where" = "$here" ] || continue
    named=$(tr '\0' '\n' <"$process/cmdline" | awk '
      NR == 1 { if ($0 !~ /(^|\/)containerd$/) exit; print "-" }
      take { print; take = 0 }
      $0 == "--config" || $0 == "-c" { take = 1 }
      sub(/^--config=/, "") { print }' | tail -n 1)
    case ${named#"$root"} in
      *rancher* | *k0s* | *microk8s* | */docker/*) ;;
      - | /etc/* | /opt/* | /usr/*) say "${process##*/} ${named#"$root"}" ;;
      /*) say "${process##*/} ${named#"$root"}" >>"$stage/unusual" ;;
    esac
  done
}

# The file that the running containerd was started with, when it is not the usual one.
running_config() {
  containerds >"$stage/containerds"
  # An experiment that is all there is is none.
  if [ ! -s "$stage/containerds" ] && [ "$(grep -c . "$stage/unusual")" = 1 ]; then
    cat "$stage/unusual" >"$stage/containerds"
  fi
  grep -q ' -$' "$stage/containerds" || sed -n '1s/^[0-9]* //p' "$stage/containerds"
}

# The process id of the containerd that reads $config, once running_config has looked; or nothing.
reader_of_config() {
  awk -v file="$config" '$2 == file || ($2 == "-" && file == "/etc/containerd/config.toml") { print $1; exit }' \
    "$stage/containerds"
}

# When a process began, in seconds since 1970. Its directory tells only when somebody first looked.
began() {
  if [ -r "$root/proc/stat" ] && [ -r "$root/proc/$1/stat" ]; then
    awk -v ticks="$(getconf CLK_TCK 2>/dev/null || say 100)" '
      FNR == NR { if ($1 == "btime") boot = $2; next }
      { sub(/.*\) /, ""); printf "%d\n", boot + $20 / ticks }' "$root/proc/stat" "$root/proc/$1/stat"
  else
    stat -c %Y "$root/proc/$1"
  fi
}

# Whether $config was changed after the containerd that reads it was started, two seconds aside.
changed_since_start() {
  reader=$(reader_of_config)
  [ -n "$reader" ] && [ -f "$root$config" ] && has stat || return 1
  [ "$(stat -c %Y "$root$config")" -gt $(($(began "$reader") + 2)) ]
}
