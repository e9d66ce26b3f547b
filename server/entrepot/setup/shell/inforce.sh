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

# The file that the running containerd was started with, when it is not the usual one.
running_config() {
  for line in "$root"/proc/[0-9]*/cmdline; do
    [ -r "$line" ] || continue
    tr '\0' '\n' <"$line" 2>/dev/null | awk -v root="$root" '
      NR == 1 && $0 !~ /(^|\/)containerd$/ { exit }
      take { print substr($0, 1, length(root)) == root ? substr($0, length(root) + 1) : $0; exit }
      $0 == "--config" || $0 == "-c" { take = 1 }
      /^--config=/ { sub(/^--config=/, ""); print substr($0, 1, length(root)) == root ? substr($0, length(root) + 1) : $0; exit }'
  done | grep -v -e rancher -e k0s -e microk8s -e /docker/ | head -n 1 || :
}
