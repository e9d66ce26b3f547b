# What is wrong with images: the sandbox's, those in another namespace, those the mirror has not got.

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
  if has ctr && [ -S "$address" ]; then look_into_default "ctr --address $address" ctr; fi
}

# look_into_default COMMAND SHOWN: COMMAND is how the containerd in question is asked for its images,
# SHOWN how a person would.
look_into_default() {
  $1 --namespace default images list -q >"$stage/elsewhere" 2>/dev/null || return 0
  $1 --namespace k8s.io images list -q >"$stage/in-place" 2>/dev/null || return 0
  while read -r image; do
    case $image in
      *@sha256:* | sha256:*) continue ;;
      k8s.gcr.io/* | registry.k8s.io/* | "${sandbox:-none}") ;;
      *) continue ;;
    esac
    if ! grep -qxF "$image" "$stage/in-place"; then
      found wrong-namespace "$image is in containerd's namespace default, where no kubelet looks (it looks in k8s.io)" \
        "$2 -n default images export - $image | $2 -n k8s.io images import -"
    fi
  done <"$stage/elsewhere"
}

look_at_mirrors() {
  sort -u "$stage/asked" >"$stage/all"
  for url in $mirrors; do
    # With the other scheme it is named as well, and wrong-scheme below.
    if [ -s "$stage/all" ] && ! sed 's|.*://||' "$stage/all" | grep -qxF "${url#*://}"; then
      setup_of containerd
      found mirror-unused "no configuration of containerd in force names $url (but $(tr '\n' ' ' <"$stage/all"))" "$setup"
    fi
    say "$url" >>"$stage/all"
  done
  sort -u "$stage/all" >"$stage/each"
  while read -r url; do
    if fetch "$url/v2/" "$stage/ping" 2>"$stage/complaint"; then
      say "ok  $url answers"
    elif wants_password; then
      say "ok  $url answers, and wants a password"
    elif other=$(other_scheme "$url"); then
      found wrong-scheme "$url is asked, but ${other%%:*} is spoken there" "$(instead "$url" "$other")"
    else
      found mirror-down "$url/v2/ does not answer: $(head -n 1 "$stage/complaint")" "curl -v $url/v2/"
    fi
  done <"$stage/each"
}

# speaks URL: whether anything answers there, be it that it does not know us or we it.
speaks() {
  if has curl; then
    curl -sk -m 20 --noproxy '*' -o /dev/null "$1/v2/"
  elif has wget; then
    http_proxy='' https_proxy='' HTTP_PROXY='' HTTPS_PROXY='' \
      wget -q -T 20 --no-check-certificate -O /dev/null "$1/v2/" 2>/dev/null
  else
    return 1
  fi
}

# other_scheme URL: the one that would be right, if this one is wrong. A port of HTTPS may say so in
# plain HTTP, so what counts is whether TLS comes about.
other_scheme() {
  case $1 in
    https://*) ! speaks "$1" && speaks "http://${1#*://}" && say "http://${1#*://}" ;;
    *) speaks "https://${1#*://}" && say "https://${1#*://}" ;;
  esac
}

# instead WRONG RIGHT: the command that brings the one to where the other stands.
instead() {
  files=
  for place in $(directories); do
    for file in $(hosts_below "$place"); do
      if grep -qF "$1" "$file"; then files="$files ${file#"$root"}"; fi
    done
  done
  if [ -n "$files" ]; then
    say "sed -i 's|$1|$2|' $files" | sed 's/  */ /g'
  elif grep -qsF "$1" "$root$config"; then
    say "sed -i 's|$1|$2|' $config && systemctl restart containerd"
  else
    say "curl -fsSL '$2/setup/containerd.sh' | sh -s -- --force"
  fi
}

# refusal URL IMAGE: why the mirror does not have it, in its own words where it says any.
refusal() {
  said=
  if has curl; then
    said=$(curl -s -m 20 --noproxy '*' ${ca:+--cacert "$root$ca"} -H "$accept" "$1" |
      grep -Eo '"message": *"[^"]*"' | head -n 1 | cut -d '"' -f 4 | cut -c 1-600) || said=
    said=${said#"$2: "}
  fi
  if [ -n "$said" ]; then say "$said"; else head -n 1 "$stage/complaint"; fi
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
      if wants_password; then
        say "--  $url wants a password for $1, which is not known here"
        return 0
      fi
      found image-missing "the mirror has no $1: $(refusal "$where" "$1")" "curl -s '$where'   # tells why"
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
