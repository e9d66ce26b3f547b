# Looks, and changes nothing. Each finding has a name, and the command that mends it below.

usage() {
  cat <<TEXT
Looks for what keeps this node from pulling by way of the mirror${mirrors:+ at $mirrors}.

    sh -s -- [IMAGE...]    also asks the mirror for these images, as k8s.gcr.io/pause:3.1

Exit status: 0 nothing was found, 1 something was.
TEXT
}

main() {
  case ${1:-} in
    -h | --help)
      usage
      exit 0
      ;;
  esac
  begin
  findings=0 runtimes=''
  first=${mirrors%% *}
  : >"$stage/asked"
  setup_of containerd
  case $(uname -m) in
    x86_64) machine=amd64 ;;
    aarch64 | arm64) machine=arm64 ;;
    armv*) machine=arm ;;
    i?86) machine=386 ;;
    *) machine=$(uname -m) ;;
  esac
  if [ -d "$root/var/lib/rancher/k3s/agent" ]; then look_at_rancher k3s; fi
  if [ -d "$root/var/lib/rancher/rke2/agent" ]; then look_at_rancher rke2; fi
  if docker_alone; then
    say "--  containerd is here for Docker alone"
  elif has containerd || [ -f "$root/etc/containerd/config.toml" ]; then
    look_at_containerd
  fi
  if has dockerd || [ -f "$root/etc/docker/daemon.json" ]; then look_at_docker; fi
  if has podman || has crio; then look_at_containers; fi
  [ -n "$runtimes" ] ||
    found no-runtime "no container runtime was found on this node" "install containerd, or run this on the node"
  look_at_mirrors
  for image in "$@"; do ask_for "$image"; done
  if [ "$findings" = 0 ]; then
    say "ok  nothing wrong was found"
  else
    say ""
    say "$findings found"
    exit 1
  fi
}

# found NAME WHAT COMMAND...
found() {
  findings=$((findings + 1))
  printf '\n!!  %s: %s\n' "$1" "$2"
  shift 2
  for line in "$@"; do printf '      %s\n' "$line"; done
}

setup_of() {
  if [ -n "$first" ]; then
    setup="curl -fsSL $first/setup/$1.sh | sh"
  else
    setup="curl -fsSL http://MIRROR:5000/setup/$1.sh | sh"
  fi
}

# Docker's package of containerd has the CRI switched off, which is right unless there is a kubelet.
docker_alone() {
  has dockerd && [ ! -d "$root/var/lib/kubelet" ] &&
    grep -Eqs '^[[:space:]]*disabled_plugins[[:space:]]*=.*cri"' "$root/etc/containerd/config.toml"
}

# none_names FILE...: whether no file says the address of any of the mirrors.
none_names() {
  [ -n "$mirrors" ] || return 1
  for url in $mirrors; do
    if grep -rqsF "${url#*://}" "$@"; then return 1; fi
  done
}

# ---- containerd

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
  case $path in
    /*) if [ "$path" = "${path%%:*}" ]; then look_at_hosts "$path"; fi ;;
  esac
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
      found config-path-list "config_path has two directories ($path): containerd 2.2 and later take it for one, which is not there" \
        "$setup"
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
  if [ "$config" = /etc/containerd/config.toml ]; then name=-; else name=$config; fi
  pid=$(sed -n "s| $name\$||p" "$stage/containerds" | head -n 1)
  [ -n "$pid" ] || return 0
  if [ -f "$root$config" ] && has stat; then
    if [ "$(stat -c %Y "$root$config")" -gt "$(stat -c %Y "$root/proc/$pid")" ]; then
      found not-restarted "$config was changed after containerd was started: what is in force is older" \
        "systemctl restart containerd"
    fi
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

look_at_hosts() {
  for directory in "$root$1"/*/; do
    [ -d "$directory" ] || continue
    directory=${directory%/}
    name=${directory##*/}
    shown=${directory#"$root"}
    case $name in
      registry-1.docker.io | index.docker.io)
        found hosts-directory "$shown is never looked at: images of Docker Hub are docker.io's" \
          "mv $shown ${shown%/*}/docker.io"
        continue
        ;;
      http:* | https:* | *' '*)
        found hosts-directory "$shown is never looked at: a directory is named by the registry's host alone" "rm -r '$shown'"
        continue
        ;;
      _default)
        if [ -n "$version" ] && ! at_least "$version" 1.6.17; then
          found hosts-default "$shown is not looked at by containerd $version (1.6.17 is the first)" "$setup"
        fi
        ;;
    esac
    if [ ! -f "$directory/hosts.toml" ]; then
      other=$(find "$directory" -maxdepth 1 -name '*.t*ml' | head -n 1)
      if [ -n "$other" ]; then
        found hosts-name "$(say "${other#"$root"}") is not read: the file is called hosts.toml" \
          "mv ${other#"$root"} $shown/hosts.toml"
      fi
      continue
    fi
    look_at_hosts_file "$directory/hosts.toml" "$shown/hosts.toml"
  done
}

