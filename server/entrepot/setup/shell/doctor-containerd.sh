# What is wrong with containerd: which file it reads, and what that says.

look_at_containerd() {
  setup_of containerd
  running=$(running_config)
  [ -z "$running" ] || config=$running
  version=$(containerd --version 2>/dev/null | first_version) || version=
  config_in_force "$root$config" >"$stage/in-force"
  if ! grep -q '[^[:space:]]' "$stage/in-force"; then
    : >"$stage/in-force"
  fi
  path=$(config_path_of <"$stage/in-force")
  path=${path#"$root"}
  runtimes="$runtimes containerd"
  say "ok  containerd ${version:-(version unknown)}, configuration $config, hosts from ${path:-nowhere}"
  look_at_unread_config
  look_at_config_path
  look_at_process
  if grep -Eq '^[[:space:]]*disabled_plugins[[:space:]]*=.*cri"' "$stage/in-force"; then
    found cri-off "the CRI is switched off in $config: no kubelet can use this containerd" \
      "sed -i 's/^ *disabled_plugins.*/disabled_plugins = []/' $config && systemctl restart containerd"
  fi
  for place in $(directories); do look_at_hosts "$place"; done
  look_at_sandbox
  look_at_namespaces
}

# Tables that this version of the file does not have are skipped without a word.
look_at_unread_config() {
  if [ "$config" != /etc/containerd/config.toml ] &&
    grep -Eq '^[[:space:]]*\[.*registry' "$root/etc/containerd/config.toml" 2>/dev/null; then
    found config-ignored "/etc/containerd/config.toml is not read: containerd runs with $config" \
      "bring its registry tables into $config, then systemctl restart containerd"
  fi
  file_version=3
  [ -f "$root$config" ] || return 0
  file_version=$(awk '/^[ \t]*\[/ { exit } /^[ \t]*version[ \t]*=/ { gsub(/[^0-9]/, ""); print; exit }' "$root$config")
  tables=$(grep -E '^[[:space:]]*\[' "$root$config" | tr -d "\"' \t" |
    grep -Eo '^\[plugins\.(cri|io\.containerd\.grpc\.v1\.cri|io\.containerd\.cri\.v1\.(images|runtime))' | sort -u)
  case ${file_version:-1} in
    0 | 1) wrong='io\.containerd' right='plugins.cri' mend="sed -i '1i version = 2' $config" ;;
    2) wrong='plugins\.cri|cri\.v1\.' right='plugins."io.containerd.grpc.v1.cri"'
      mend="write the tables of $config as [$right…]" ;;
    *) wrong='plugins\.cri|grpc\.v1\.cri' right='plugins."io.containerd.cri.v1.images"'
      mend="write the tables of $config as [$right…]" ;;
  esac
  unread=$(say "$tables" | grep -E "$wrong" | head -n 1) || unread=
  if [ -n "$unread" ]; then
    found table-unread "$config is of version ${file_version:-1}, in which ${unread#[} means nothing (it is $right)" \
      "$mend" "systemctl restart containerd"
  fi
}

look_at_config_path() {
  certs=/etc/containerd/certs.d
  have=$(hosts_below "$certs" | head -n 1)
  lost=$(beside "$stage/in-force") || lost=
  case $path in
    '')
      if [ -n "$have" ]; then
        found config-path-unset "the files below $certs are not read: $config sets no config_path" "$setup"
      elif [ -z "$lost" ]; then
        found no-mirror "no mirror is configured: every pull goes to the registry itself" "$setup"
      else
        legacy_mirrors
      fi
      ;;
    *:*)
      if [ -z "$(directories)" ]; then
        found config-path-list "config_path has two directories ($path): containerd 2.2 and later take it for one, which is not there" \
          "$setup"
      else
        say "--  config_path has two directories ($path), which containerd 2.2 and later take for one"
        for one in $(directories); do hosts_below "$one"; done | grep -q . ||
          found no-mirror "no hosts.toml is below $path: every pull goes to the registry itself" "$setup"
      fi
      ;;
    *)
      if [ -n "$lost" ]; then
        found mirrors-and-config-path "registry.mirrors or configs.tls beside config_path: the CRI is not loaded at all" "$setup"
      fi
      if [ -z "$(hosts_below "$path" | head -n 1)" ]; then
        if [ -n "$have" ]; then
          found config-path-wrong "config_path is $path, where no hosts.toml is; they are below $certs" \
            "sed -i 's|^\\( *config_path *= *\\).*|\\1\"$certs\"|' $config && systemctl restart containerd"
        else
          found no-mirror "no hosts.toml is below $path: every pull goes to the registry itself" "$setup"
        fi
      fi
      ;;
  esac
}

# The directories that are looked at for hosts.toml: before 2.1 there may be several (C-9).
directories() {
  case $path in
    *:*) if [ -n "$version" ] && ! at_least "$version" 2.1; then
      say "$path" | tr ':' '\n' | sed "s|^$root||"
    fi ;;
    /*) say "$path" ;;
  esac
}

hosts_below() {
  for file in "$root$1"/*/hosts.toml; do
    [ ! -f "$file" ] || say "$file"
  done
}

# The endpoints of registry.mirrors are asked for themselves; a slash at their end is a path.
legacy_mirrors() {
  awk '/^[ \t]*\[/ { inside = /registry\.mirrors\./ } inside && /endpoint/ {
    while (match($0, /https?:\/\/[^"'"'"' ,]+/)) { print substr($0, RSTART, RLENGTH); $0 = substr($0, RSTART + RLENGTH) }
  }' "$stage/in-force" | sort -u >"$stage/endpoints"
  while read -r url; do asks "$url"; done <"$stage/endpoints"
}

# URL of a mirror that is configured: without the path it is where /v2/ is.
asks() {
  scheme=${1%%://*}
  rest=${1#*://}
  say "$scheme://${rest%%/*}" >>"$stage/asked"
}

look_at_process() {
  pid=$(reader_of_config)
  [ -n "$pid" ] || return 0
  if changed_since_start; then
    found not-restarted "$config was changed after containerd was started: what is in force is older" \
      "systemctl restart containerd"
  fi
  [ -r "$root/proc/$pid/environ" ] || return 0
  tr '\0' '\n' <"$root/proc/$pid/environ" >"$stage/environ" 2>/dev/null || return 0
  proxy=$(grep -iE '^https?_proxy=.' "$stage/environ" | head -n 1) || proxy=
  [ -n "$proxy" ] || return 0
  for url in $mirrors; do
    host=${url#*://}
    case $host in
      \[*) host=${host#\[} host=${host%%\]*} ;;
      *) host=${host%%:*} ;;
    esac
    if ! grep -iE '^no_proxy=' "$stage/environ" | grep -qF "$host"; then
      found proxy "containerd asks $host through a proxy (${proxy%%=*}), for NO_PROXY does not name it" \
        "mkdir -p /etc/systemd/system/containerd.service.d" \
        "printf '[Service]\\nEnvironment=NO_PROXY=%s\\n' \"$(sed -n 's/^[Nn][Oo]_[Pp][Rr][Oo][Xx][Yy]=\(.*\)/\1,/p' "$stage/environ" | head -n 1)$host\" >/etc/systemd/system/containerd.service.d/zz-entrepot.conf" \
        "systemctl daemon-reload && systemctl restart containerd"
    fi
  done
}
