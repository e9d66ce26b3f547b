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
  if [ -d "$root/var/snap/microk8s/current/args" ]; then look_at_microk8s; fi
  if [ -d "$root/var/lib/k0s" ]; then look_at_k0s; fi
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