look_at_hosts_file() {
  sed 's/^[[:space:]]*#.*//' "$1" >"$stage/hosts"
  words='pull|resolve|push'
  if [ -n "$version" ] && at_least "$version" 2.2.0; then words="$words|referrers"; fi
  strange=$(grep -E '^[[:space:]]*capabilities' "$stage/hosts" | grep -Eo "[\"'][^\"']*[\"']" |
    tr -d "\"'" | grep -vxE "$words" | head -n 1) || strange=
  if [ -n "$strange" ]; then
    found hosts-capability "$2 is thrown away as a whole: containerd $version knows no capability \"$strange\"" \
      "sed -i 's/^\\( *capabilities *= *\\).*/\\1[\"pull\", \"resolve\"]/' $2"
  fi
  grep -E "^[[:space:]]*\\[host\\.[\"'][^]]*[\"']\\]" "$stage/hosts" |
    sed "s/^[^\"']*[\"']//; s/[\"'].*//" >"$stage/urls" || :
  twice=$(sort "$stage/urls" | uniq -d | head -n 1)
  if [ -n "$twice" ]; then
    found hosts-twice "$2 is thrown away as a whole: it has [host.\"$twice\"] twice" "take one of the two tables out of $2"
  fi
  if [ ! -s "$stage/urls" ] && [ -n "$version" ] && ! at_least "$version" 2.0; then
    found hosts-empty "$2 is thrown away by containerd $version: it has no [host.\"…\"] table" "$setup"
  fi
  if grep -Eq "^[[:space:]]*capabilities" "$stage/hosts" && ! grep -E "^[[:space:]]*capabilities" "$stage/hosts" | grep -q resolve; then
    found hosts-resolve "$2 lets no mirror answer for tags: capabilities without \"resolve\"" \
      "sed -i 's/^\\( *capabilities *= *\\).*/\\1[\"pull\", \"resolve\"]/' $2"
  fi
  while read -r url; do
    asks "$url"
    rest=${url#*://}
    case $rest in
      */v2 | */v2/) ;;
      */*.*) ;;
      */?*)
        grep -q '^[[:space:]]*override_path[[:space:]]*=[[:space:]]*true' "$stage/hosts" ||
          found hosts-path "$2: $url is asked for ${rest#*/}/v2/…, where no registry is" \
            "a path is put before /v2 unless override_path = true stands below it in $2"
        ;;
    esac
    case $url in
      http://*) if grep -Eq '^[[:space:]]*(skip_verify|ca|client)[[:space:]]*=' "$stage/hosts"; then
        say "--  $2: skip_verify, ca or client make containerd try TLS first, though the url is http://"
      fi ;;
    esac
  done <"$stage/urls"
}

