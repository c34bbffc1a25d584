# What a switch does with each unit, decided as NixOS' switch-to-configuration does.
#
# Input:
#   old, new   manifests (eval/layout.nix says what is in one)
#   units      what `systemctl list-units --output=json` prints
#   refusing   targets that refuse a start by hand
#   start, restart, reload
#              what an interrupted switch left to do
# Output: units to stop before the activation, and to reload, restart and start after it;
# changed units to leave alone (skip); targets to start, which a user is not shown (hidden).
#
# A unit changes with its text and with files that its manifest names: those in `restarts`
# count as its X-Restart-Triggers, those in `reloads` as its X-Reload-Triggers.

def file: "/etc/systemd/system/" + .;

# Of a unit that Debian brings, a manifest has at most drop-ins and the files below.
def names($unit):
  ($unit | file) as $path
  | .files[$path] != null or .restarts[$unit] != null or .reloads[$unit] != null
    or any(.files | keys[]; startswith($path + ".d/"));

# What UNIT is made of: its text, its drop-ins' texts, and the files that it changes with.
def sources($unit):
  . as $manifest | ($unit | file) as $path
  | { text: (
        [$manifest.files[$path].text // ""]
        + [$manifest.files | to_entries | sort_by(.key)[]
            | select(.key | startswith($path + ".d/") and endswith(".conf")).value.text // ""]
        | join("\n")),
      restarts: [$manifest.restarts[$unit] // [] | .[] | $manifest.files[.] | tojson],
      reloads: [$manifest.reloads[$unit] // [] | .[] | $manifest.files[.] | tojson] };

# From that { section: { key: [value] } }. An empty value takes back those before it.
def parsed:
  (reduce (.text | gsub("\\\\\n"; " ") | split("\n")[] | sub("^\\s+"; "")) as $line (
    { section: "", all: {} };
    .section as $section
    | ($line | index("=")) as $at
    | if $line == "" or ($line[:1] | . == "#" or . == ";") then .
      elif $line[:1] == "[" then .section = $line[1:($line | index("]"))]
      elif $section == "Install" or $at == null then .
      else
        ($line[:$at] | sub("\\s+$"; "")) as $key
        | ($line[$at + 1:] | sub("^\\s+"; "")) as $value
        | if $value == "" then delpaths([["all", $section, $key]])
          else .all[$section][$key] += [$value]
          end
      end)) as $text
  | $text.all
    + { Unit: (
          ($text.all.Unit // {})
          + (if .restarts == [] then {} else { "X-Restart-Triggers": .restarts } end)
          + (if .reloads == [] then {} else { "X-Reload-Triggers": .reloads } end)) };

def yes($info; $section; $key; $default):
  ($info[$section][$key] // [] | last) as $value
  | if $value == null then $default else any("1", "yes", "true", "on"; . == $value) end;

# Whether two such differ: "same", "reload" or "modified".
def compared($old; $new):
  def flat: [to_entries[] | .key as $section | .value | to_entries[] | { key: "\($section).\(.key)", value }] | from_entries;
  def without_effect: . as $key
    | any("X-Reload-Triggers", "Description", "Documentation", "OnFailure", "OnSuccess", "OnFailureJobMode",
        "IgnoreOnIsolate", "StopWhenUnneeded", "RefuseManualStart", "RefuseManualStop", "AllowIsolate",
        "CollectMode", "SourcePath"; "Unit." + . == $key);
  ($old | flat) as $old | ($new | flat) as $new
  | [$old + $new | keys[] | select($old[.] != $new[.])]
  | if any(.[]; without_effect | not) then "modified"
    elif any(.[]; . == "Unit.X-Reload-Triggers" and $new[.] != null) then "reload"
    else "same"
    end;

. as $in
| [$in.units[].unit] as $loaded
# Also where Debian brings it.
| def exists: . as $unit
    | ($in.new.files[file] != null or $in.old.files[file] == null) and ($in.new.masked | index([$unit]) | not);
  def modified($unit; $base; $info):
    if any("sysinit.target", "basic.target", "multi-user.target", "graphical.target"; . == $unit)
      or any(".path", ".slice", ".socket"; . as $suffix | $unit | endswith($suffix)) then .
    elif yes($info; "Service"; "X-ReloadIfChanged"; false) and (.restart[$unit] or .stop[$unit] | not) then
      .reload[$unit] = true
    elif $unit == "dbus.service" or $unit == "dbus-broker.service" then .
    elif (yes($info; "Service"; "X-RestartIfChanged"; true) | not)
      or yes($info; "Unit"; "RefuseManualStop"; false) or yes($info; "Unit"; "X-OnlyManualStart"; false) then
      .skip[$unit] = true
    elif (yes($info; "Service"; "X-StopIfChanged"; true) | not) or ($unit | endswith(".service") | not) then
      .restart[$unit] = true | del(.reload[$unit])
    else
      ([$info.Service.Sockets // [] | .[] | splits("\\s+")]
        | if . == [] then [($base | sub("\\.[a-z]*$"; "")) + ".socket"] else . end
        | map(select(. as $socket | $loaded | index([$socket])))) as $sockets
      | reduce $sockets[] as $socket (.;
          .stop[$socket] = true | if $socket | exists then .start[$socket] = true else . end)
      # A socket starts its service.
      | if any($sockets[]; exists) then . else .start[$unit] = true end
      | .stop[$unit] = true | del(.reload[$unit])
    end;
reduce ($in.units[] | select(.active == "active" or .active == "activating").unit) as $unit (
  { stop: {}, skip: {}, hidden: {} }
  + ($in | { start, restart, reload } | map_values(map({ key: ., value: true }) | from_entries));
  ($unit | if ($in.old, $in.new | names($unit)) then . else sub("^(?<name>.*)@[^.]*\\.(?<kind>.*)$"; "\(.name)@.\(.kind)") end) as $base
  | if ($unit | endswith(".target")) then
      if any($in.refusing[], "suspend.target", "hibernate.target", "hybrid-sleep.target"; . == $unit) then .
      else .hidden[$unit] = true
      end
    elif ($in.new.masked - $in.old.masked | index([$unit]))
      or ($in.old.files[$base | file] != null and $in.new.files[$base | file] == null) then
      if yes($in.old | sources($base) | parsed; "Unit"; "X-StopOnRemoval"; true) then .stop[$unit] = true else . end
    elif ($in.old | names($base)) then
      ($in.old | sources($base)) as $before | ($in.new | sources($base)) as $now
      | if $before == $now then .
        else
          ($now | parsed) as $info
          | compared($before | parsed; $info) as $difference
          | if $difference == "modified" then modified($unit; $base; $info)
            elif $difference == "reload" and (.restart[$unit] | not) then .reload[$unit] = true
            else .
            end
        end
    else .
    end)
| map_values(keys)
