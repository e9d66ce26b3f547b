# containerd: which configuration is in force, and whether the changed one would be.

config=/etc/containerd/config.toml

# config_in_force FILE: the whole of it, defaults and imports included, as containerd reads it.
config_in_force() {
  if [ -n "$version_given" ] || ! has containerd; then cat "$1" 2>/dev/null || :; return 0; fi
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

prepare() {
  running=$(running_config)
  [ -z "$running" ] || config=$running
  certs_d=/etc/containerd/certs.d
  config_in_force "$root$config" >"$stage/in-force"
  in_force=$(config_path_of <"$stage/in-force")
  in_force=${in_force#"$root"}
  beside "$stage/in-force" >"$stage/lost" || :
  case $in_force in
    *:* | '') ;;
    /*)
      # One directory: it is as good as ours.
      certs_d=${in_force%/}
      [ -s "$stage/lost" ] || settled=$config
      ;;
  esac
  if grep -Eq '^[[:space:]]*disabled_plugins[[:space:]]*=.*cri"' "$stage/in-force"; then
    warn "the CRI is switched off in $config (disabled_plugins): a kubelet cannot use this containerd"
  fi
}

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

# After the plan: is the changed file read, and does it say what it is to say?
verify() {
  [ -f "$stage/new$config" ] || return 0
  if [ -s "$stage/lost" ] && at_least "$version" 1.5; then
    warn "$config has tables that may not stand beside config_path and are taken out (kept in the backup):"
    sed 's/^/!   /' "$stage/lost" >&2
  fi
  has containerd && [ -z "$version_given" ] || return 0
  containerd --config "$stage/new$config" config dump >"$stage/then" 2>"$stage/complaint" || {
    warn "containerd does not read what this would make of $config: $(tail -n 1 "$stage/complaint")"
    by_hand "$config"
  }
  at_least "$version" 1.5 || return 0
  then=$(config_path_of <"$stage/then")
  if [ "$then" != "$root$certs_d" ] || beside "$stage/then" >/dev/null; then
    warn "another file that $config imports says something else of the CRI's registry:"
    grep -E '^[[:space:]]*imports' "$stage/then" >&2 || :
    by_hand "$config"
  fi
}
