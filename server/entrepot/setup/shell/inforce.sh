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

# The containerds of this node itself, not those in its containers, of other distributions or of
# somebody's experiments: a line for each, its process id and the file it was started with, or -.
containerds() {
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
    esac
  done
}

# The file that the running containerd was started with, when it is not the usual one.
running_config() {
  containerds >"$stage/containerds"
  grep -q ' -$' "$stage/containerds" || sed -n '1s/^[0-9]* //p' "$stage/containerds"
}
