# What is wrong with hosts.toml files.

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

# The command that makes every list of capabilities in FILE what all versions understand.
pull_and_resolve() {
  say "sed -i -e ':a' -e '/^ *capabilities *=[^]]*\$/{N;ba' -e '}' -e 's/^\\( *capabilities *= *\\)\\[[^]]*\\]/\\1[\"pull\", \"resolve\"]/' $1"
}

look_at_hosts_file() {
  # A list of capabilities may go over several lines.
  sed -e 's/^[[:space:]]*#.*//' -e ':a' -e '/^[[:space:]]*capabilities[[:space:]]*=[^]]*$/{' -e '$!N' -e 's/\n/ /' -e 'ta' -e '}' \
    "$1" >"$stage/hosts"
  words='pull|resolve|push'
  if [ -n "$version" ] && at_least "$version" 2.2.0; then words="$words|referrers"; fi
  strange=$(grep -E '^[[:space:]]*capabilities' "$stage/hosts" | grep -Eo "[\"'][^\"']*[\"']" |
    tr -d "\"'" | grep -vxE "$words" | head -n 1) || strange=
  if [ -n "$strange" ]; then
    found hosts-capability "$2 is thrown away as a whole: containerd $version knows no capability \"$strange\"" \
      "$(pull_and_resolve "$2")"
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
      "$(pull_and_resolve "$2")"
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
