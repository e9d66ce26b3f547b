# podman and its kin, CRI-O: an old registries.conf makes every drop-in beside it an error.

prepare() {
  main=/etc/containers/registries.conf
  if [ -f "$root$main" ] && grep -Eq '^[[:space:]]*\[registries\.' "$root$main"; then
    die "$main is in the old format ([registries.search] and the like), beside which no other" \
      "file may say anything. Write  unqualified-search-registries = [\"docker.io\"]  there instead"
  fi
}
