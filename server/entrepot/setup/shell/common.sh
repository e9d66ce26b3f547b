# What every script from Entrepot has: words, ways to the mirror, a directory for work.

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "! $*" >&2; }
die() {
  warn "$@"
  exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# Everything lies below this directory: empty but for trying things out.
begin() {
  umask 022
  LC_ALL=C
  PATH=${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/sbin:/sbin:/snap/bin
  export LC_ALL PATH
  root=${ENTREPOT_ROOT:-}
  home=${HOME:-/root}
  for value in "$root" "$home"; do
    case $value in
      *[!A-Za-z0-9/._+-]*) die "a directory with a strange name: $value" ;;
      */ | [!/]*) die "not the absolute path of a directory: $value" ;;
    esac
  done
  stage=$(mktemp -d) || die "no room for a temporary directory"
  trap 'rm -rf "$stage"' EXIT
  trap 'exit 1' HUP INT TERM
}

# at_least VERSION MINIMUM: whether the first is the second or later; what follows X.Y.Z is ignored.
at_least() {
  printf '%s %s\n' "${1#v}" "${2#v}" | awk '{
    split($1, a, /[^0-9]+/); split($2, b, /[^0-9]+/)
    for (i = 1; i <= 3; i++) if (a[i] + 0 != b[i] + 0) exit !(a[i] + 0 > b[i] + 0)
  }'
}

# The first word that begins with a number, perhaps behind a v: what all of them call their version.
first_version() {
  awk '{
    for (i = 1; i <= NF; i++) {
      word = $i
      sub(/^v/, "", word)
      if (word ~ /^[0-9]+\.[0-9]/) { gsub(/[^0-9A-Za-z.+~-].*/, "", word); print word; exit }
    }
  }'
}

# fetch URL [FILE]: what is there, past any proxy: a mirror on the LAN is not behind one.
fetch() {
  ca_file=
  if [ -n "${ca:-}" ]; then ca_file=$root$ca; fi
  if has curl; then
    curl -fsSL -m 20 --noproxy '*' ${ca_file:+--cacert "$ca_file"} -H "$accept" -o "${2:--}" "$1"
  elif has wget; then
    http_proxy='' https_proxy='' HTTP_PROXY='' HTTPS_PROXY='' \
      wget -q -T 20 ${ca_file:+--ca-certificate="$ca_file"} --header "$accept" -O "${2:--}" "$1"
  else
    return 127
  fi
}
accept='Accept: application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json'

# wants_password: whether what `fetch` complained of, in $stage/complaint, is only that.
wants_password() { grep -qE 'error: 401|401 Unauthorized' "$stage/complaint"; }
