# Brings the entries below the top keys of `payload` into a YAML file in block style: entries of the
# same name go, all others stay. Exit status 3: something is there in another style (in braces, with
# line ends of Windows, in several documents), which what is added here would make invalid.

function indent(line) { match(line, /^ */); return RLENGTH }
function name(line) {
  sub(/^ */, "", line); sub(/:([ \t].*)?$/, "", line); gsub(/["']/, "", line)
  return line
}
function blank(line) { return line ~ /^[ \t]*(#.*)?$/ }
# Whether the line begins with a key in block style.
function plain(line) { return line ~ /^ *("[^"]*"|'[^']*'|[A-Za-z0-9_.*:\/<-]+):([ \t]|$)/ }
# Our entries below `key`, moved to where the others of the file stand.
function ours(key, column,   n, lines, i, out) {
  n = split(block[key], lines, "\n") - 1; out = ""
  for (i = 1; i <= n; i++) out = out sprintf("%" column "s", "") substr(lines[i], 3) "\n"
  return out
}
function flush() {
  if (top == "") return
  out = out ours(top, column > 0 ? column : 2) held waiting
  done[top] = 1; top = ""; held = ""; waiting = ""; column = 0; gone = 0
}
BEGIN {
  while ((getline line < payload) > 0) {
    if (indent(line) == 0) { key = name(line); order[++tops] = key; continue }
    block[key] = block[key] line "\n"
    if (indent(line) == 2) entry[key, name(line)] = 1
  }
}
/\r/ { failed = 3; exit 3 }
/^---[ \t]*(#.*)?$/ && !keys { out = out $0 "\n"; next }
!blank($0) && indent($0) == 0 {
  flush()
  out = out $0 "\n"
  # A list may begin where its key does.
  if (keys && !(key in block) && $0 ~ /^-([ \t]|$)/) next
  if (!plain($0)) { failed = 3; exit 3 }
  keys++
  key = name($0)
  if (key in block) {
    if ($0 !~ /^[^ ]+:[ \t]*(#.*)?$/ || key in done) { failed = 3; exit 3 }
    top = key
  }
  next
}
top == "" { out = out $0 "\n"; next }
# Comments and gaps belong to what follows them.
blank($0) { waiting = waiting $0 "\n"; next }
{
  if (column == 0) column = indent($0)
  if (indent($0) < column || $0 ~ /\t/ || (indent($0) == column && !plain($0))) { failed = 3; exit 3 }
  if (indent($0) == column) gone = (top, name($0)) in entry
  if (!gone) held = held waiting $0 "\n"
  waiting = ""
}
END {
  if (failed) exit failed
  flush()
  for (i = 1; i <= tops; i++)
    if (!(order[i] in done)) out = out order[i] ":\n" block[order[i]]
  printf "%s", out
}
