# What is wrong with k3s, RKE2, microk8s, k0s, Docker, podman and CRI-O.

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
  if [ "$1" = k3s ]; then own_images k3s; fi
}

# Distributions bring a ctr that knows where their containerd is.
own_images() {
  if has "$1"; then look_into_default "$1 ctr" "$1 ctr"; fi
}

# It comes with files for docker.io and a registry of its own, which are no business of ours.
look_at_microk8s() {
  runtimes="$runtimes microk8s"
  setup_of microk8s
  certs=/var/snap/microk8s/current/args/certs.d
  say "ok  microk8s, which has a containerd of its own and reads $certs"
  if none_names "$root$certs" "$root/var/snap/microk8s/current/args/containerd-template.toml"; then
    found mirror-unused "nothing below $certs names $mirrors" "$setup"
  fi
  own_images microk8s
}

look_at_k0s() {
  runtimes="$runtimes k0s"
  setup_of k0s
  certs=/etc/k0s/certs.d
  say "ok  k0s, which has a containerd of its own and reads /etc/k0s/containerd.d"
  own_images k0s
  if [ -z "$(hosts_below "$certs" | head -n 1)" ]; then
    none_names "$root/etc/k0s" || return 0
    found no-mirror "no hosts.toml is below $certs: every pull goes to the registry itself" "$setup"
  elif ! grep -rqs '^[[:space:]]*config_path' "$root/etc/k0s"; then
    found config-path-unset "the files below $certs are not read: nothing in /etc/k0s/containerd.d sets config_path" "$setup"
  elif none_names "$root$certs"; then
    found mirror-unused "nothing below $certs names $mirrors" "$setup"
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
