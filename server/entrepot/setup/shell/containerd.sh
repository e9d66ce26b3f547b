# containerd: is the configuration in force already right, and would the changed one be?

prepare() {
  running=$(running_config)
  if [ -n "$running" ] && [ "$running" != "$config" ]; then
    config=$running
    say "containerd runs with $config"
  fi
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

# After the plan: is the changed file read, and does it say what it is to say?
verify() {
  [ -f "$stage/new$config" ] || return 0
  if [ -s "$stage/lost" ] && at_least "$version" 1.5; then
    warn "$config has tables that may not stand beside config_path and are taken out (kept in the backup):"
    sed 's/^/!   /' "$stage/lost" >&2
  fi
  # `config dump` came with 1.3.
  if [ -n "$version_given" ] || ! has containerd || ! at_least "$version" 1.3; then return 0; fi
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

pending() { [ -z "$version_given" ] && changed_since_start; }
