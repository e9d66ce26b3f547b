# Writes what the plan below says, keeps what was there, and can put it back.

usage() {
  cat <<TEXT
Points $title on this node at $mirrors.

    sh -s -- [OPTION...]     behind "curl -fsSL URL |", or with this file's name

  --remove          put everything back as it was
  --dry-run         show what would be changed, and change nothing
  --version X.Y.Z   of $title, when it cannot be asked
  --no-restart      do not restart anything, only say what must be
  --force           also when the mirror does not answer, or a file was changed by somebody since
TEXT
}

read_options() {
  remove='' dry='' force='' no_restart='' version=''
  while [ $# -gt 0 ]; do
    case $1 in
      --remove) remove=yes ;;
      --dry-run) dry=yes ;;
      --force) force=yes ;;
      --no-restart) no_restart=yes ;;
      --version)
        [ $# -gt 1 ] || die "--version needs a version"
        version=$2
        shift
        ;;
      --version=*) version=${1#*=} ;;
      -h | --help)
        usage
        exit 0
        ;;
      *) die "no such option: $1 (try --help)" ;;
    esac
    shift
  done
}

main() {
  read_options "$@"
  begin
  if [ "$(id -u)" = 0 ]; then
    states=$root/var/lib/entrepot-setup
  else
    states=$root$home/.local/state/entrepot-setup
  fi
  state=$states/$client
  written='' needs_restart='' failed='' cri='' settled=''
  : >"$stage/list"
  : >"$stage/kept"
  if [ -n "$remove" ]; then
    restore_all
    finish
    return
  fi
  find_version
  check_mirrors
  write_programs
  prepare
  plan
  check_rights
  look_through
  if [ -s "$stage/changed" ] || [ -s "$stage/gone" ]; then
    [ -n "$dry" ] || commit
  elif pending; then
    say "Nothing to change, but $title was started before $config was changed: it does not ask $mirrors yet."
    needs_restart=yes
  else
    say "Nothing to change: $title asks $mirrors already."
  fi
  finish
}

find_version() {
  version_given=$version
  if [ -z "$version" ]; then
    version=$(ask_version 2>/dev/null | first_version) || version=
  fi
  if [ -z "$version" ] && [ -n "$needs_version" ]; then
    die "no $title here, or it does not tell its version: give it with --version X.Y.Z"
  fi
  case $version in
    *[!0-9A-Za-z.+~-]*) die "not a version: $version" ;;
  esac
  say "$title ${version:-(version unknown)}"
}

check_mirrors() {
  answered=
  for url in $mirrors; do
    if fetch "$url/v2/" "$stage/ping" 2>"$stage/complaint"; then
      answered=yes
      say "$url answers"
    elif wants_password; then
      answered=yes
      warn "$url answers, and wants a password, which is yours to write into what is shown below"
    else
      warn "$url/v2/ does not answer: $(head -n 1 "$stage/complaint")"
    fi
  done
  [ -n "$answered$dry$force" ] || die "nothing was changed. --force goes on without the mirror"
}

# A client with something to find out first defines these anew.
prepare() { :; }
verify() { :; }
# Whether what is written is not in force yet.
pending() { false; }

fill() { sed -e "s|@ROOT@|$root|g" -e "s|@HOME@|$home|g" -e "s|@CRI@|$cri|g"; }

# The text on standard input is the file at $1.
put() {
  mkdir -p "$stage/new${1%/*}"
  fill >"$stage/new$1"
  keep_headers "$1"
  say "$1" >>"$stage/list"
}

# The tables [host."…".header] of a hosts.toml, with which somebody has a password sent; the rest.
headers_of() { sed 's/\r$//' "$1" | awk '/^[ \t]*\[/ { inside = /^[ \t]*\[host\.[^]]*\.header\]/ } inside && NF'; }
without_headers() { sed 's/\r$//' "$1" | awk '/^[ \t]*\[/ { inside = /^[ \t]*\[host\.[^]]*\.header\]/ } !inside && NF'; }

# Headers of mirrors that are asked as before stay in what is written anew.
keep_headers() {
  case $1 in */hosts.toml) ;; *) return 0 ;; esac
  recorded "$1" && [ -f "$(real "$1")" ] || return 0
  headers_of "$(real "$1")" >"$stage/headers"
  awk 'FNR == NR { asked[$0]; next }
    /^[ \t]*\[/ { name = $0; sub(/^[ \t]*/, "", name); sub(/\.header\].*/, "]", name); gsub("\047", "\"", name); kept = name in asked; if (kept) print "" }
    kept' "$stage/new$1" "$stage/headers" >"$stage/kept-headers"
  cat "$stage/kept-headers" >>"$stage/new$1"
}