sandbox_image() {
  awk '
    /^[ \t]*\[/ { pinned = /pinned_images/ }
    /^[ \t]*sandbox_image[ \t]*=/ || (pinned && /^[ \t]*sandbox[ \t]*=/) {
      sub(/^[^=]*=[ \t]*/, ""); gsub(/["'"'"']/, ""); sub(/[ \t]*(#.*)?$/, ""); print; exit }' "$stage/in-force"
}

look_at_sandbox() {
  sandbox=$(sandbox_image)
  address=$(awk '/^[ \t]*\[/ { inside = /\[grpc\]/ } inside && /^[ \t]*address[ \t]*=/ { gsub(/.*=[ \t]*["'"'"']|["'"'"'].*/, ""); print; exit }' "$stage/in-force")
  : >"$stage/images"
  if has ctr && [ -S "${address:=/run/containerd/containerd.sock}" ]; then
    ctr --address "$address" --namespace k8s.io images list -q >"$stage/images" 2>/dev/null || :
  fi
  [ -n "$sandbox" ] || return 0
  kubelet=$(grep -Eho 'pod-infra-container-image=[^ "]+' "$root/var/lib/kubelet/kubeadm-flags.env" 2>/dev/null | tail -n 1) || kubelet=
  kubelet=${kubelet#*=}
  control=$(grep -Eho 'image: *["'"'"']?[^ "'"'"']+/kube-apiserver:' "$root"/etc/kubernetes/manifests/*.yaml 2>/dev/null | head -n 1) || control=
  control=$(say "$control" | sed 's/^image: *//; s/["'"'"']//g; s|/kube-apiserver:.*||')
  if [ -n "$kubelet" ] && [ "$kubelet" != "$sandbox" ]; then
    found sandbox-differs "pods start from $sandbox; the kubelet was told $kubelet, which changes nothing in containerd" \
      "write  $(sandbox_key) = \"$kubelet\"  into $config and systemctl restart containerd, or leave it: the mirror has both"
  elif [ -n "$control" ] && [ "${sandbox%/*}" != "$control" ] && ! grep -qxF "$sandbox" "$stage/images"; then
    found sandbox-not-moved "kubeadm's --image-repository ($control) does not move the sandbox image: pods start from $sandbox" \
      "crictl pull $sandbox"
  fi
  if grep -qxF "$sandbox" "$stage/images"; then
    say "ok  the sandbox image $sandbox is here"
  else
    ask_for "$sandbox"
  fi
}

# What it is called, by the version of the file.
sandbox_key() {
  case ${file_version:-1} in
    3 | 4) say 'sandbox in [plugins."io.containerd.cri.v1.images".pinned_images]' ;;
    *) say sandbox_image ;;
  esac
}

look_at_namespaces() {
  has ctr && [ -S "$address" ] || return 0
  ctr --address "$address" --namespace default images list -q 2>/dev/null >"$stage/elsewhere" || return 0
  while read -r image; do
    case $image in
      *@sha256:* | sha256:*) continue ;;
      k8s.gcr.io/* | registry.k8s.io/* | "$sandbox") ;;
      *) continue ;;
    esac
    if ! grep -qxF "$image" "$stage/images"; then
      found wrong-namespace "$image is in containerd's namespace default, where no kubelet looks (it looks in k8s.io)" \
        "ctr -n default images export - $image | ctr -n k8s.io images import -"
    fi
  done <"$stage/elsewhere"
}

# ---- the mirror

look_at_mirrors() {
  sort -u "$stage/asked" >"$stage/all"
  for url in $mirrors; do
    if [ -s "$stage/all" ] && ! grep -qxF "$url" "$stage/all"; then
      setup_of containerd
      found mirror-unused "no configuration of containerd in force names $url (but $(tr '\n' ' ' <"$stage/all"))" "$setup"
    fi
    say "$url" >>"$stage/all"
  done
  sort -u "$stage/all" >"$stage/each"
  while read -r url; do
    if fetch "$url/v2/" "$stage/ping" 2>"$stage/complaint"; then
      say "ok  $url answers"
    else
      found mirror-down "$url/v2/ does not answer: $(head -n 1 "$stage/complaint")" "curl -v $url/v2/"
    fi
  done <"$stage/each"
}

# Is IMAGE to be had from the mirror, for this machine?
ask_for() {
  for url in $mirrors; do
    name=${1%@*}
    tag=latest
    case ${name##*/} in *:*) tag=${name##*:} name=${name%:*} ;; esac
    case $1 in *@*) tag=${1#*@} ;; esac
    registry=${name%%/*} repository=${name#*/}
    case $registry in
      *.* | *:* | localhost) ;;
      *) registry=docker.io repository=$name ;;
    esac
    where="$url/v2/$repository/manifests/$tag?ns=$registry"
    if ! fetch "$where" "$stage/manifest" 2>"$stage/complaint"; then
      found image-missing "the mirror has no $1: $(head -n 1 "$stage/complaint")" "curl -s '$where'   # tells why"
    elif ! for_this_machine "$stage/manifest"; then
      found platform-missing "$1 is there, but not for linux/$machine" "curl -s '$where'   # lists the platforms"
    else
      say "ok  the mirror has $1 for linux/$machine"
    fi
    return 0
  done
}

