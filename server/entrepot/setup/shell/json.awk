# Brings the lists of `payload` into a JSON object: their items come first in the list of the same
# key, and those that are there already stay behind them. Exit status 3: the file is something else.

function space(   c) {
  while (at <= length(json) && (c = substr(json, at, 1)) ~ /[ \t\r\n]/) at++
}
function string(   start) {
  start = at
  if (substr(json, at, 1) != "\"") exit (failed = 3)
  for (at++; at <= length(json); at++) {
    if (substr(json, at, 1) == "\\") at++
    else if (substr(json, at, 1) == "\"") { at++; return substr(json, start, at - start) }
  }
  exit (failed = 3)
}
# Past one value of any kind.
function value(   c, nested) {
  nested = 0
  while (at <= length(json)) {
    c = substr(json, at, 1)
    if (c == "\"") { string(); continue }
    if (nested == 0 && (c == "," || c == "}" || c == "]")) return
    if (c == "[" || c == "{") nested++
    if (c == "]" || c == "}") nested--
    at++
  }
  exit (failed = 3)
}
# Read the object in `json` into keys[], from[] and to[]; how many there are.
function object(   n) {
  n = 0; at = 1; space()
  if (substr(json, at, 1) != "{") exit (failed = 3)
  first = ++at
  for (space(); substr(json, at, 1) != "}"; space()) {
    if (n > 0) { if (substr(json, at, 1) != ",") exit (failed = 3); at++; space() }
    keys[++n] = string(); space()
    if (substr(json, at, 1) != ":") exit (failed = 3)
    at++; space(); from[n] = at; value(); to[n] = at
    while (substr(json, to[n] - 1, 1) ~ /[ \t\r\n]/) to[n]--
  }
  return n
}
# Add the strings of the list at the `n`th key to `items`, each once, in order.
function list(n, items,   end) {
  at = from[n]; end = to[n]
  if (substr(json, at, 1) != "[") exit (failed = 3)
  for (at++; ; ) {
    space()
    if (substr(json, at, 1) == "]") break
    if (substr(json, at, 1) == ",") { at++; continue }
    item = string()
    if (index("\n" items, "\n" item "\n") == 0) items = items item "\n"
    if (at >= end) break
  }
  return items
}
function written(items,   one, n, i, out) {
  n = split(items, one, "\n") - 1; out = "["
  for (i = 1; i <= n; i++) out = out (i > 1 ? "," : "") "\n    " one[i]
  return out (n > 0 ? "\n  " : "") "]"
}
BEGIN {
  while ((getline line < payload) > 0) json = json line "\n"
  ours = object()
  for (i = 1; i <= ours; i++) { our_key[i] = keys[i]; our_items[i] = list(i, "") }
  json = ""
}
{ json = json $0 "\n" }
END {
  if (failed) exit failed
  for (i = 1; i <= ours; i++) {
    n = object()
    for (found = n; found > 0 && keys[found] != our_key[i]; found--) { }
    if (found > 0) {
      new = written(list(found, our_items[i]))
      json = substr(json, 1, from[found] - 1) new substr(json, to[found])
    } else if (n > 0)
      json = substr(json, 1, to[n] - 1) ",\n  " our_key[i] ": " written(our_items[i]) substr(json, to[n])
    else
      json = "{\n  " our_key[i] ": " written(our_items[i]) "\n}\n"
  }
  printf "%s", json
}