# same PATH FILE FILE: whether both have the same content, headers of hosts.toml aside.
same() {
  if cmp -s "$2" "$3"; then return 0; fi
  case $1 in */hosts.toml) ;; *) return 1 ;; esac
  [ -f "$2" ] && [ -f "$3" ] || return 1
  without_headers "$2" >"$stage/one"
  without_headers "$3" >"$stage/other"
  cmp -s "$stage/one" "$stage/other"
}

copy_ca() {
  [ -r "$root$ca" ] || die "there is no file $ca to copy"
  mkdir -p "$stage/new${1%/*}"
  cat "$root$ca" >"$stage/new$1"
  say "$1" >>"$stage/list"
}

# merge KIND FILE HEAD: the text on standard input goes into FILE; in a new one HEAD goes before it.
# $drop has the TOML tables that go, one a line, and $cri_new what @CRI@ is in a new file.
merge() {
  if [ "$settled" = "$2" ]; then
    # It says already what it is to say.
    say "$2" >>"$stage/kept"
    return 0
  fi
  old=$root$2
  # What an earlier run brought into it is not somebody's own: begin with what was there before.
  if recorded "$2" && cmp -s "$(real "$2")" "$state/written$2"; then old=$state/saved$2; fi
  mkdir -p "$stage/new${2%/*}"
  cri=$cri_new
  if [ -f "$old" ] && grep -q '[^[:space:]]' "$old"; then
    [ -z "$cri" ] || cri=$(cri_table "$old")
    fill >"$stage/payload"
    printf '%s' "$drop" | fill >"$stage/drop"
    awk -v payload="$stage/payload" -v drop="$stage/drop" -f "$stage/$1.awk" "$old" \
      >"$stage/new$2" || by_hand "$2"
  else
    { printf '%s' "$3" && cat; } | fill >"$stage/new$2"
  fi
  say "$2" >>"$stage/list"
}

by_hand() {
  warn "$1 is written in a way that is not safe to change by program. Bring this into it:"
  cat "$stage/payload" >&2
  die "nothing was changed"
}

# The CRI plugin's table in a file of containerd, which depends on that file's own version.
cri_table() {
  case $(awk '/^[ \t]*\[/ { exit } /^[ \t]*version[ \t]*=/ { gsub(/[^0-9]/, ""); print; exit }' "$1") in
    '' | 0 | 1) say plugins.cri ;;
    2) say 'plugins."io.containerd.grpc.v1.cri"' ;;
    *) say 'plugins."io.containerd.cri.v1.images"' ;;
  esac
}

check_rights() {
  [ "$(id -u)" = 0 ] || [ -n "$dry$root" ] || ! grep -qv "^$home/" "$stage/list" ||
    die "this writes below /etc: put sudo before sh"
}

# Where a file really is: a link stays one.
real() {
  if [ -L "$root$1" ]; then readlink -f "$root$1"; else say "$root$1"; fi
}

recorded() { [ -f "$state/manifest" ] && grep -qxF -e "new $1" -e "old $1" "$state/manifest"; }

look_through() {
  : >"$stage/changed"
  : >"$stage/gone"
  verify
  while read -r path; do
    target=$(real "$path")
    new=$stage/new$path
    if [ -f "$target" ] && same "$path" "$target" "$new"; then continue; fi
    if recorded "$path" && [ -f "$target" ] && ! same "$path" "$target" "$state/written$path" &&
      [ -z "$force" ]; then
      die "$path was changed by somebody since Entrepot wrote it: look at it; --force (| sh -s -- --force) writes it anew"
    fi
    say "$path" >>"$stage/changed"
    show "$path" "$target" "$new"
  done <"$stage/list"
  if [ -f "$state/manifest" ]; then
    while read -r kind path; do
      if [ "$kind" != dir ] && ! grep -qxF "$path" "$stage/list" "$stage/kept"; then
        say "$path" >>"$stage/gone"
        say "--- $path is not needed any more: put back as it was"
      fi
    done <"$state/manifest"
  fi
}

show() {
  if [ -f "$2" ]; then
    say "--- $1"
    if has diff; then
      diff -U 2 "$2" "$3" | tail -n +3 || :
    else
      cat "$3"
    fi
  else
    say "+++ $1"
    sed 's/^/    /' "$3"
  fi | sed 's/^\([-+ ]*Authorization[[:space:]]*=[[:space:]]*\).*/\1…/'
}