for_this_machine() {
  tr -d ' \n\t' <"$1" >"$stage/flat"
  if grep -q '"manifests":\[' "$stage/flat"; then
    grep -q "\"architecture\":\"$machine\"" "$stage/flat"
    return
  fi
  configured=$(grep -Eo '"config":\{[^}]*\}' "$stage/flat" | grep -Eo 'sha256:[0-9a-f]{64}' | head -n 1) || configured=
  [ -n "$configured" ] || return 0
  fetch "$url/v2/$repository/blobs/$configured?ns=$registry" "$stage/flat" 2>"$stage/complaint" || return 0
  tr -d ' \n\t' <"$stage/flat" | grep -q "\"architecture\":\"$machine\""
}

# ---- the others

look_at_rancher() {
  runtimes="$runtimes $1"
  setup_of "$1"
  say "ok  $1, which has a containerd of its own and reads /etc/rancher/$1/registries.yaml"
  if [ -z "$(hosts_below /etc/containerd/certs.d | head -n 1)" ]; then :; else
    found "$1-ignores" "$1 reads nothing below /etc/containerd: its containerd is its own" "$setup"
  fi
  file=/etc/rancher/$1/registries.yaml
  made=/var/lib/rancher/$1/agent/etc/containerd/config.toml
  if [ ! -f "$root$file" ]; then
    found no-mirror "$1 has no $file: every pull goes to the registry itself" "$setup"
  elif none_names "$root$file"; then
    found mirror-unused "$file does not name $mirrors" "$setup"
  elif [ -f "$root$made" ] && [ -n "$(find "$root$file" -newer "$root$made" 2>/dev/null)" ]; then
    found not-restarted "$file was changed after $1 was started" "systemctl restart $1"
  fi
}

look_at_docker() {
  runtimes="$runtimes docker"
  setup_of docker
  docker_version=$(dockerd --version 2>/dev/null | first_version) || docker_version=
  say "ok  docker ${docker_version:-(version unknown)}"
  file=/etc/docker/daemon.json
  if [ "$runtimes" = " docker" ] && none_names "$root$file" "$root/etc/docker/certs.d"; then
    found no-mirror "neither $file nor /etc/docker/certs.d names $mirrors" "$setup"
  fi
  [ -f "$root$file" ] || return 0
  tr -d ' \n\t' <"$root$file" >"$stage/daemon"
  hub=$(grep -Eo '"registry-mirrors":\[[^]]*\]' "$stage/daemon" | grep -Eo '"[^"]*"' | tr -d '"' | grep -vx registry-mirrors) || hub=
  for url in $hub; do
    case $url in
      http://* | https://*) ;;
      *) found docker-scheme "$file: dockerd does not start with the mirror $url, which has no http:// before it" \
        "sed -i 's|\"$url\"|\"http://$url\"|' $file && systemctl restart docker" ;;
    esac
    case ${url#*://} in
      */?*) if [ -n "$docker_version" ] && ! at_least "$docker_version" 25; then
        found docker-path "$file: Docker $docker_version does not start with a mirror that has a path ($url)" "$setup"
      fi ;;
    esac
  done
}

look_at_containers() {
  runtimes="$runtimes podman"
  if has crio; then setup_of crio; else setup_of podman; fi
  if [ "$runtimes" = " podman" ] && none_names "$root/etc/containers"; then
    found no-mirror "nothing below /etc/containers names $mirrors" "$setup"
  fi
  file=/etc/containers/registries.conf
  if [ -f "$root$file" ] && grep -Eq '^[[:space:]]*\[registries\.' "$root$file" &&
    [ -n "$(find "$root/etc/containers/registries.conf.d" -name '*.conf' 2>/dev/null | head -n 1)" ]; then
    found registries-format "$file is in the old format, beside which no file in registries.conf.d is allowed: podman fails" \
      "write  unqualified-search-registries = [\"docker.io\"]  there instead of the [registries.…] tables"
  fi
}
