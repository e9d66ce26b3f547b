# Brings the tables of `payload` into a TOML file: those of the same name go, and with them what is
# named in `drop` and all below it; everything else stays as it is. Exit status 3: the file says the
# same in a way (dotted keys, inline tables) that this does not understand, or has texts of several
# lines or line ends of Windows.

# The parts of a dotted key, without quotes, each followed by SUBSEP; a bracket ends it.
function parts(text,   i, c, quote, out) {
  out = ""; quote = ""
  for (i = 1; i <= length(text); i++) {
    c = substr(text, i, 1)
    if (quote != "") { if (c == quote) quote = ""; else out = out c }
    else if (c == "\"" || c == "'") quote = c
    else if (c == "]") break
    else if (c == ".") out = out SUBSEP
    else if (c != " " && c != "\t") out = out c
  }
  return out SUBSEP
}
# The line without strings and comments: what is left of brackets counts.
function bare(line) {
  gsub(/"([^"\\]|\\.)*"/, "s", line); gsub(/'[^']*'/, "s", line); sub(/#.*/, "", line)
  return line
}
function header(line,   text) {
  if (bare(line) !~ /^[ \t]*\[[^][]+\][ \t]*$/) return ""
  text = line
  sub(/^[ \t]*\[/, "", text)
  return parts(text)
}
function depth(line,   text, opened) {
  text = bare(line); opened = gsub(/\[/, "", text)
  return opened - gsub(/\]/, "", text)
}
# Whether `path` is what `wanted` says or below it; a part "*" of `wanted` stands for any one.
function below(path, wanted,   a, b, n, m, i) {
  n = split(path, a, SUBSEP); m = split(wanted, b, SUBSEP)
  if (n < m) return 0
  for (i = 1; i < m; i++) if (b[i] != "*" && a[i] != b[i]) return 0
  return 1
}
function goes(path,   i) {
  if (path in ours) return 1
  for (i = 1; i <= drops; i++) if (below(path, dropped[i])) return 1
  return 0
}
# A key outside our tables, and the tables below them, that means something inside them.
function clashes(path, table,   name, i) {
  for (name in ours) if (below(path, name) && !below(table, name)) return 1
  for (i = 1; i <= drops; i++) if (below(path, dropped[i])) return 1
  return 0
}
BEGIN {
  while ((getline line < payload) > 0) {
    text = text line "\n"
    if ((name = header(line)) != "") ours[name] = 1
  }
  while ((getline line < drop) > 0) if (line != "") dropped[++drops] = parts(line)
}
/\r|"""|'''/ { failed = 3; exit 3 }
{
  if (nesting <= 0 && bare($0) ~ /^[ \t]*\[\[/) { table = ""; gone = 0; waiting = "" }
  else if (nesting <= 0 && (name = header($0)) != "") {
    table = name; gone = goes(name)
    # Comments just before a table that stays belong to it.
    if (!gone) out = out waiting
    waiting = ""
    if (!gone) out = out $0 "\n"
    next
  }
  key = bare($0)
  if (nesting <= 0 && !gone && key ~ /^[^=]+=/) {
    key = $0; sub(/=.*/, "", key)
    if (clashes(table parts(key), table)) { failed = 3; exit 3 }
  }
  nesting += depth($0)
  if (gone) { waiting = ($0 ~ /^[ \t]*(#.*)?$/) ? waiting $0 "\n" : ""; next }
  out = out $0 "\n"
}
END {
  if (failed) exit failed
  sub(/[ \t\n]+$/, "", out)
  printf "%s", (out == "" ? "" : out "\n\n") text
}