commit() {
  mkdir -p "$state/saved" "$state/written"
  # Copies of files that may have passwords in them.
  chmod 700 "$states"
  while read -r path; do
    undo "$path"
    forget "$path"
  done <"$stage/gone"
  while read -r path; do install_file "$path"; done <"$stage/changed"
  # For a day on which nobody answers: the same script, kept here.
  for url in $mirrors; do
    if fetch "$url/setup/$client.sh" "$stage/undo" 2>/dev/null && head -n 1 "$stage/undo" | grep -qx '#!/bin/sh'; then
      cp "$stage/undo" "$state/undo.sh"
      break
    fi
  done
}

note() { say "$1 $2" >>"$state/manifest"; }

forget() {
  grep -vxF -e "new $1" -e "old $1" "$state/manifest" >"$stage/manifest" || :
  cat "$stage/manifest" >"$state/manifest"
  rm -f "$state/saved$1" "$state/written$1"
}

# Directories that are missing, outermost first, each noted so that it goes again.
make_directories() {
  [ -d "$root$1" ] || {
    make_directories "${1%/*}"
    note dir "$1"
    mkdir "$root$1"
  }
}

install_file() {
  make_directories "${1%/*}"
  target=$(real "$1")
  mkdir -p "$state/saved${1%/*}" "$state/written${1%/*}"
  if ! recorded "$1"; then
    if [ -f "$target" ]; then
      cp -p "$target" "$state/saved$1"
      note old "$1"
    else
      note new "$1"
    fi
  fi
  cp "$stage/new$1" "$state/written$1"
  fresh=$target.entrepot-new
  if [ -f "$target" ]; then cp -p "$target" "$fresh"; else : >"$fresh" && chmod 644 "$fresh"; fi
  cat "$stage/new$1" >"$fresh"
  mv -f "$fresh" "$target"
  changed "$1"
}

changed() {
  written=yes
  case $1 in
    */hosts.toml | *.crt) ;; # read at every pull
    *) needs_restart=yes ;;
  esac
}

restore_all() {
  if [ ! -f "$state/manifest" ]; then
    say "Nothing to remove: Entrepot has set up nothing of $title here."
    return
  fi
  while read -r kind path; do
    case $kind in
      new | old) if [ -n "$dry" ]; then say "$path would be put back"; else undo "$path"; fi ;;
    esac
  done <"$state/manifest"
  [ -z "$dry" ] || return 0
  if [ -n "$failed" ]; then
    die "what was left out is still in $state; --remove --force puts it back all the same"
  fi
  # The innermost directory was noted last.
  sed -n '1!G;h;$p' "$state/manifest" | while read -r kind path; do
    if [ "$kind" = dir ]; then rmdir "$root$path" 2>/dev/null || :; fi
  done
  rm -rf "$state"
  rmdir "$states" 2>/dev/null || :
}

# Put one file back, unless somebody else has changed it.
undo() {
  target=$(real "$1")
  if grep -qxF "new $1" "$state/manifest"; then
    [ -e "$target" ] || return 0
    if [ -n "$force" ] || same "$1" "$target" "$state/written$1"; then
      rm -f "$target"
      say "$1 is gone"
      changed "$1"
      return 0
    fi
  else
    if cmp -s "$target" "$state/saved$1"; then return 0; fi
    if [ -n "$force" ] || same "$1" "$target" "$state/written$1"; then
      cp -p "$state/saved$1" "$target.entrepot-new"
      mv -f "$target.entrepot-new" "$target"
      say "$1 is as it was"
      changed "$1"
      return 0
    fi
  fi
  warn "$1 was changed by somebody since Entrepot wrote it, and is left as it is (--remove --force takes it away)"
  failed=yes
}

finish() {
  [ -z "$dry" ] || {
    say "Nothing was changed (--dry-run)."
    return 0
  }
  if [ -n "$needs_restart" ] && [ -n "$restart" ]; then
    if [ -n "$restarts" ] && [ -z "$root$no_restart" ] && has systemctl &&
      systemctl -q is-active "$restarts"; then
      say "$restart"
      $restart
    else
      say "Now: $restart"
    fi
  fi
  if [ -n "$written" ] && [ -z "$remove" ]; then
    cat "$stage/notes"
    if [ -f "$state/undo.sh" ]; then
      say "To undo all this: sh ${state#"$root"}/undo.sh --remove"
    else
      say "To undo all this: the same command with --remove"
    fi
  fi
}
